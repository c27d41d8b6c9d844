//! `tokio-graceful-shutdown`: a tree of subsystems.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use graceful_benches::{are_parked, in_batches, n, park, resident, say, task, unknown};
use tokio::task::yield_now;
use tokio_graceful_shutdown::{AsyncSubsysFn, SubsystemBuilder, SubsystemHandle, Toplevel};

type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(600);

fn main() {
    match &*task() {
        "spawn" => run(spawn),
        "park" => run(park_and_stop),
        "flag" => run(flag),
        "no-flag" => run(no_flag),
        "bytes" => run(bytes),
        task => unknown(task),
    }
}

/// The tree with this root, to its end.
#[tokio::main(flavor = "current_thread")]
async fn run(root: impl for<'a> AsyncSubsysFn<&'a mut SubsystemHandle, ()> + 'static) {
    let tree = Toplevel::new(root);
    let ended = tree.handle_shutdown_requests(PATIENCE).await;
    ended.expect("all subsystems end well");
}

async fn spawn(tree: &mut SubsystemHandle) {
    let nothing = || {
        let nothing = tree.start(SubsystemBuilder::new("nothing", nothing));
        async move { nothing.join().await }
    };
    in_batches(n(), nothing).await;
}

async fn nothing(_: &mut SubsystemHandle) -> Ended {
    Ok(())
}

async fn park_and_stop(tree: &mut SubsystemHandle) {
    parked(tree, n()).await;
    tree.request_shutdown();
}

async fn parked(tree: &SubsystemHandle, n: usize) {
    for _ in 0..n {
        tree.start(SubsystemBuilder::new("waits", waits));
    }
    while !are_parked(n) {
        yield_now().await;
    }
}

async fn waits(tree: &mut SubsystemHandle) -> Ended {
    park();
    tree.on_shutdown_requested().await;
    Ok(())
}

async fn flag(tree: &mut SubsystemHandle) {
    for _ in 0..n() {
        black_box(tree.is_shutdown_requested());
    }
}

async fn no_flag(_: &mut SubsystemHandle) {
    for _ in 0..n() {
        black_box(false);
    }
}

async fn bytes(tree: &mut SubsystemHandle) {
    let before = resident();
    parked(tree, n()).await;
    say(&(resident() - before).to_string());
    tree.request_shutdown();
}
