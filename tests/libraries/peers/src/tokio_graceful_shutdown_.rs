use std::error::Error;
use std::process::{ExitCode, Termination};

use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

use crate::case::Case;

#[tokio::main]
pub async fn run(case: Case) -> ExitCode {
    let work = async move |_: &mut SubsystemHandle| case.work().await;
    let root = async move |tree: &mut SubsystemHandle| {
        tree.start(SubsystemBuilder::new("work", work));
    };
    let tree = Toplevel::<Box<dyn Error + Send + Sync>>::new(root).catch_signals();
    tree.handle_shutdown_requests(case.budget()).await.report()
}
