//! A service that can be asked how it is: `dumps <case> <flavour>`, `dumps <case> quit` or `dumps <case> abort`.

use std::env::args;
use std::hint;
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    match args().nth(2).as_deref() {
        Some("current_thread") => on_one_thread(),
        Some("quit") => asked_by_quit(),
        Some("abort") => asked_at_its_death(),
        _ => on_one_worker_thread(),
    }
}

#[graceful::main(stop_timeout = "400ms", dump = "SIGUSR1", name = "orders", worker_threads = 1)]
async fn on_one_worker_thread() {
    run().await;
}

#[graceful::main(stop_timeout = "400ms", dump = "SIGUSR1", name = "orders", flavor = "current_thread")]
async fn on_one_thread() {
    run().await;
}

/// The habit of the JVM and of Go.
#[graceful::main(stop_timeout = "400ms", dump = "SIGQUIT", name = "orders", flavor = "current_thread")]
async fn asked_by_quit() {
    run().await;
}

/// The habit of systemd, whose watchdog sends it.
#[graceful::main(stop_timeout = "400ms", dump = ["SIGUSR1", "SIGABRT"], name = "orders", worker_threads = 1)]
async fn asked_at_its_death() {
    run().await;
}

async fn run() {
    graceful::after_stop("pool", || async {});
    let hold = graceful::hold("upload");
    for _ in 0..3 {
        wait().spawn();
    }
    graceful::spawn("done", async {}).await.expect("it ends well");
    graceful::ready();
    println!("up");
    match args().nth(1).expect("a case").as_str() {
        "waits" => {}
        "spins" => drop(spin().spawn()),
        "aborts" => process::abort(),
        "all_spin" => {
            spin().spawn();
            // On one thread the worker has its turn.
            tokio::task::yield_now().await;
            halt_spinning();
        }
        other => panic!("no case {other}"),
    }
    graceful::stopping().await;
    drop(hold);
}

#[graceful::worker]
async fn wait() {
    println!("waiting");
    graceful::stopping().await;
}

#[graceful::worker]
async fn spin() {
    println!("spinning");
    halt_spinning();
}

/// Forever, as far as a test can tell.
fn halt_spinning() {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        hint::spin_loop();
    }
}
