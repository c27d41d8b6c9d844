//! `tokio-graceful-shutdown`: a tree of subsystems.

use std::error::Error;
use std::future::pending;
use std::hint::black_box;
use std::time::Duration;

use graceful_benches::{
    DEADLINE, block, in_batches, n, park, resident, say, say_when, start_up, task, unknown, until_parked,
};
use tokio::task::spawn_blocking;
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
        "first-line" => starts(),
        "idle" => idle(),
        "parked" => parked_until_sigterm(),
        "ignoring" => ignoring(),
        "blocking" => blocking(),
        "endless" => endless(),
        task => unknown(task),
    }
}

/// Runs the tree with this root to its end.
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
    parked(tree).await;
    tree.request_shutdown();
}

async fn parked(tree: &mut SubsystemHandle) {
    for _ in 0..n() {
        tree.start(SubsystemBuilder::new("waits", waits));
    }
    until_parked(n()).await;
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
    parked(tree).await;
    say(&(resident() - before).to_string());
    tree.request_shutdown();
}

#[tokio::main]
async fn starts() {
    say_when();
}

#[tokio::main]
async fn idle() {
    start_up();
    until_sigterm(async |tree: &mut SubsystemHandle| tree.on_shutdown_requested().await, 0).await;
}

#[tokio::main]
async fn parked_until_sigterm() {
    until_sigterm(parked, n()).await;
}

#[tokio::main]
async fn ignoring() {
    let root = async |tree: &mut SubsystemHandle| {
        tree.start(SubsystemBuilder::new("held up", ignores));
    };
    until_sigterm(root, 1).await;
}

async fn ignores(_: &mut SubsystemHandle) -> Ended {
    park();
    pending().await
}

#[tokio::main(worker_threads = 1)]
async fn blocking() {
    let root = async |tree: &mut SubsystemHandle| {
        tree.start(SubsystemBuilder::new("held up", blocks));
    };
    until_sigterm(root, 1).await;
}

async fn blocks(_: &mut SubsystemHandle) -> Ended {
    block();
    Ok(())
}

#[tokio::main]
async fn endless() {
    let root = async |tree: &mut SubsystemHandle| {
        tree.start(SubsystemBuilder::new("held up", blocks_apart));
    };
    until_sigterm(root, 1).await;
}

async fn blocks_apart(_: &mut SubsystemHandle) -> Ended {
    spawn_blocking(block).await?;
    Ok(())
}

/// Runs the tree with this root, from when so many workers wait.
async fn until_sigterm(root: impl for<'a> AsyncSubsysFn<&'a mut SubsystemHandle, ()> + 'static, workers: usize) {
    let tree = Toplevel::<Box<dyn Error + Send + Sync>>::new(root).catch_signals();
    until_parked(workers).await;
    say("ready");
    let deadline = if workers == 1 { DEADLINE } else { PATIENCE };
    if tree.handle_shutdown_requests(deadline).await.is_err() {
        eprintln!("not stopped in time");
    }
}
