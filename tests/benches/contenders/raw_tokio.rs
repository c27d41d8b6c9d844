//! Tokio alone: only the kept handles track tasks, and one token cancels all of them.

use std::future::pending;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use graceful_benches::web;
use graceful_benches::{
    DEADLINE, among, block, few_at_a_time, in_batches, n, park, producers, resident, say, say_when, sigterm, start_up,
    task, together, unknown, until_parked,
};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "spawn-together" => spawn_together(),
        "spawn-among" => spawn_among(),
        "park" => park_and_stop(),
        "requests" => requests(),
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
async fn requests() {
    web::ask(web::Hello, n()).await;
}

#[tokio::main(flavor = "current_thread")]
async fn spawn() {
    in_batches(n(), || tokio::spawn(async {})).await;
}

#[tokio::main(worker_threads = 2)]
async fn spawn_together() {
    together(|| tokio::spawn(in_batches(n(), || tokio::spawn(async {})))).await;
}

fn spawn_among() {
    let runtime = Builder::new_multi_thread().worker_threads(producers()).build().expect("the system grants it");
    runtime.block_on(among(|| tokio::spawn(few_at_a_time(n(), || tokio::spawn(async {})))));
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    let (handles, token) = parked().await;
    stop(handles, &token).await;
}

/// Workers that wait for the one token.
async fn parked() -> (Vec<JoinHandle<()>>, CancellationToken) {
    let token = CancellationToken::new();
    let mut handles = Vec::with_capacity(n());
    for _ in 0..n() {
        let token = token.clone();
        handles.push(tokio::spawn(async move {
            park();
            token.cancelled().await;
        }));
    }
    until_parked(n()).await;
    (handles, token)
}

async fn stop(handles: Vec<JoinHandle<()>>, token: &CancellationToken) {
    token.cancel();
    for handle in handles {
        handle.await.expect("it ends well");
    }
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
    let all = parked().await;
    say(&(resident() - before).to_string());
    drop(all);
}

#[tokio::main]
async fn starts() {
    say_when();
}

#[tokio::main]
async fn idle() {
    start_up();
    sigterm().await;
}

#[tokio::main]
async fn parked_until_sigterm() {
    let (handles, token) = parked().await;
    sigterm().await;
    stop(handles, &token).await;
}

#[tokio::main]
async fn ignoring() {
    stop_in_time(tokio::spawn(async {
        park();
        pending::<()>().await;
    }))
    .await;
}

#[tokio::main(worker_threads = 1)]
async fn blocking() {
    stop_in_time(tokio::spawn(async { block() })).await;
}

#[tokio::main]
async fn endless() {
    stop_in_time(spawn_blocking(block)).await;
}

async fn stop_in_time(handle: JoinHandle<()>) {
    until_parked(1).await;
    sigterm().await;
    let token = CancellationToken::new();
    let stopped = stop(vec![handle], &token);
    if timeout(DEADLINE, stopped).await.is_err() {
        eprintln!("not stopped in time");
    }
}
