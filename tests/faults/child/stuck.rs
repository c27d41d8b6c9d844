//! What holds a stop up until its deadline.

use std::cell::Cell;
use std::future::{Future, pending, ready};
use std::hint;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use graceful::WorkerHandle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::farewell::{Farewell, LONG, Slow, Unhurried};
use crate::{Ending, up};

pub(crate) async fn run(case: &str) -> Ending {
    let _value = Farewell("main's value");
    match case {
        "ignores" => drop(ignores().spawn()),
        "waits" => drop(waits().spawn()),
        "awaits_itself" => {
            let (send, own) = oneshot::channel();
            let _ = send.send(awaits(own).spawn());
        }
        "await_each_other" => {
            let (send, other) = oneshot::channel();
            let (send_back, one) = oneshot::channel();
            let _ = send.send(awaits(one).spawn());
            let _ = send_back.send(awaits(other).spawn());
        }
        "spins" => drop(spins().spawn()),
        "spins_on_two" => spin_on(2),
        "spins_on_one_of_two" => {
            graceful::spawn("idle", graceful::stopping());
            spins().spawn();
        }
        "stops_then_spins" => drop(stops_then_spins().spawn()),
        "sleeps" => drop(sleeps().spawn()),
        "blocks" => drop(blocks().spawn()),
        "blocks_unannotated" => drop(graceful::spawn_blocking("copy", halt)),
        "awaits_a_thread" => drop(awaits_a_thread().spawn()),
        "awaits_untracked" => drop(awaits_untracked().spawn()),
        "always_ready" => drop(always_ready().spawn()),
        "destructor_sleeps" => drop(destructor_sleeps().spawn()),
        "waits_with_wide_names" => {
            for number in 0..30 {
                graceful::spawn(&format!("{number} {}", "🦀".repeat(100)), pending::<()>());
            }
            graceful::spawn(&"🦀".repeat(100), async { Err::<(), _>("🦀".repeat(300)) });
            println!("up");
        }
        "many" => {
            for _ in 0..3 {
                waits().spawn();
            }
            blocks().spawn();
        }
        "fails_first" => {
            waits().spawn();
            graceful::spawn("flush", async {
                graceful::stopping().await;
                Err::<(), _>("the disk is full")
            });
        }
        "before_hangs" => graceful::before_stop("registry", pending::<()>),
        "on_hangs" => graceful::on_stop("metrics", pending::<()>),
        "after_hangs" => graceful::after_stop("pool", pending::<()>),
        "main_never_looks" => {
            println!("up");
            pending::<()>().await;
        }
        "main_spins" => {
            println!("up");
            halt_spinning();
        }
        "main_looks_and_stays" => {
            println!("up");
            graceful::stopping().await;
            pending::<()>().await;
        }
        other => return hidden(other).await,
    }
    match case {
        // Nothing but its own `up`: other workers are told to stop when the runtime has a thread for them.
        "before_hangs" | "on_hangs" | "after_hangs" => up().await,
        _ => stay().await,
    }
}

/// Code that is stuck in an unexpected place.
async fn hidden(case: &str) -> Ending {
    match case {
        "leaves_a_slow_result" => drop(leaves_a_slow_result().spawn()),
        "leaves_a_result" => drop(leaves_a_result().spawn()),
        "leaves_a_result_beside_one_who_waits" => {
            leaves_a_result().spawn();
            waits().spawn();
        }
        "leaves_a_slow_result_to_main" => {
            let _result = leaves_a_slow_result().spawn();
            pending::<()>().await;
        }
        "untracked_destructor_sleeps" => drop(tokio::spawn(async {
            let _value = Slow;
            println!("up");
            pending::<()>().await;
        })),
        "kept_value_sleeps" => {
            graceful::keep(Slow);
            println!("up");
        }
        "thread_local_sleeps" => {
            LAST.set(Some(Slow));
            println!("up");
        }
        "locks_stderr" => {
            graceful::spawn_blocking("write", || {
                let _stderr = std::io::stderr().lock();
                halt();
            });
        }
        "locks_stderr_when_told" => {
            graceful::spawn_blocking("write", || {
                println!("up");
                crate::signals::wait_for_a_line();
                let _stderr = std::io::stderr().lock();
                thread::sleep(LONG);
            });
        }
        "waker_sleeps_before_a_hook" => {
            graceful::after_stop("pool", || async { println!("pool closed") });
            listen_with_a_slow_waker();
        }
        "waker_sleeps" => listen_with_a_slow_waker(),
        "waker_sleeps_in_a_worker" => {
            graceful::spawn("listener", async {
                listen_with_a_slow_waker();
                graceful::stopping().await;
            });
        }
        other => panic!("no case {other}"),
    }
    stay().await
}

