//! Ten million workers come and go, with their handles, child tokens and children; prints the memory as they do.
//!
//! `cargo run --release -p graceful-benches --features contenders --bin growth`, with another number of millions
//! behind `--` if wanted.

use std::env::args;
use std::time::Instant;

use graceful_benches::resident;

/// How many workers are alive at once.
const BATCH: usize = 1_000;

#[graceful::worker]
async fn ends_at_once() {}

#[graceful::worker]
async fn waits_a_little() {
    tokio::task::yield_now().await;
}

#[graceful::worker]
async fn takes_its_token() {
    let token = graceful::token();
    tokio::task::yield_now().await;
    assert!(!token.is_cancelled());
}

#[graceful::worker]
async fn has_a_child() {
    ends_at_once().spawn();
    tokio::task::yield_now().await;
}

#[graceful::main]
async fn main() {
    let millions = args().find_map(|argument| argument.parse().ok());
    let millions: usize = millions.unwrap_or(10);
    let began = Instant::now();
    println!("workers  seconds  resident");
    for million in 0..=millions {
        if million > 0 {
            for _ in 0..1_000_000 / BATCH {
                batch().await;
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        let resident = resident() >> 10;
        println!("{million:>4} M  {seconds:>9.1}  {resident:>6} KiB");
    }
}

/// A fifth of them each, and a fifth that are children.
async fn batch() {
    let mut handles = Vec::with_capacity(BATCH);
    for _ in 0..BATCH / 5 {
        drop(ends_at_once().spawn());
        handles.push(waits_a_little().spawn());
        handles.push(takes_its_token().spawn());
        handles.push(has_a_child().spawn());
    }
    for handle in handles {
        handle.await.expect("it ends well");
    }
    graceful::idle().await;
}
