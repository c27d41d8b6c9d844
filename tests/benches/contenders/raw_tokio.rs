//! Tokio alone: nothing is tracked but by the handles that are kept, and one token tells everybody.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use graceful_benches::{are_parked, in_batches, n, park, resident, say, task, unknown};
use tokio::task::{JoinHandle, yield_now};
use tokio_util::sync::CancellationToken;

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
    in_batches(n(), || tokio::spawn(async {})).await;
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    let (handles, token) = parked(n()).await;
    token.cancel();
    for handle in handles {
        handle.await.expect("it ends well");
    }
}

/// Workers that wait for the one token.
async fn parked(n: usize) -> (Vec<JoinHandle<()>>, CancellationToken) {
    let token = CancellationToken::new();
    let mut handles = Vec::with_capacity(n);
    for _ in 0..n {
        let token = token.clone();
        handles.push(tokio::spawn(async move {
            park();
            token.cancelled().await;
        }));
    }
    while !are_parked(n) {
        yield_now().await;
    }
    (handles, token)
}

fn flag() {
    let flag = AtomicBool::new(false);
    let flag = black_box(&flag);
    for _ in 0..n() {
        black_box(flag.load(Relaxed));
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
    let all = parked(n()).await;
    say(&(resident() - before).to_string());
    drop(all);
}
