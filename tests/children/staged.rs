//! Workers of all stages: `staged <case> <flavour>`. Some do what they are told on standard input.

use std::env::args;
use std::future::pending;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::sleep;

fn main() -> ExitCode {
    match args().nth(2).as_deref() {
        Some("current_thread") => on_one_thread(),
        _ => on_one_worker_thread(),
    }
}

#[graceful::main(stop_timeout = "3s", drain = "300ms", worker_threads = 1)]
async fn on_one_worker_thread() {
    run().await;
}

#[graceful::main(stop_timeout = "3s", drain = "300ms", flavor = "current_thread")]
async fn on_one_thread() {
    run().await;
}

async fn run() {
    match args().nth(1).expect("a case").as_str() {
        "ticks" => drop(tick().spawn()),
        "stages" => {
            observe().spawn();
            write().spawn();
            take_in().spawn();
            handle().spawn();
        }
        "overruns" => {
            write().spawn();
            upload().spawn();
            handle().spawn();
        }
        other => panic!("no case {other}"),
    }
    graceful::ready();
    println!("up");
    graceful::stopping().await;
    println!("main told");
}

/// Runs as soon as it can, if nothing kept it: a run in hand ends when it is told to.
#[graceful::worker(every = "20ms")]
async fn tick() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    println!("run {} begun", RUNS.fetch_add(1, Ordering::SeqCst) + 1);
    let mut line = String::new();
    let read = BufReader::new(stdin()).read_line(&mut line).await;
    println!("run done: {}", read.is_ok());
}

#[graceful::worker(stop = "early")]
async fn take_in() {
    graceful::stopping().await;
    println!("early told");
    println!("early done");
}

#[graceful::worker]
async fn handle() {
    graceful::stopping().await;
    println!("worker told");
    sleep(Duration::from_millis(50)).await;
    println!("worker done");
}

#[graceful::worker(stop = "late")]
async fn write() {
    graceful::stopping().await;
    println!("late told");
    sleep(Duration::from_millis(50)).await;
    println!("late done");
}

#[graceful::worker(stop = "last")]
async fn observe() {
    graceful::stopping().await;
    println!("last told");
    println!("last done");
}

#[graceful::worker(stop_timeout = "200ms")]
async fn upload() {
    let _part = Part;
    pending::<()>().await;
}

struct Part;

impl Drop for Part {
    fn drop(&mut self) {
        println!("dropped: the part");
    }
}
