//! `elegant-departure`: a guard in each task, out of one registry for the process.

use elegant_departure::get_shutdown_guard;
use graceful_benches::{are_parked, in_batches, n, park, resident, say, task, unknown};
use tokio::task::yield_now;

fn main() {
    match &*task() {
        "spawn" => spawn(),
        "park" => park_and_stop(),
        "bytes" => bytes(),
        task => unknown(task),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn spawn() {
    let nothing = || tokio::spawn(async { drop(get_shutdown_guard()) });
    in_batches(n(), nothing).await;
}

#[tokio::main(flavor = "current_thread")]
async fn park_and_stop() {
    parked(n()).await;
    elegant_departure::shutdown().await;
}

async fn parked(n: usize) {
    for _ in 0..n {
        tokio::spawn(async {
            let guard = get_shutdown_guard();
            park();
            guard.wait().await;
        });
    }
    while !are_parked(n) {
        yield_now().await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn bytes() {
    let before = resident();
    parked(n()).await;
    say(&(resident() - before).to_string());
}
