//! By hand: tokio-util's `TaskTracker` and `CancellationToken`, and tokio's signals.

use std::future::pending;
use std::hint::black_box;

use graceful_benches::{
    DEADLINE, among, block, few_at_a_time, grow, in_batches, n, now, park, producers, resident, say, say_since,
    say_when, sigterm, start_up, task, together, unknown, until_parked,
};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "spawn-by-main" => spawn_by_main(),
        "spawn-by-worker" => spawn_by_worker(),
        "spawn-by-worker-yielding" => spawn_by_worker_yielding(),
        "spawn-together" | "spawn-children-together" => spawn_together(),
        "spawn-among" => spawn_among(),
        "park" => park_and_stop(),
        "flag" => flag(),
        "no-flag" => no_flag(),
        "bytes" => bytes(),
        "bytes-token" => bytes_token(),
        "stop-children" => stop_children(),
        "growth" => growth(),
        "first-line" => starts(),
        "idle" => idle(),
        "parked" => parked_until_sigterm(),
        "woken" => woken(),
        "woken-current-thread" => woken_current_thread(),
        "ignoring" => ignoring(),
        "blocking" => blocking(),
        "endless" => endless(),
        task => unknown(task),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn spawn() {
    let tracker = TaskTracker::new();
    in_batches(n(), || tracker.spawn(async {})).await;
}

/// With a clone of the token, to learn of the stop.
fn nothing(tracker: &TaskTracker, token: &CancellationToken) -> JoinHandle<()> {
    let token = token.clone();
    tracker.spawn(async move { drop(token) })
}

async fn spawn_nothings(tracker: TaskTracker, token: CancellationToken) {
    in_batches(n(), || nothing(&tracker, &token)).await;
}

async fn spawn_yielding(tracker: TaskTracker, token: CancellationToken) {
    let yields = || {
        let token = token.clone();
        tracker.spawn(async move {
            yield_now().await;
            drop(token);
        })
    };
    in_batches(n(), yields).await;
}

#[tokio::main(worker_threads = 2)]
async fn spawn_by_main() {
    spawn_nothings(TaskTracker::new(), CancellationToken::new()).await;
}

#[tokio::main(worker_threads = 2)]
async fn spawn_by_worker() {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    let parent = tracker.spawn(spawn_nothings(tracker.clone(), token));
    parent.await.expect("it ends well");
}

#[tokio::main(worker_threads = 2)]
async fn spawn_by_worker_yielding() {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    let parent = tracker.spawn(spawn_yielding(tracker.clone(), token));
    parent.await.expect("it ends well");
}

#[tokio::main(worker_threads = 2)]
async fn spawn_together() {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    together(|| tracker.spawn(spawn_nothings(tracker.clone(), token.clone()))).await;
}

fn spawn_among() {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    let produce = |tracker: TaskTracker, token: CancellationToken| async move {
        few_at_a_time(n(), || nothing(&tracker, &token)).await;
    };
    let runtime = Builder::new_multi_thread().worker_threads(producers()).build().expect("the system grants it");
    runtime.block_on(among(|| tracker.spawn(produce(tracker.clone(), token.clone()))));
}

#[tokio::main(flavor = "current_thread")]
async fn growth() {
    let tracker = TaskTracker::new();
    grow(|| tracker.spawn(async {})).await;
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    let (tracker, token) = parked().await;
    stop(&tracker, &token).await;
}

/// Workers that wait for the one token.
async fn parked() -> (TaskTracker, CancellationToken) {
    let tracker = TaskTracker::new();
    let token = CancellationToken::new();
    for _ in 0..n() {
        let token = token.clone();
        tracker.spawn(async move {
            park();
            token.cancelled().await;
        });
    }
    until_parked(n()).await;
    (tracker, token)
}

async fn stop(tracker: &TaskTracker, token: &CancellationToken) {
    token.cancel();
    tracker.close();
    tracker.wait().await;
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
    let all = parked().await;
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
    until_parked(n()).await;
    say(&(resident() - before).to_string());
}

#[tokio::main(worker_threads = 2)]
async fn stop_children() {
    let parent = tokio::spawn(parked());
    let (tracker, token) = parent.await.expect("it ends well");
    let before = now();
    stop(&tracker, &token).await;
    say_since(before);
}

#[tokio::main]
async fn starts() {
    say_when();
}

#[tokio::main]
async fn idle() {
    start_up();
    let tracker = TaskTracker::new();
    let token = CancellationToken::new();
    sigterm().await;
    stop(&tracker, &token).await;
}

#[tokio::main]
async fn parked_until_sigterm() {
    let (tracker, token) = parked().await;
    sigterm().await;
    stop(&tracker, &token).await;
}

#[tokio::main(worker_threads = 2)]
async fn woken() {
    one_woken().await;
}

#[tokio::main(flavor = "current_thread")]
async fn woken_current_thread() {
    one_woken().await;
}

async fn one_woken() {
    let tracker = TaskTracker::new();
    let token = CancellationToken::new();
    let told = token.clone();
    tracker.spawn(async move {
        park();
        told.cancelled().await;
        say_when();
    });
    until_parked(1).await;
    sigterm().await;
    stop(&tracker, &token).await;
}

#[tokio::main]
async fn ignoring() {
    let tracker = TaskTracker::new();
    tracker.spawn(async {
        park();
        pending::<()>().await;
    });
    stop_in_time(tracker).await;
}

#[tokio::main(worker_threads = 1)]
async fn blocking() {
    let tracker = TaskTracker::new();
    tracker.spawn(async { block() });
    stop_in_time(tracker).await;
}

#[tokio::main]
async fn endless() {
    let tracker = TaskTracker::new();
    tracker.spawn_blocking(block);
    stop_in_time(tracker).await;
}

async fn stop_in_time(tracker: TaskTracker) {
    until_parked(1).await;
    sigterm().await;
    let token = CancellationToken::new();
    let stopped = stop(&tracker, &token);
    if timeout(DEADLINE, stopped).await.is_err() {
        eprintln!("not stopped in time");
    }
}
