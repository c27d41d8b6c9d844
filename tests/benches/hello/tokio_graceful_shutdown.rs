use std::error::Error;
use std::time::Duration;

use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

type Ended = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Ended {
    let tree = Toplevel::new(async |tree: &mut SubsystemHandle| {
        tree.start(SubsystemBuilder::new("works", works));
        println!("hello");
    });
    let stopped = tree.catch_signals();
    stopped
        .handle_shutdown_requests(Duration::from_secs(25))
        .await?;
    Ok(())
}

async fn works(tree: &mut SubsystemHandle) -> Ended {
    tree.on_shutdown_requested().await;
    println!("stopped");
    Ok(())
}
