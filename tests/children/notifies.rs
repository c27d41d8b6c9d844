//! A service of systemd's: `notifies <flavour> <mode>`.
//!
//! `serves` is ready when a line comes on standard input, `ends` is ready and ends, `blocks` keeps the only thread that
//! runs tasks for a while, `crunches` has a worker that does so, `hangs` keeps it forever when it is to stop,
//! `lingers` has a worker that is slow to stop, `reloads` takes a line on standard input for each reload to be done.
//! The flavour `slow` is one that has systemd wait for its start.

use std::env::args;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("current_thread") => current_thread::main(),
        Some("slow") => slow::main(),
        _ => multi_thread::main(),
    }
}

mod current_thread {
    #[graceful::main(stop_timeout = "3s", flavor = "current_thread")]
    pub(crate) async fn main() {
        super::serve().await;
    }
}

mod multi_thread {
    #[graceful::main(stop_timeout = "3s", worker_threads = 1)]
    pub(crate) async fn main() {
        super::serve().await;
    }
}

mod slow {
    #[graceful::main(stop_timeout = "3s", worker_threads = 1, extend_start = "5m")]
    pub(crate) async fn main() {
        super::serve().await;
    }
}

async fn serve() {
    println!("main entered");
    let mode = args().nth(2).expect("a mode");
    if mode == "serves" {
        let line = BufReader::new(stdin()).lines().next_line().await;
        line.expect("standard input can be read");
    }
    let reloads = (mode == "reloads").then(graceful::reloads);
    graceful::ready();
    if mode == "ends" {
        return;
    }
    println!("ready");
    if mode == "blocks" {
        block(Duration::from_millis(1500)).await;
    }
    if mode == "crunches" {
        crunch().spawn();
    }
    if mode == "lingers" {
        linger().spawn();
    }
    if let Some(reloads) = reloads {
        reload(reloads).await;
    }
    graceful::stopping().await;
    if mode == "hangs" {
        block(Duration::from_secs(3600)).await;
    }
}

#[graceful::worker]
async fn crunch() {
    println!("blocked");
    sleep(Duration::from_millis(1500));
    println!("free");
}

#[graceful::worker]
async fn linger() {
    graceful::stopping().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

/// Each takes until a line comes.
async fn reload(mut reloads: graceful::Reloads) {
    let mut lines = BufReader::new(stdin()).lines();
    while reloads.recv().await.is_some() {
        println!("reloading");
        let line = lines.next_line().await.expect("standard input can be read");
        if line.as_deref() == Some("stop listening") {
            return;
        }
    }
}

/// On a current-thread runtime main has that thread anyway, on the other one a task does.
async fn block(time: Duration) {
    let block = async move {
        println!("blocked");
        sleep(time);
        println!("free");
    };
    tokio::spawn(block).await.expect("it does not panic");
}
