use std::process::{ExitCode, exit};

use async_shutdown::ShutdownManager;
use tokio::signal::ctrl_c;

use crate::case::Case;

/// It has no limit, so there is none.
#[tokio::main]
pub async fn run(case: Case) -> ExitCode {
    let shutdown = ShutdownManager::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            ctrl_c().await.expect("a handler");
            shutdown.trigger_shutdown(0).ok();
        }
    });
    let work = shutdown.wrap_trigger_shutdown(1, case.work());
    tokio::spawn(shutdown.wrap_delay_shutdown(work).expect("it is not complete"));
    exit(shutdown.wait_shutdown_complete().await)
}
