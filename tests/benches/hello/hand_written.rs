use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() {
    let tracker = TaskTracker::new();
    let token = CancellationToken::new();
    tracker.spawn(works(token.clone()));
    let mut sigterm = signal(SignalKind::terminate()).expect("tokio listens");
    println!("hello");
    sigterm.recv().await;
    token.cancel();
    tracker.close();
    if timeout(Duration::from_secs(25), tracker.wait())
        .await
        .is_err()
    {
        eprintln!("not stopped in time");
    }
}

async fn works(token: CancellationToken) {
    token.cancelled().await;
    println!("stopped");
}
