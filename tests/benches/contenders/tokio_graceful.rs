//! `tokio-graceful`: guards, and a shutdown that waits for them.

use std::future::pending;

use graceful_benches::{
    DEADLINE, block, in_batches, n, park, resident, say, say_when, start_up, task, unknown, until_parked,
};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio_graceful::Shutdown;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "park" => park_and_stop(),
        "bytes" => bytes(),
        "first-line" => starts(),
        "idle" => idle(),
        "parked" => parked_until_sigterm(),
        "ignoring" => ignoring(),
        "blocking" => blocking(),
        "endless" => endless(),
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
    parked(&shutdown).await;
    drop(stop);
    shutdown.shutdown().await;
}

async fn parked(shutdown: &Shutdown) {
    for _ in 0..n() {
        shutdown.spawn_task_fn(|guard| async move {
            park();
            guard.cancelled().await;
        });
    }
    until_parked(n()).await;
}

#[tokio::main(flavor = "current_thread")]
async fn bytes() {
    let shutdown = Shutdown::new(pending::<()>());
    let before = resident();
    parked(&shutdown).await;
    say(&(resident() - before).to_string());
}

#[tokio::main]
async fn starts() {
    say_when();
}

#[tokio::main]
async fn idle() {
    start_up();
    let shutdown = Shutdown::default();
    say("ready");
    shutdown.shutdown().await;
}

#[tokio::main]
async fn parked_until_sigterm() {
    let shutdown = Shutdown::default();
    parked(&shutdown).await;
    say("ready");
    shutdown.shutdown().await;
}

#[tokio::main]
async fn ignoring() {
    let shutdown = Shutdown::default();
    shutdown.spawn_task(async {
        park();
        pending::<()>().await;
    });
    stop_in_time(shutdown).await;
}

#[tokio::main(worker_threads = 1)]
async fn blocking() {
    let shutdown = Shutdown::default();
    // Its own task listens first.
    tokio::task::yield_now().await;
    shutdown.spawn_task(async { block() });
    stop_in_time(shutdown).await;
}

#[tokio::main]
async fn endless() {
    let shutdown = Shutdown::default();
    shutdown.spawn_task(async { spawn_blocking(block).await.expect("it never ends") });
    stop_in_time(shutdown).await;
}

async fn stop_in_time(shutdown: Shutdown) {
    until_parked(1).await;
    say("ready");
    if shutdown.shutdown_with_limit(DEADLINE).await.is_err() {
        eprintln!("not stopped in time");
    }
}
