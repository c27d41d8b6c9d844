//! A service of systemd's: `notifies <flavour> serves | ends | blocks | hangs`.
//!
//! `serves` is ready when a line comes on standard input, `ends` is ready and ends, `blocks` keeps the only thread that
//! runs tasks for a while, `hangs` keeps it for ever when it is to stop.

use std::env::args;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("current_thread") => current_thread::main(),
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

async fn serve() {
    println!("main entered");
    let mode = args().nth(2).expect("a mode");
    if mode == "serves" {
        let line = BufReader::new(stdin()).lines().next_line().await;
        line.expect("standard input can be read");
    }
    graceful::ready();
    if mode == "ends" {
        return;
    }
    println!("ready");
    if mode == "blocks" {
        block(Duration::from_millis(1500)).await;
    }
    graceful::stopping().await;
    if mode == "hangs" {
        block(Duration::from_secs(3600)).await;
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
