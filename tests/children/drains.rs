//! A service that drains: `drains <case> <flavour> [ready]`.
//!
//! It does what it is told on standard input, as long as it is served.

use std::env::args;
use std::future::pending;
use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};

fn main() -> ExitCode {
    let (case, flavour) = (args().nth(1), args().nth(2));
    let is_current_thread = flavour.as_deref() == Some("current_thread");
    match (case.as_deref().expect("a case"), is_current_thread) {
        ("unset", false) => unset::main(),
        ("unset", true) => unset::on_one_thread(),
        ("short", false) => short::main(),
        ("short", true) => short::on_one_thread(),
        ("long", false) => long::main(),
        ("long", true) => long::on_one_thread(),
        (other, _) => panic!("no case {other}"),
    }
}

/// As the environment has it.
mod unset {
    #[graceful::main(stop_timeout = "2s", worker_threads = 1)]
    pub(crate) async fn main() {
        super::serve().await;
    }

    #[graceful::main(stop_timeout = "2s", flavor = "current_thread")]
    pub(crate) async fn on_one_thread() {
        super::serve().await;
    }
}

mod short {
    #[graceful::main(stop_timeout = "3s", drain = "400ms", worker_threads = 1)]
    pub(crate) async fn main() {
        super::serve().await;
    }

    #[graceful::main(stop_timeout = "3s", drain = "400ms", flavor = "current_thread")]
    pub(crate) async fn on_one_thread() {
        super::serve().await;
    }
}

/// Longer than a test takes.
mod long {
    #[graceful::main(stop_timeout = "20s", drain = "9s", worker_threads = 1)]
    pub(crate) async fn main() {
        super::serve().await;
    }

    #[graceful::main(stop_timeout = "20s", drain = "9s", flavor = "current_thread")]
    pub(crate) async fn on_one_thread() {
        super::serve().await;
    }
}

async fn serve() {
    pull().spawn();
    handle().spawn();
    if args().nth(3).as_deref() == Some("ready") {
        graceful::ready();
    }
    println!("up: {}", graceful::state());
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = graceful::run_until_stopping(lines.next_line()).await {
        match line.ok().flatten().as_deref() {
            Some("serve") => println!("served while {}", graceful::state()),
            Some("fail") => drop(graceful::spawn("flush", async { Err::<(), _>("no disk") })),
            Some("get stuck") => drop(graceful::spawn("upload", async {
                println!("stuck");
                pending::<()>().await;
            })),
            Some("panic") => panic!("out of luck"),
            Some("return") => break,
            other => panic!("told {other:?}"),
        }
    }
    println!("main ends while {}", graceful::state());
}

#[graceful::worker(stop = "early")]
async fn pull() {
    graceful::stopping().await;
    let (state, is_ready) = (graceful::state(), graceful::is_ready());
    println!("early worker told: {state}, ready: {is_ready}");
}

#[graceful::worker]
async fn handle() {
    graceful::stopping().await;
    println!("worker told: {}", graceful::state());
}
