//! This crate.

use std::hint::black_box;
use std::process::ExitCode;

use graceful_benches::{are_parked, in_batches, n, park, resident, say, task, unknown};
use tokio::task::yield_now;

fn main() -> ExitCode {
    match &*task() {
        "spawn" => spawn(),
        "spawn-attribute" => spawn_attribute(),
        "park" => park_and_stop(),
        "flag" => flag(),
        "no-flag" => no_flag(),
        "bytes" => bytes(),
        "bytes-token" => bytes_token(),
        task => unknown(task),
    }
}

#[graceful::worker]
async fn nothing() {}

#[graceful::worker]
async fn waits() {
    park();
    graceful::stopping().await;
}

#[graceful::worker]
async fn waits_for_its_token() {
    let token = graceful::token();
    park();
    token.cancelled().await;
}

#[graceful::main(flavor = "current_thread")]
async fn spawn() {
    in_batches(n(), || graceful::spawn("nothing", async {})).await;
}

#[graceful::main(flavor = "current_thread")]
async fn spawn_attribute() {
    in_batches(n(), || nothing().spawn()).await;
}

/// The stop waits for everybody after main's end.
#[graceful::main(flavor = "current_thread")]
async fn park_and_stop() {
    parked(n()).await;
    graceful::stop();
}

async fn parked(n: usize) {
    for _ in 0..n {
        waits().spawn();
    }
    while !are_parked(n) {
        yield_now().await;
    }
}

#[graceful::worker]
async fn asks() {
    for _ in 0..n() {
        black_box(graceful::is_stopping());
    }
}

#[graceful::worker]
async fn asks_nothing() {
    for _ in 0..n() {
        black_box(false);
    }
}

#[graceful::main(flavor = "current_thread")]
async fn flag() {
    asks().spawn().await.expect("it ends well");
}

#[graceful::main(flavor = "current_thread")]
async fn no_flag() {
    asks_nothing().spawn().await.expect("it ends well");
}

#[graceful::main(flavor = "current_thread")]
async fn bytes() {
    let before = resident();
    parked(n()).await;
    say(&(resident() - before).to_string());
}

#[graceful::main(flavor = "current_thread")]
async fn bytes_token() {
    let before = resident();
    for _ in 0..n() {
        waits_for_its_token().spawn();
    }
    while !are_parked(n()) {
        yield_now().await;
    }
    say(&(resident() - before).to_string());
}
