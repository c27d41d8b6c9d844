//! `elegant-departure`: a guard in each task, out of one registry for the process.

use std::future::pending;

use elegant_departure::get_shutdown_guard;
use elegant_departure::tokio::depart;
use graceful_benches::{
    DEADLINE, block, grow, in_batches, n, park, resident, say, say_when, sigterm, start_up, task, unknown, until_parked,
};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "park" => park_and_stop(),
        "bytes" => bytes(),
        "growth" => growth(),
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
    in_batches(n(), spawn_nothing).await;
}

#[tokio::main(flavor = "current_thread")]
async fn growth() {
    grow(spawn_nothing).await;
}

fn spawn_nothing() -> JoinHandle<()> {
    tokio::spawn(async { drop(get_shutdown_guard()) })
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    parked().await;
    elegant_departure::shutdown().await;
}

async fn parked() {
    for _ in 0..n() {
        tokio::spawn(async {
            let guard = get_shutdown_guard();
            park();
            guard.wait().await;
        });
    }
    until_parked(n()).await;
}

#[tokio::main(flavor = "current_thread")]
async fn bytes() {
    let before = resident();
    parked().await;
    say(&(resident() - before).to_string());
}

#[tokio::main]
async fn starts() {
    say_when();
}

#[tokio::main]
async fn idle() {
    start_up();
    let departure = depart().on_termination();
    say("ready");
    departure.await;
}

#[tokio::main]
async fn parked_until_sigterm() {
    parked().await;
    let departure = depart().on_termination();
    say("ready");
    departure.await;
}

#[tokio::main]
async fn ignoring() {
    tokio::spawn(async {
        let _guard = get_shutdown_guard();
        park();
        pending::<()>().await;
    });
    stop_in_time().await;
}

#[tokio::main(worker_threads = 1)]
async fn blocking() {
    tokio::spawn(async {
        let _guard = get_shutdown_guard();
        block();
    });
    stop_in_time().await;
}

#[tokio::main]
async fn endless() {
    spawn_blocking(|| {
        let _guard = get_shutdown_guard();
        block();
    });
    stop_in_time().await;
}

/// It has no deadline of its own.
async fn stop_in_time() {
    until_parked(1).await;
    sigterm().await;
    let departed = timeout(DEADLINE, elegant_departure::shutdown()).await;
    if departed.is_err() {
        eprintln!("not stopped in time");
    }
}
