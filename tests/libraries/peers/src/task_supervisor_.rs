use std::process::{ExitCode, Termination};
use std::time::Duration;

use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, TaskResult};
use tokio::signal::ctrl_c;

use crate::case::Case;

#[derive(Clone)]
struct Work(Case);

impl SupervisedTask for Work {
    async fn run(self, _: CancellationToken) -> TaskResult {
        Ok(self.0.work().await?)
    }
}

#[tokio::main]
pub async fn run(case: Case) -> ExitCode {
    let supervisor = SupervisorBuilder::new()
        .with_task("work", Work(case))
        .with_stop_timeout(case.budget())
        .with_restart_limit(0, Duration::from_secs(60))
        .with_dead_tasks_threshold(0.5);
    let handle = supervisor.spawn();
    let ended = tokio::select! {
        ended = handle.wait() => ended,
        _ = ctrl_c() => handle.shutdown().await,
    };
    ended.report()
}
