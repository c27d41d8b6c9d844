#!/usr/bin/env bash
# apalis-core 1.0.0: a `Monitor` with a `shutdown_timeout` ends with `Ok(())` whatever its workers did.
#
# Without a time-out `run_with_signal` returns the workers' errors. With one it drops the result: a task that was cut off
# because the time was over, and a worker that has failed, are both `Ok(())`. So an exit code made from it says success.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   without a time-out: Ok(()), the task has ended: true
#   with a time-out: Ok(()), the task has ended: false
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "cut"
version = "0.1.0"
edition = "2024"

[dependencies]
apalis-core = { version = "=1.0.0", features = ["sleep"] }
tokio = { version = "1.54", features = ["macros", "rt-multi-thread", "sync", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apalis_core::backend::TaskSink;
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::monitor::Monitor;
use apalis_core::worker::builder::WorkerBuilder;
use tokio::sync::Notify;
use tokio::time::sleep;

static BEGUN: Notify = Notify::const_new();
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

async fn work(_: u32) {
    BEGUN.notify_one();
    sleep(Duration::from_millis(500)).await;
    HAS_ENDED.store(true, Ordering::Relaxed);
}

async fn run(what: &str, limit: Option<Duration>) {
    HAS_ENDED.store(false, Ordering::Relaxed);
    let mut storage = MemoryStorage::new();
    storage.push(1).await.unwrap();
    let storage = Mutex::new(Some(storage));
    let mut monitor = Monitor::new().register(move |_| {
        let storage = storage.lock().unwrap().take().unwrap();
        WorkerBuilder::new("worker").backend(storage).build(work)
    });
    if let Some(limit) = limit {
        monitor = monitor.shutdown_timeout(limit);
    }
    // The stop comes when the task has begun.
    let told = async {
        BEGUN.notified().await;
        Ok(())
    };
    let ended = monitor.run_with_signal(told).await.map_err(|error| error.to_string());
    println!("{what}: {ended:?}, the task has ended: {}", HAS_ENDED.load(Ordering::Relaxed));
}

#[tokio::main]
async fn main() {
    run("without a time-out", None).await;
    run("with a time-out", Some(Duration::from_millis(50))).await;
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "without a time-out: Ok(()), the task has ended: true
with a time-out: Ok(()), the task has ended: false" ]] || { echo "that has changed" >&2; exit 1; }
