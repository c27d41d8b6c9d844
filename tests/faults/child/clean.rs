//! Ends that are not held up.

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use graceful::{Stage, WorkerHandle};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::Barrier;
use tokio::task::{spawn_blocking, yield_now};

use crate::farewell::{Connection, Farewell, LONG, Unhurried};
use crate::{Ending, up};

const WELL: Ending = Ok(ExitCode::SUCCESS);

pub(crate) async fn run(case: &str) -> Ending {
    match case {
        "idle" => drop(idle().spawn()),
        "job" => return a_job_in_hand().await,
        "stops_itself" => {
            consume().spawn();
            thread::spawn(|| {
                graceful::stop();
                println!("stopping on the next line: {}", graceful::is_stopping());
            });
        }
        "ends_early" => {
            graceful::spawn("migrate", async { println!("migrated") }).await.expect("it is done");
        }
        "worker_fails" => {
            drain().spawn();
            graceful::spawn("fetch", async { Err::<(), _>("no route to host") });
        }
        "worker_panics" => {
            drain().spawn();
            graceful::spawn("fetch", async { panic!("no route to host") });
        }
        "result_panics" => {
            drain().spawn();
            graceful::spawn("fetch", async { Ok::<_, ()>(Connection) });
        }
        "worker_panics_as_it_goes" => {
            drain().spawn();
            fetch_over(Connection).spawn();
        }
        "worker_exits" => {
            drain().spawn();
            graceful::spawn("fetch", async { exit(5) });
        }
        "two_fail" => two_fail_at_once(),
        "fails_in_the_drain" => fail_when_told(false),
        "panics_in_the_drain" => fail_when_told(true),
        "fails_then_panics" => {
            fail_when_told(false);
            graceful::spawn("late panic", async {
                graceful::wait_for(graceful::State::Stopping).await;
                panic!("no more luck");
            });
        }
        "main_returns" => {
            drain().spawn();
            return WELL;
        }
        "main_returns_beside_idlers" => {
            let (begun, has_begun) = tokio::sync::oneshot::channel();
            graceful::spawn("idle", async {
                // It waits before main learns that it has begun: it has been polled once.
                tokio::join!(biased; graceful::stopping(), async {
                    yield_now().await;
                    let _ = begun.send(());
                });
            });
            let _ = has_begun.await;
            println!("up");
            return WELL;
        }
        "main_returns_alone" => return WELL,
        "main_gives_7" => {
            drain().spawn();
            return Ok(ExitCode::from(7));
        }
        "main_gives_7_and_leaves_one_stuck" => {
            graceful::spawn("upload", pending::<()>());
            println!("up");
            return Ok(ExitCode::from(7));
        }
        "main_fails" => {
            drain().spawn();
            return Err("out of luck");
        }
        "main_panics" => {
            drain().spawn();
            yield_now().await;
            panic!("out of luck");
        }
        "main_panics_beside_a_sleeper" => {
            sleep_untracked();
            panic!("out of luck");
        }
        "main_panics_with_a_result_in_hand" => {
            drain().spawn();
            let fetched = graceful::spawn("fetch", async { Ok::<_, ()>("text".to_owned()) });
            while !fetched.is_finished() {
                yield_now().await;
            }
            panic!("out of luck");
        }
        other => return with_handles(other).await,
    }
    up().await
}

/// What is done with workers' handles.
async fn with_handles(case: &str) -> Ending {
    match case {
        "early_waits_for_main" => {
            let serve = graceful::spawn("serve", graceful::stopping());
            consumes(serve).stage(Stage::Early).spawn();
        }
        "keeps_a_result" => {
            let fetched = graceful::spawn("fetch", async { Ok::<_, ()>("text".to_owned()) });
            tokio::spawn(pending::<()>());
            while !fetched.is_finished() {
                yield_now().await;
            }
            graceful::keep(fetched);
        }
        "aborts_a_run_that_would_come_again" => {
            return abort_in_its_run(sweeps_again().spawn()).await;
        }
        "aborts_a_run_that_is_repeated" => return abort_in_its_run(sweeps_hourly().spawn()).await,
        "aborts_a_run_with_a_budget" => return abort_in_its_run(sweeps_in_time().spawn()).await,
        other => return untracked(other).await,
    }
    up().await
}

