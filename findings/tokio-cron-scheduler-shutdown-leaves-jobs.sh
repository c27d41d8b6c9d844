#!/usr/bin/env bash
# tokio-cron-scheduler 0.15.1: `shutdown().await` is `Ok(())` at once, and the jobs that run go on.
#
# They are neither waited for nor cancelled, and there is no handle to wait for them. A program that ends after the
# shutdown, as it does at a SIGTERM, cuts them off in the middle.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   shutdown() says Ok(()) while the job runs
#   the job ends after it
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "scheduled"
version = "0.1.0"
edition = "2024"

[dependencies]
tokio = { version = "1.54", features = ["macros", "rt-multi-thread", "sync", "time"] }
tokio-cron-scheduler = { version = "=0.15.1", default-features = false }
TOML
cat >src/main.rs <<'RUST'
use std::time::Duration;

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

static BEGUN: Notify = Notify::const_new();
static MAY_END: Notify = Notify::const_new();
static ENDED: Notify = Notify::const_new();

#[tokio::main]
async fn main() -> Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    let job = Job::new_one_shot_async(Duration::from_millis(100), |_, _| {
        Box::pin(async {
            BEGUN.notify_one();
            MAY_END.notified().await;
            ENDED.notify_one();
        })
    });
    scheduler.add(job?).await?;
    scheduler.start().await?;
    BEGUN.notified().await;
    println!("shutdown() says {:?} while the job runs", scheduler.shutdown().await);
    MAY_END.notify_one();
    ENDED.notified().await;
    println!("the job ends after it");
    Ok(())
}
RUST
seen="$(timeout 300 cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "shutdown() says Ok(()) while the job runs
the job ends after it" ]] || { echo "that has changed" >&2; exit 1; }
