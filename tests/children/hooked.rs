//! What is run at a stop: `hooked <case> <flavour>`.

use std::env::args;
use std::future::pending;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

fn main() -> ExitCode {
    match args().nth(2).as_deref() {
        Some("current_thread") => on_one_thread(),
        _ => on_one_worker_thread(),
    }
}

#[graceful::main(stop_timeout = "600ms", worker_threads = 1)]
async fn on_one_worker_thread() {
    run().await;
}

#[graceful::main(stop_timeout = "600ms", flavor = "current_thread")]
async fn on_one_thread() {
    run().await;
}

async fn run() {
    for name in ["pool", "cache"] {
        graceful::before_stop(name, move || said("before_stop", name));
        graceful::on_stop(name, move || said("on_stop", name));
        graceful::after_stop(name, move || said("after_stop", name));
    }
    graceful::spawn("idle", graceful::stopping());
    match args().nth(1).expect("a case").as_str() {
        "clean" => {}
        "before_fails" => graceful::before_stop("registry", || async { Err::<(), _>("gone") }),
        "before_hangs" => graceful::before_stop("registry", pending::<()>),
        "on_fails" => graceful::on_stop("metrics", || async {
            println!("tried");
            Err::<(), _>("no such host")
        }),
        "on_hangs" => graceful::on_stop("metrics", pending::<()>),
        "on_panics" => graceful::on_stop("metrics", || async { panic!("no such host") }),
        "after_fails" => graceful::after_stop("registry", || async { Err::<(), _>("gone") }),
        "after_hangs" => graceful::after_stop("registry", pending::<()>),
        "after_blocks" => graceful::after_stop("registry", || async {
            thread::sleep(Duration::from_secs(60));
        }),
        "after_waits" => {
            let wait = waits_for_a_task();
            graceful::after_stop("exporter", || async move { wait() });
        }
        "after_waits_on_the_pool" => graceful::after_stop_blocking("exporter", waits_for_a_task()),
        "after_fails_on_the_pool" => graceful::after_stop_blocking("registry", || Err::<(), _>("gone")),
        "after_panics_on_the_pool" => graceful::after_stop_blocking("registry", panics),
        "after_hangs_on_the_pool" => graceful::after_stop_blocking("registry", || {
            println!("has its share: {}", graceful::remaining().is_some_and(|left| left < Duration::from_millis(300)));
            thread::sleep(Duration::from_secs(60));
        }),
        "too_late" => graceful::keep(TooLate),
        "blocked" => drop(graceful::spawn("spin", async {
            println!("blocking");
            thread::sleep(Duration::from_secs(60));
        })),
        other => panic!("no case {other}"),
    }
    println!("up");
    graceful::stopping().await;
    println!("main told");
}

fn panics() {
    panic!("gone");
}

/// A call that blocks until a task of the runtime has answered, as that of an exporter does.
fn waits_for_a_task() -> impl FnOnce() + Send + 'static {
    let (ask, asked) = oneshot::channel();
    let (answer, answered) = mpsc::channel();
    tokio::spawn(async move {
        if asked.await.is_ok() {
            let _ = answer.send(());
        }
    });
    move || {
        let _ = ask.send(());
        let is_answered = answered.recv_timeout(Duration::from_secs(60)).is_ok();
        println!("answered: {is_answered}");
    }
}

#[allow(clippy::unused_async)] // a hook is
async fn said(stage: &str, name: &str) {
    println!("{stage} {name}: {}", graceful::state());
}

/// Registers a hook when nobody looks for one any more.
struct TooLate;

impl Drop for TooLate {
    fn drop(&mut self) {
        graceful::after_stop("straggler", || async { println!("the straggler ran") });
    }
}
