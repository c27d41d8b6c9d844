//! Parts of a program that are stopped, fail or overrun: `parts <case>`.

use std::env::args;
use std::future::pending;
use std::time::Duration;

use graceful::{OnFailure, OnTimeout, Stage, Worker, WorkerHandle};
use tokio::time::sleep;

const TENTH: Duration = Duration::from_millis(100);

#[graceful::main(stop_timeout = "3s")]
async fn main() {
    match args().nth(1).expect("a case").as_str() {
        "an_overrun_before_the_stop" => ends(stuck().on_failure(OnFailure::Log).stop_timeout(2 * TENTH).spawn()).await,
        "an_overrun_that_is_a_failure" => ends(stuck().stop_timeout(2 * TENTH).spawn()).await,
        "a_cut_at_the_stop" => drop(stuck().stop_timeout(2 * TENTH).on_timeout(OnTimeout::Log).spawn()),
        "a_part_that_is_stopped" => {
            graceful::ready();
            ends(graceful::spawn("part", async { graceful::stopping().await })).await;
            // The watch looks for workers that have ended once a second.
            sleep(22 * TENTH).await;
        }
        "a_child_of_a_later_stage" => later_stage().await,
        "a_restart_that_waits" => drop(restarts().spawn()),
        "a_path" => drop(graceful::spawn("serve", async {
            graceful::spawn("connection", pending::<()>());
        })),
        "a_failure_that_stays_inside" => {
            let part = Worker::new("part", || async {
                graceful::spawn("child", async {
                    graceful::spawn("grandchild", async { Err::<(), _>("deep down") });
                    graceful::stopping().await;
                });
                graceful::stopping().await;
            });
            let part = part.children_on_failure(OnFailure::Parent).on_failure(OnFailure::Log);
            println!("{}", part.spawn().await.expect_err("it fails by its child"));
        }
        "a_worker_that_waits_for_the_one_above" => above().await,
        other => panic!("no case {other}"),
    }
    println!("ready");
    graceful::stopping().await;
}

fn stuck() -> Worker<impl graceful::Body<Output = ()>> {
    Worker::new("stuck", pending::<()>)
}

async fn ends(worker: WorkerHandle<()>) {
    sleep(TENTH).await;
    worker.stop();
    let _ = worker.await;
    println!("it has ended");
}

/// Stops a worker of a later stage itself, in the stop, and waits for it.
async fn later_stage() {
    let later = || Worker::new("later", graceful::stopping).stage(Stage::Late).spawn();
    let (stopped, aborted) = (later(), later());
    println!("ready");
    graceful::stopping().await;
    stopped.stop();
    stopped.await.expect("it ends well");
    aborted.abort();
    aborted.await.expect_err("it is aborted");
}

#[graceful::worker(on_failure = "restart", backoff = "10ms..10ms")]
async fn restarts() -> Result<(), &'static str> {
    graceful::spawn("helper", async {
        graceful::stopping().await;
        sleep(13 * TENTH).await;
    });
    tokio::task::yield_now().await;
    Err("on purpose")
}

/// A worker is given the handle of the one that has started it.
async fn above() {
    let (send, receive) = tokio::sync::oneshot::channel::<WorkerHandle<()>>();
    let parent = graceful::spawn("parent", async {
        graceful::spawn("child", async {
            let parent = receive.await.expect("it is sent");
            let _ = graceful::run_until_stopping(parent).await;
        });
    });
    let _ = send.send(parent);
    sleep(TENTH).await;
}
