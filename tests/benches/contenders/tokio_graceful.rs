//! `tokio-graceful`: guards, and a shutdown that waits for them.

use std::future::pending;

use graceful_benches::{are_parked, in_batches, n, park, resident, say, task, unknown};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio_graceful::Shutdown;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "park" => park_and_stop(),
        "bytes" => bytes(),
        task => unknown(task),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn spawn() {
    let shutdown = Shutdown::no_signal();
    in_batches(n(), || shutdown.spawn_task(async {})).await;
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = Shutdown::new(stopped);
    parked(&shutdown, n()).await;
    drop(stop);
    shutdown.shutdown().await;
}

async fn parked(shutdown: &Shutdown, n: usize) {
    for _ in 0..n {
        shutdown.spawn_task_fn(|guard| async move {
            park();
            guard.cancelled().await;
        });
    }
    while !are_parked(n) {
        yield_now().await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn bytes() {
    let shutdown = Shutdown::new(pending::<()>());
    let before = resident();
    parked(&shutdown, n()).await;
    say(&(resident() - before).to_string());
}
