//! Programs that ask, and programs that leave something to be said: `answers <case>`. Prints `up` when it can be stopped.

use std::env::args;
use std::future::pending;
use std::io::BufRead;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Forever, as far as a test can tell.
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match case().as_str() {
        "generations" => generations(),
        "grep" => grep(),
        "grep_on" => grep_on(),
        "matches" => matches(),
        "by_default" | "never_ready" => by_default(),
        _ => run(),
    }
}

fn case() -> String {
    args().nth(1).expect("a case")
}

/// One lifecycle after another, each of which stops itself to be followed by the next.
fn generations() -> ExitCode {
    for number in 1..=3 {
        println!("asked before {number}: {:?}", graceful::stop_signals());
        let code = generation(number);
        assert_eq!(code, ExitCode::SUCCESS);
        if !graceful::stop_signals().is_empty() {
            println!("asked to end: {:?}", graceful::stop_signals());
            return ExitCode::SUCCESS;
        }
    }
    println!("three generations");
    ExitCode::SUCCESS
}

#[graceful::main]
async fn generation(number: u32) {
    graceful::stop();
    println!("generation {number}");
    if number == 2 && args().nth(2).is_some() {
        // A signal comes while it stops.
        tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().next()).await.expect("it reads");
    }
}

/// As grep ends that has found nothing.
#[graceful::main]
async fn grep() -> ExitCode {
    graceful::spawn("read", async {}).await.expect("it reads");
    ExitCode::from(1)
}

#[graceful::main]
async fn grep_on() -> ExitCode {
    println!("up");
    graceful::stopping().await;
    ExitCode::from(3)
}

#[derive(Debug)]
enum Unusable {
    Config,
}

#[graceful::worker]
async fn load() -> Result<(), Unusable> {
    Err(Unusable::Config)
}

/// Main means to choose the code, and the worker's policy is to stop the process with 1.
#[graceful::main]
async fn matches() -> ExitCode {
    let loaded = match args().nth(2).as_deref() {
        Some("log") => load().on_failure(graceful::OnFailure::Log).spawn().await,
        _ => load().spawn().await,
    };
    match loaded {
        Err(graceful::WorkerError::Failed(Unusable::Config)) => ExitCode::from(42),
        other => panic!("{other:?}"),
    }
}

#[graceful::main]
async fn by_default() -> ExitCode {
    if case() == "by_default" {
        graceful::ready();
    }
    up().await
}

#[graceful::main(stop_timeout = "600ms", worker_threads = 2)]
async fn run() -> ExitCode {
    match case().as_str() {
        "starting" => {
            println!("up");
            // A connection that is tried again and again.
            loop {
                sleep(Duration::from_millis(20)).await;
            }
        }
        "serving" => {
            graceful::ready();
            println!("up");
            pending().await
        }
        "told_by_a_worker" => {
            let server = Arc::new(Notify::new());
            let handle = Arc::clone(&server);
            graceful::spawn("shut down", async move {
                graceful::stopping().await;
                handle.notify_one();
            });
            println!("up");
            server.notified().await;
            // A request that takes too long.
            println!("the server stops");
            pending().await
        }
        "beside_a_worker" => {
            graceful::ready();
            graceful::spawn("consume", async { graceful::stopping().await });
            println!("up");
            pending().await
        }
        "fails_for_ever" => {
            never_well().spawn();
            up().await
        }
        "fails_too_often" => {
            never_well().max_restarts(3, Duration::from_secs(60)).spawn();
            up().await
        }
        "leaves_in_time" => {
            graceful::keep(Says("kept"));
            graceful::after_stop("close", || async { println!("closed") });
            restores();
            up().await
        }
        "leaves_late" => {
            restores();
            graceful::spawn_blocking("stuck", || thread::sleep(LONG));
            up().await
        }
        "exits" => {
            restores();
            println!("up");
            graceful::stopping().await;
            exit(5);
        }
        "exits_badly" => {
            restores();
            graceful::at_exit("panics", || panic!("no terminal"));
            println!("up");
            graceful::stopping().await;
            exit(5);
        }
        "blocks_at_exit" => {
            restores();
            graceful::at_exit("blocks", || thread::sleep(LONG));
            up().await
        }
        "blocks_at_exit_late" => {
            restores();
            graceful::at_exit("blocks", || thread::sleep(LONG));
            graceful::spawn_blocking("stuck", || thread::sleep(LONG));
            up().await
        }
        "panics_at_exit" => {
            restores();
            graceful::at_exit("panics", || panic!("no terminal"));
            up().await
        }
        "replaces_at_exit" => {
            graceful::at_exit("terminal", || println!("the first one"));
            restores();
            graceful::keep(TooLate);
            up().await
        }
        other => panic!("no case {other}"),
    }
}

#[graceful::worker(on_failure = "restart", backoff = "1ms..1ms")]
async fn never_well() -> Result<(), &'static str> {
    Err("no route to host")
}

fn restores() {
    graceful::at_exit("socket", || println!("socket removed"));
    graceful::at_exit("terminal", || println!("terminal restored"));
}

async fn up() -> ExitCode {
    println!("up");
    graceful::stopping().await;
    ExitCode::SUCCESS
}

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

/// Registers its last resort while everything ends.
struct TooLate;

impl Drop for TooLate {
    fn drop(&mut self) {
        graceful::at_exit("late", || println!("late, and run"));
    }
}
