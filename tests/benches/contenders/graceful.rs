//! This crate.

use std::future::pending;
use std::hint::black_box;
use std::process::ExitCode;

use graceful::Builder;
use graceful::tower::GracefulLayer;
use graceful_benches::web;
use graceful_benches::{
    among, block, few_at_a_time, in_batches, n, now, park, producers, resident, say, say_since, say_when, task,
    together, unknown, until_parked,
};
use tokio::task::yield_now;
use tower_layer::Layer;

fn main() -> ExitCode {
    match &*task() {
        "spawn" => spawn(),
        "spawn-attribute" => spawn_attribute(),
        "spawn-by-main" => spawn_by_main(),
        "spawn-by-worker" => spawn_by_worker(),
        "spawn-by-worker-yielding" => spawn_by_worker_yielding(),
        "spawn-together" => spawn_together(),
        "spawn-among" => spawn_among(),
        "spawn-children-together" => spawn_children_together(),
        "park" => park_and_stop(),
        "requests" => requests(),
        "flag" => flag(),
        "no-flag" => no_flag(),
        "bytes" => bytes(),
        "bytes-token" => bytes_token(),
        "bytes-children" => bytes_children(),
        "stop-children" => stop_children(),
        "first-line" => starts(),
        "parked" => parked_until_sigterm(),
        "woken" => woken(),
        "woken-current-thread" => woken_current_thread(),
        "ignoring" => ignoring(),
        "blocking" => blocking(),
        "endless" => endless(),
        task => unknown(task),
    }
}

#[graceful::main(flavor = "current_thread")]
async fn requests() {
    web::ask(GracefulLayer::new().layer(web::Hello), n()).await;
}

#[graceful::worker]
async fn nothing() {}

#[graceful::worker]
async fn waits() {
    park();
    graceful::stopping().await;
}

#[graceful::worker]
async fn waits_for_its_token() {
    let token = graceful::token();
    park();
    token.cancelled().await;
}

#[graceful::main(flavor = "current_thread")]
async fn spawn() {
    in_batches(n(), || graceful::spawn("nothing", async {})).await;
}

#[graceful::main(flavor = "current_thread")]
async fn spawn_attribute() {
    in_batches(n(), || nothing().spawn()).await;
}

#[graceful::main(worker_threads = 2)]
async fn spawn_by_main() {
    in_batches(n(), || nothing().spawn()).await;
}

#[graceful::worker]
async fn yields() {
    yield_now().await;
}

#[graceful::worker]
async fn spawns_nothings() {
    in_batches(n(), || nothing().spawn()).await;
}

#[graceful::worker]
async fn spawns_yielding() {
    in_batches(n(), || yields().spawn()).await;
}

#[graceful::main(worker_threads = 2)]
async fn spawn_by_worker() {
    spawns_nothings().spawn().await.expect("it ends well");
}

#[graceful::main(worker_threads = 2)]
async fn spawn_by_worker_yielding() {
    spawns_yielding().spawn().await.expect("it ends well");
}

#[graceful::main(worker_threads = 2)]
async fn spawn_together() {
    together(|| tokio::spawn(in_batches(n(), || nothing().spawn()))).await;
}

fn spawn_among() -> ExitCode {
    Builder::new().worker_threads(producers()).block_on(async {
        among(|| tokio::spawn(few_at_a_time(n(), || nothing().spawn()))).await;
    })
}

#[graceful::main(worker_threads = 2)]
async fn spawn_children_together() {
    together(|| spawns_nothings().spawn()).await;
}

/// The stop waits for all workers after main's end.
#[graceful::main(flavor = "current_thread")]
async fn park_and_stop() {
    parked().await;
    graceful::stop();
}

async fn parked() {
    for _ in 0..n() {
        waits().spawn();
    }
    until_parked(n()).await;
}

/// It ends when its children have ended.
#[graceful::worker]
async fn has_children() {
    parked().await;
}

#[graceful::worker]
async fn asks() {
    for _ in 0..n() {
        black_box(graceful::is_stopping());
    }
}

#[graceful::worker]
async fn asks_nothing() {
    for _ in 0..n() {
        black_box(false);
    }
}

#[graceful::main(flavor = "current_thread")]
async fn flag() {
    asks().spawn().await.expect("it ends well");
}

#[graceful::main(flavor = "current_thread")]
async fn no_flag() {
    asks_nothing().spawn().await.expect("it ends well");
}

#[graceful::main(flavor = "current_thread")]
async fn bytes() {
    let before = resident();
    parked().await;
    say(&(resident() - before).to_string());
}

#[graceful::main(flavor = "current_thread")]
async fn bytes_token() {
    let before = resident();
    for _ in 0..n() {
        waits_for_its_token().spawn();
    }
    until_parked(n()).await;
    say(&(resident() - before).to_string());
}

#[graceful::main(flavor = "current_thread")]
async fn bytes_children() {
    let before = resident();
    has_children().spawn();
    until_parked(n()).await;
    say(&(resident() - before).to_string());
}

#[graceful::main(worker_threads = 2)]
async fn stop_children() {
    let parent = has_children().spawn();
    until_parked(n()).await;
    let before = now();
    parent.stop();
    parent.await.expect("it ends well");
    say_since(before);
}

#[graceful::main]
async fn starts() {
    say_when();
}

#[graceful::main]
async fn parked_until_sigterm() {
    parked().await;
    say("ready");
    graceful::stopping().await;
}

#[graceful::worker]
async fn wakes() {
    park();
    graceful::stopping().await;
    say_when();
}

#[graceful::main(worker_threads = 2)]
async fn woken() {
    wakes().spawn();
    until_told().await;
}

#[graceful::main(flavor = "current_thread")]
async fn woken_current_thread() {
    wakes().spawn();
    until_told().await;
}

#[graceful::worker(name = "held up")]
async fn ignores() {
    park();
    pending::<()>().await;
}

#[graceful::worker(name = "held up")]
async fn blocks() {
    block();
}

#[graceful::worker(blocking, name = "held up")]
fn blocks_apart() {
    block();
}

#[graceful::main(stop_timeout = "1s")]
async fn ignoring() {
    ignores().spawn();
    until_told().await;
}

#[graceful::main(stop_timeout = "1s", worker_threads = 1)]
async fn blocking() {
    blocks().spawn();
    until_told().await;
}

#[graceful::main(stop_timeout = "1s")]
async fn endless() {
    blocks_apart().spawn();
    until_told().await;
}

async fn until_told() {
    until_parked(1).await;
    say("ready");
    graceful::stopping().await;
}
