//! A worker that finishes its round before the process ends.

use tokio::time::{Duration, sleep};

#[graceful::worker]
async fn rounds() {
    while !graceful::is_stopping() {
        println!("a round begins; press Ctrl-C");
        sleep(Duration::from_secs(2)).await;
        println!("a round is done");
    }
}

#[graceful::main]
async fn main() {
    rounds().spawn();
    graceful::stopping().await;
}
