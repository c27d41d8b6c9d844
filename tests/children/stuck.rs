//! What can hold a stop up: `stuck <flavour> <case>`. Prints `stuck` once it is.

use std::cell::Cell;
use std::env::args;
use std::future::{Future, pending};
use std::hint;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// For ever, as far as a test can tell.
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("current_thread") => current_thread::main(),
        _ => multi_thread::main(),
    }
}

mod current_thread {
    #[graceful::main(stop_timeout = "1s", flavor = "current_thread")]
    pub(crate) async fn main() {
        super::run().await;
    }
}

mod multi_thread {
    #[graceful::main(stop_timeout = "1s", worker_threads = 1)]
    pub(crate) async fn main() {
        super::run().await;
    }
}

async fn run() {
    let _value = Farewell("main's value");
    match args().nth(2).expect("a case").as_str() {
        "waits" => drop(waits().spawn()),
        "spins" => drop(spins().spawn()),
        "sleeps" => drop(sleeps().spawn()),
        "blocks" => drop(blocks().spawn()),
        "blocks_unannotated" => drop(graceful::spawn_blocking("copy", halt)),
        "awaits_untracked" => drop(awaits_untracked().spawn()),
        "leaves_a_slow_result" => drop(leaves_a_slow_result().spawn()),
        "leaves_a_slow_result_to_main" => {
            let _result = leaves_a_slow_result().spawn();
            return pending().await;
        }
        "destructor_sleeps" => drop(destructor_sleeps().spawn()),
        "untracked_destructor_sleeps" => drop(tokio::spawn(async {
            let _value = Slow;
            println!("stuck");
            pending::<()>().await;
        })),
        "kept_value_sleeps" => {
            graceful::keep(Slow);
            println!("stuck");
        }
        "thread_local_sleeps" => {
            LAST.set(Some(Slow));
            println!("stuck");
        }
        "locks_stderr" => {
            graceful::spawn_blocking("write", || {
                let _stderr = std::io::stderr().lock();
                halt();
            });
        }
        "waker_sleeps" => listen_with_a_slow_waker(),
        "waker_sleeps_in_a_worker" => {
            graceful::spawn("listener", async {
                listen_with_a_slow_waker();
                graceful::stopping().await;
            });
        }
        "main_never_looks" => {
            println!("stuck");
            return pending().await;
        }
        "main_spins" => {
            println!("stuck");
            halt_spinning();
        }
        "main_looks_and_stays" => {
            println!("stuck");
            graceful::stopping().await;
            return pending().await;
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
        other => panic!("no case {other}"),
    }
    graceful::stopping().await;
    println!("main saw the stop");
}

#[graceful::worker]
async fn waits() {
    let _value = Farewell("the worker's value");
    println!("stuck");
    pending::<()>().await;
}

#[graceful::worker]
async fn spins() {
    println!("stuck");
    halt_spinning();
}

#[graceful::worker]
async fn sleeps() {
    println!("stuck");
    thread::sleep(LONG);
}

#[graceful::worker(blocking)]
fn blocks() {
    halt();
}

#[graceful::worker]
async fn awaits_untracked() {
    let untracked = tokio::spawn(async {
        let _value = Farewell("the untracked task's value");
        println!("stuck");
        pending::<()>().await;
    });
    let _ = untracked.await;
}

#[graceful::worker]
async fn leaves_a_slow_result() -> Result<Slow, String> {
    println!("stuck");
    graceful::stopping().await;
    Ok(Slow)
}

#[graceful::worker]
async fn destructor_sleeps() {
    let _value = Slow;
    println!("stuck");
    pending::<()>().await;
}

fn halt() {
    println!("stuck");
    thread::sleep(LONG);
}

fn halt_spinning() {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        hint::spin_loop();
    }
}

/// Registers a waker with the caller's token whose `wake` blocks whoever cancels.
fn listen_with_a_slow_waker() {
    let token = graceful::token();
    thread::spawn(move || {
        let mut cancelled = pin!(token.cancelled());
        let waker = Waker::from(Arc::new(SlowWaker));
        let _ = cancelled.as_mut().poll(&mut Context::from_waker(&waker));
        println!("stuck");
        thread::sleep(LONG);
    });
}

struct SlowWaker;

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        println!("waker called");
        thread::sleep(Duration::from_secs(10));
    }
}

thread_local! {
    /// Dropped when main's thread exits, after main has returned.
    static LAST: Cell<Option<Slow>> = const { Cell::new(None) };
}

/// Takes its time to go.
struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        println!("dropping slowly");
        thread::sleep(LONG);
    }
}

struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        println!("dropped: {}", self.0);
    }
}
