//! `async-shutdown`: a manager, and futures wrapped so that the shutdown waits for them.

use std::hint::black_box;

use async_shutdown::ShutdownManager;
use graceful_benches::{are_parked, in_batches, n, park, resident, say, task, unknown};
use tokio::task::yield_now;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "park" => park_and_stop(),
        "flag" => flag(),
        "no-flag" => no_flag(),
        "bytes" => bytes(),
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
    let shutdown = parked(n()).await;
    shutdown.trigger_shutdown(()).expect("it is the first");
    shutdown.wait_shutdown_complete().await;
}

async fn parked(n: usize) -> ShutdownManager<()> {
    let shutdown = ShutdownManager::new();
    for _ in 0..n {
        let stopping = shutdown.wait_shutdown_triggered();
        let waits = shutdown.wrap_delay_shutdown(async move {
            park();
            stopping.await;
        });
        tokio::spawn(waits.expect("it is not complete"));
    }
    while !are_parked(n) {
        yield_now().await;
    }
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
    let shutdown = parked(n()).await;
    say(&(resident() - before).to_string());
    drop(shutdown);
}
