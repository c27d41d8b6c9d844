//! A service that stops as it should: `service <flavour> [stop_from_a_thread]`.
//!
//! The job in hand ends when a line comes on standard input.

use std::env::args;
use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("current_thread") => current_thread::main(),
        _ => multi_thread::main(),
    }
}

mod current_thread {
    #[graceful::main(stop_timeout = "15s", flavor = "current_thread")]
    pub(crate) async fn main() {
        super::serve().await;
    }
}

mod multi_thread {
    #[graceful::main(stop_timeout = "15s", worker_threads = 1)]
    pub(crate) async fn main() {
        super::serve().await;
    }
}

async fn serve() {
    println!("main entered");
    graceful::keep(Farewell("what was kept first"));
    graceful::keep(Farewell("what was kept second"));
    let _value = Farewell("main's value");
    consume().spawn();
    idle_about().spawn();
    graceful::ready();
    if args().nth(2).as_deref() == Some("stop_from_a_thread") {
        std::thread::spawn(|| {
            graceful::stop();
            println!("stopping on the next line: {}", graceful::is_stopping());
        });
    }
    graceful::stopping().await;
}

#[graceful::worker]
async fn consume() {
    let _connection = Farewell("the connection");
    let mut line = String::new();
    println!("job begun");
    let read = BufReader::new(stdin()).read_line(&mut line).await;
    println!("job done: {}", read.is_ok());
}

#[graceful::worker]
async fn idle_about() {
    let _value = Farewell("the idle worker's value");
    graceful::stopping().await;
}

struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        println!("dropped: {}", self.0);
    }
}