/// Waits for the stop, where other code prints `up`.
async fn stay() -> Ending {
    graceful::stopping().await;
    println!("main saw the stop");
    Ok(ExitCode::SUCCESS)
}

#[graceful::worker]
async fn ignores() {
    println!("up");
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[graceful::worker]
async fn waits() {
    let _value = Farewell("the worker's value");
    println!("up");
    pending::<()>().await;
}

/// Waits for a worker whose handle it receives.
#[graceful::worker]
async fn awaits(told: oneshot::Receiver<WorkerHandle<()>>) {
    let other = told.await.expect("it is told");
    println!("up");
    let _ = other.await;
}

#[graceful::worker]
async fn spins() {
    println!("up");
    halt_spinning();
}

/// Occupies so many of the runtime's threads.
pub(crate) fn spin_on(threads: usize) {
    let all = Arc::new(Barrier::new(threads));
    for _ in 0..threads {
        spins_with(Arc::clone(&all)).spawn();
    }
}

#[graceful::worker]
async fn spins_with(others: Arc<Barrier>) {
    if others.wait().is_leader() {
        println!("up");
    }
    halt_spinning();
}

#[graceful::worker]
async fn stops_then_spins() {
    println!("up");
    graceful::stop();
    halt_spinning();
}

#[graceful::worker]
async fn sleeps() {
    println!("up");
    thread::sleep(LONG);
}

#[graceful::worker(blocking)]
fn blocks() {
    halt();
}

/// Waits for an untracked thread.
#[graceful::worker]
async fn awaits_a_thread() {
    let _ = spawn_blocking(halt).await;
}

#[graceful::worker]
async fn awaits_untracked() {
    let untracked = tokio::spawn(async {
        let _value = Farewell("the untracked task's value");
        println!("up");
        pending::<()>().await;
    });
    let _ = untracked.await;
}

#[graceful::worker]
async fn always_ready() {
    println!("up");
    let mut rounds = 0_u64;
    loop {
        tokio::select! {
            biased;
            () = ready(()) => rounds = rounds.wrapping_add(1),
            () = graceful::stopping() => break,
        }
    }
    println!("{rounds}");
}

#[graceful::worker]
async fn leaves_a_slow_result() -> Result<Slow, String> {
    println!("up");
    graceful::stopping().await;
    Ok(Slow)
}

#[graceful::worker]
async fn leaves_a_result() -> Result<Unhurried, String> {
    println!("up");
    graceful::stopping().await;
    // Within the budget.
    Ok(Unhurried("the result", Duration::from_millis(150)))
}

#[graceful::worker]
async fn destructor_sleeps() {
    let _value = Slow;
    println!("up");
    pending::<()>().await;
}

fn halt() {
    println!("up");
    thread::sleep(LONG);
}

pub(crate) fn halt_spinning() {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        hint::spin_loop();
    }
}

/// Registers a waker with the caller's token whose `wake` blocks the thread that cancels.
fn listen_with_a_slow_waker() {
    let token = graceful::token();
    thread::spawn(move || {
        let mut cancelled = pin!(token.cancelled());
        let waker = Waker::from(Arc::new(SlowWaker));
        let _ = cancelled.as_mut().poll(&mut Context::from_waker(&waker));
        println!("up");
        thread::sleep(LONG);
    });
}

struct SlowWaker;

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        println!("waker called");
        thread::sleep(LONG);
    }
}

thread_local! {
    /// Dropped when main's thread exits, after main has returned.
    static LAST: Cell<Option<Slow>> = const { Cell::new(None) };
}
