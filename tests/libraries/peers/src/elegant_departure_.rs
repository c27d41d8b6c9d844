use std::process::ExitCode;

use crate::case::Case;

/// It has nothing that sees how a task ended, and no limit.
#[tokio::main]
pub async fn run(case: Case) -> ExitCode {
    tokio::spawn(async move {
        let _guard = elegant_departure::get_shutdown_guard();
        case.work().await
    });
    elegant_departure::tokio::depart().on_termination().await;
    ExitCode::SUCCESS
}
