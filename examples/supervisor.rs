//! Parts of a program: one is replaced on SIGHUP, one is removed within a bound, one restarts when its helper fails.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use graceful::OnFailure;
use tokio::time::sleep;

/// A part with two workers below it. Stopping it stops them; it has ended when they have.
#[graceful::worker]
async fn feed(version: u32) {
    for lane in 1..=2 {
        graceful::spawn("lane", async move {
            println!("feed {version}, lane {lane}: open");
            graceful::stopping().await;
            sleep(Duration::from_millis(200)).await; // finishes what it is doing
            println!("feed {version}, lane {lane}: closed");
        });
    }
}

/// One feed after the other: two never run at once.
#[graceful::worker]
async fn feeds() {
    let mut reloads = graceful::reloads();
    for version in 1.. {
        let feed = feed(version).spawn();
        if reloads.recv().await.is_none() {
            break;
        }
        feed.stop();
        feed.await.expect("it does not fail");
    }
}

/// Ignores the stop. Half a second after it is told to stop, it is aborted with all that is below it: no failure.
#[graceful::worker(stop_timeout = "500ms", on_timeout = "log")]
async fn tenant() {
    sleep(Duration::from_secs(3600)).await;
}

/// Runs again when its helper fails, once all that the last run has started has ended.
#[graceful::worker(on_failure = "restart", backoff = "100ms..1s")]
async fn consume() {
    static RUNS: AtomicU32 = AtomicU32::new(1);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    println!("consumer, run {run}");
    lease(run).spawn();
    graceful::stopping().await;
}

/// The failure of the helper is the failure of the worker that has started it.
#[graceful::worker(on_failure = "parent")]
async fn lease(run: u32) -> Result<(), &'static str> {
    if run < 3 {
        sleep(Duration::from_millis(300)).await;
        return Err("the lease was lost");
    }
    graceful::stopping().await;
    Ok(())
}

/// Removes a tenant after a while. A failure below this worker stays here, unless the worker that fails says otherwise.
async fn tenants() {
    let tenant = tenant().spawn();
    sleep(Duration::from_secs(1)).await;
    tenant.stop();
    let removed = tenant.await;
    println!("the tenant is gone: {}", removed.is_err_and(|error| matches!(error, graceful::WorkerError::Aborted)));
}

#[graceful::main(stop_timeout = "5s")]
async fn main() {
    feeds().spawn();
    consume().spawn();
    graceful::Worker::new("tenants", tenants).children_on_failure(OnFailure::Parent).on_failure(OnFailure::Log).spawn();
    println!("kill -HUP {} replaces the feed; Ctrl-C stops all", std::process::id());
    graceful::stopping().await;
}
