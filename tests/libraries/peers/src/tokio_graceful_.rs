use std::process::{ExitCode, Termination};

use tokio_graceful::Shutdown;

use crate::case::Case;

/// It has nothing that sees how a task ended.
#[tokio::main]
pub async fn run(case: Case) -> ExitCode {
    let shutdown = Shutdown::default();
    shutdown.spawn_task(case.work());
    shutdown.shutdown_with_limit(case.budget()).await.map(drop).report()
}
