//! What the service does.

use std::time::Duration;

use tokio::time::sleep;

use crate::service;

/// Finishes the round in hand when the service is stopped.
#[graceful::worker]
async fn rounds() {
    while !graceful::is_stopping() {
        sleep(Duration::from_secs(2)).await;
        eprintln!("a round is done");
    }
}

/// A stop may take as long as the budget: the service control manager is told, and waits. When the system shuts down it
/// waits for less, see `service`.
#[graceful::main(name = "windows_service", stop_timeout = "20s")]
pub(crate) async fn main() {
    service::tell().spawn();
    rounds().spawn();
    // From here on it counts as running, and can be stopped.
    graceful::ready();
    graceful::stopping().await;
}
