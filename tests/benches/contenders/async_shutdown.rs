//! `async-shutdown`: a manager, and futures wrapped so that the shutdown waits for them.

use std::future::pending;
use std::hint::black_box;
use std::process;

use async_shutdown::ShutdownManager;
use graceful_benches::{
    DEADLINE, block, in_batches, n, park, resident, say, say_when, sigterm, start_up, task, unknown, until_parked,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "park" => park_and_stop(),
        "flag" => flag(),
        "no-flag" => no_flag(),
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
    let shutdown = ShutdownManager::<()>::new();
    let nothing = || {
        let nothing = shutdown.wrap_delay_shutdown(async {});
        tokio::spawn(nothing.expect("it is not complete"))
    };
    in_batches(n(), nothing).await;
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    let shutdown = parked().await;
    stop(&shutdown).await;
}

async fn stop(shutdown: &ShutdownManager<()>) {
    shutdown.trigger_shutdown(()).expect("it is the first");
    shutdown.wait_shutdown_complete().await;
}

async fn parked() -> ShutdownManager<()> {
    let shutdown = ShutdownManager::new();
    for _ in 0..n() {
        let stopping = shutdown.wait_shutdown_triggered();
        let waits = shutdown.wrap_delay_shutdown(async move {
            park();
            stopping.await;
        });
        tokio::spawn(waits.expect("it is not complete"));
    }
    until_parked(n()).await;
    shutdown
}

fn flag() {
    let shutdown = ShutdownManager::<()>::new();
    for _ in 0..n() {
        black_box(shutdown.is_shutdown_triggered());
    }
}

fn no_flag() {
    for _ in 0..n() {
        black_box(false);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn bytes() {
    let before = resident();
    let shutdown = parked().await;
    say(&(resident() - before).to_string());
    drop(shutdown);
}

#[tokio::main]
async fn starts() {
    say_when();
}

#[tokio::main]
async fn idle() {
    start_up();
    let shutdown = ShutdownManager::new();
    sigterm().await;
    stop(&shutdown).await;
}

#[tokio::main]
async fn parked_until_sigterm() {
    let shutdown = parked().await;
    sigterm().await;
    stop(&shutdown).await;
}

#[tokio::main]
async fn ignoring() {
    let shutdown = ShutdownManager::new();
    let ignores = shutdown.wrap_delay_shutdown(async {
        park();
        pending::<()>().await;
    });
    tokio::spawn(ignores.expect("it is not complete"));
    stop_in_time(shutdown).await;
}

#[tokio::main(worker_threads = 1)]
async fn blocking() {
    let shutdown = ShutdownManager::new();
    let blocks = shutdown.wrap_delay_shutdown(async { block() });
    tokio::spawn(blocks.expect("it is not complete"));
    stop_in_time(shutdown).await;
}

#[tokio::main]
async fn endless() {
    let shutdown = ShutdownManager::new();
    let delay = shutdown.delay_shutdown_token().expect("it is not complete");
    spawn_blocking(|| {
        block();
        drop(delay);
    });
    stop_in_time(shutdown).await;
}

/// It has no deadline of its own. Its documentation ends the process like this.
async fn stop_in_time(shutdown: ShutdownManager<()>) {
    until_parked(1).await;
    sigterm().await;
    let stopped = timeout(DEADLINE, stop(&shutdown)).await;
    process::exit(i32::from(stopped.is_err()));
}