/// Is told to stop before the other, and ends after it.
#[graceful::worker]
async fn consumes(serve: WorkerHandle<()>) {
    graceful::stopping().await;
    let _ = serve.await;
    println!("consumed");
}

/// Aborts a worker that blocks its thread meanwhile, and ends.
async fn abort_in_its_run(sweep: WorkerHandle<()>) -> Ending {
    while !HAS_BEGUN.load(Ordering::Acquire) {
        yield_now().await;
    }
    sweep.abort();
    println!("aborted");
    WELL
}

static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

#[graceful::worker(blocking, on_failure = "restart")]
fn sweeps_again() {
    sweep();
}

#[graceful::worker(blocking, every = "1h")]
fn sweeps_hourly() {
    sweep();
}

#[graceful::worker(blocking, stop_timeout = "400ms")]
fn sweeps_in_time() {
    sweep();
}

fn sweep() {
    HAS_BEGUN.store(true, Ordering::Release);
    thread::sleep(Duration::from_millis(200));
    println!("swept");
}

/// Code that is not tracked, and not waited for.
async fn untracked(case: &str) -> Ending {
    match case {
        "sleeps_untracked" => sleep_untracked(),
        "waits_untracked" => drop(tokio::spawn(async {
            let _value = Farewell("the untracked task's value");
            println!("under way");
            pending::<()>().await;
        })),
        "drops_untracked" => drop(tokio::spawn(async {
            let _value = Unhurried("in a moment", Duration::from_millis(10));
            println!("under way");
            pending::<()>().await;
        })),
        "reads_stdin" => drop(spawn_blocking(|| {
            println!("under way");
            let _ = io::stdin().read_line(&mut String::new());
        })),
        "reads_tokios_stdin" => drop(tokio::spawn(async {
            println!("under way");
            let _ = BufReader::new(stdin()).read_line(&mut String::new()).await;
        })),
        "opens_a_fifo" => {
            let fifo = PathBuf::from(crate::argument(4));
            tokio::spawn(async move {
                println!("under way");
                let _ = tokio::fs::File::open(fifo).await;
            });
        }
        other => panic!("no case {other}"),
    }
    up().await
}

#[graceful::worker]
async fn idle() {
    graceful::stopping().await;
}

/// Is done when a line comes on standard input, after the stop was asked for.
#[graceful::worker]
async fn drain() {
    graceful::stopping().await;
    let _ = BufReader::new(stdin()).read_line(&mut String::new()).await;
    println!("drained");
}

/// A service with a job in hand, which ends when a line comes on standard input.
async fn a_job_in_hand() -> Ending {
    graceful::keep(Farewell("what was kept first"));
    graceful::keep(Farewell("what was kept second"));
    let _value = Farewell("main's value");
    graceful::spawn("idle", async {
        let _value = Farewell("the idle worker's value");
        graceful::stopping().await;
    });
    consume().spawn();
    graceful::ready();
    graceful::stopping().await;
    WELL
}

#[graceful::worker]
async fn consume() {
    let _connection = Farewell("the connection");
    println!("job begun");
    let read = BufReader::new(stdin()).read_line(&mut String::new()).await;
    println!("job done: {}", read.is_ok());
}

#[graceful::worker]
async fn fetch_over(_connection: Connection) {
    yield_now().await;
}

/// Neither ends before both are about to.
fn two_fail_at_once() {
    let both = Arc::new(Barrier::new(2));
    for (name, why) in [("fetch", "no route to host"), ("store", "no space left")] {
        let both = Arc::clone(&both);
        graceful::spawn(name, async move {
            both.wait().await;
            Err::<(), _>(why)
        });
    }
}

/// A worker that fails as soon as the drain begins.
fn fail_when_told(panics: bool) {
    graceful::spawn("flush", async move {
        graceful::wait_for(graceful::State::Draining).await;
        println!("told while {}", graceful::state());
        assert!(!panics, "the disk is full");
        Err::<(), _>("the disk is full")
    });
}

fn sleep_untracked() {
    spawn_blocking(|| {
        println!("under way");
        thread::sleep(LONG);
    });
}
