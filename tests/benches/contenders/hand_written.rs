//! By hand: tokio-util's `TaskTracker` and `CancellationToken`.

use std::hint::black_box;

use graceful_benches::{are_parked, in_batches, n, park, resident, say, task, unknown};
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "park" => park_and_stop(),
        "flag" => flag(),
        "no-flag" => no_flag(),
        "bytes" => bytes(),
        "bytes-token" => bytes_token(),
        task => unknown(task),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn spawn() {
    let tracker = TaskTracker::new();
    in_batches(n(), || tracker.spawn(async {})).await;
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    let (tracker, token) = parked(n()).await;
    token.cancel();
    tracker.close();
    tracker.wait().await;
}

/// Workers that wait for the one token.
async fn parked(n: usize) -> (TaskTracker, CancellationToken) {
    let tracker = TaskTracker::new();
    let token = CancellationToken::new();
    for _ in 0..n {
        let token = token.clone();
        tracker.spawn(async move {
            park();
            token.cancelled().await;
        });
    }
    while !are_parked(n) {
        yield_now().await;
    }
    (tracker, token)
}

fn flag() {
    let token = CancellationToken::new();
    for _ in 0..n() {
        black_box(token.is_cancelled());
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

/// With a child token for each worker.
#[tokio::main(flavor = "current_thread")]
async fn bytes_token() {
    let tracker = TaskTracker::new();
    let token = CancellationToken::new();
    let before = resident();
    for _ in 0..n() {
        let token = token.child_token();
        tracker.spawn(async move {
            park();
            token.cancelled().await;
        });
    }
    while !are_parked(n()) {
        yield_now().await;
    }
    say(&(resident() - before).to_string());
}
