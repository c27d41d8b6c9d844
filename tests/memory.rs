//! A million short workers leave nothing behind.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use tokio::sync::oneshot;

/// How much more the process may have in memory at the end than after the warm-up.
const LIMIT: u64 = 8 << 20;

/// How many are alive at once.
const BATCH: usize = 100;

/// The rounds that make 100,000 workers, and a million.
const WARM_UP: usize = 1_000;
const ROUNDS: usize = 10_000;

/// The resident memory of the process.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a number of KiB") << 10
}

#[graceful::worker]
async fn serve() -> Result<(), String> {
    tokio::task::yield_now().await;
    Ok(())
}

#[graceful::worker]
async fn wait() {
    graceful::stopping().await;
}

#[graceful::worker]
async fn ask() {
    let token = graceful::token();
    tokio::task::yield_now().await;
    assert!(!token.is_cancelled());
}

/// Has a child that ends with it.
#[graceful::worker]
async fn lead(child: oneshot::Sender<graceful::WorkerHandle<()>>) {
    let _ = child.send(wait().spawn());
    graceful::stopping().await;
}

/// Some of each kind.
async fn round() {
    let mut handles = Vec::with_capacity(BATCH);
    for _ in 0..BATCH / 10 {
        drop(serve().spawn());
        drop(graceful::spawn("block", async {}));
        let served = serve().spawn();
        let named = serve().named("serve-eu").spawn();
        handles.extend([wait().spawn(), wait().named("wait-eu").spawn(), ask().spawn()]);
        let (send, child) = oneshot::channel();
        let parent = lead(send).spawn();
        let child = child.await.expect("a child");
        // Stopped before its first poll.
        let early = wait().spawn();
        early.stop();
        handles.extend([parent, early]);
        served.await.expect("it ends well");
        named.await.expect("it ends well");
        drop(child);
    }
    for handle in handles {
        handle.stop();
        handle.await.expect("it ends well");
    }
}

#[graceful::test]
async fn a_million_workers_leave_nothing_behind() {
    for _ in 0..WARM_UP {
        round().await;
    }
    let before = resident();
    let began = std::time::Instant::now();
    for _ in 0..ROUNDS {
        round().await;
    }
    let grown = resident().saturating_sub(before);
    eprintln!("{grown} bytes more, {:?}", began.elapsed());
    assert!(grown < LIMIT, "{grown} bytes more");
    let started: u64 = graceful::status().workers.iter().map(|row| row.started).sum();
    assert_eq!(started, (BATCH * (WARM_UP + ROUNDS)) as u64);
    assert!(!graceful::is_stopping());
    let _ = tokio::time::timeout(Duration::from_secs(1), graceful::idle()).await;
    let live: u64 = graceful::status().workers.iter().map(|row| row.live).sum();
    assert_eq!(live, 0);
}
