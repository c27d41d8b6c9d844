use std::process::ExitCode;

use crate::case::Case;

/// As `#[graceful::main(stop_timeout = "…")]`, with a budget that depends on the case.
pub fn run(case: Case) -> ExitCode {
    graceful::Builder::new().stop_timeout(case.budget()).block_on(async move {
        graceful::spawn("work", case.work());
        graceful::stopping().await;
    })
}
