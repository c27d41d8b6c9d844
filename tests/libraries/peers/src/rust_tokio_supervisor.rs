use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use rust_supervisor::error::types::{SupervisorError, TaskFailure, TaskFailureKind};
use rust_supervisor::id::types::ChildId;
use rust_supervisor::runtime::supervisor::Supervisor;
use rust_supervisor::spec::child::{ChildSpec, Criticality, RestartPolicy, TaskKind};
use rust_supervisor::spec::shutdown::{ShutdownBudget, TreeShutdownPolicy};
use rust_supervisor::spec::supervisor::SupervisorSpec;
use rust_supervisor::task::factory::{TaskResult, service_fn};
use tokio::signal::ctrl_c;

use crate::case::Case;

#[tokio::main]
pub async fn run(case: Case) -> ExitCode {
    supervise(case).await.report()
}

async fn supervise(case: Case) -> Result<(), SupervisorError> {
    let work = service_fn(move |context: rust_supervisor::task::context::TaskContext| async move {
        context.mark_ready();
        match case.work().await {
            Ok(()) => TaskResult::Succeeded,
            Err(error) => TaskResult::Failed(TaskFailure::new(TaskFailureKind::Error, "work", error.to_string())),
        }
    });
    let mut child = ChildSpec::worker(ChildId::new("work"), "work", TaskKind::AsyncWorker, Arc::new(work))?;
    child.restart_policy = RestartPolicy::Temporary;
    child.criticality = Criticality::Critical;
    let abort = Duration::from_millis(250);
    let budget = ShutdownBudget::new(case.budget() - abort, abort);
    child.shutdown_budget = budget;
    let mut spec = SupervisorSpec::root(vec![child]);
    spec.tree_shutdown = TreeShutdownPolicy::new(budget, true, abort, 3);
    spec.propagate_tree_shutdown_budget();
    let supervisor = Supervisor::start(spec).await?;
    tokio::select! {
        ended = supervisor.join() => drop(ended?),
        _ = ctrl_c() => drop(supervisor.shutdown_tree("operator", "SIGINT").await?),
    }
    Ok(())
}
