//! Work that nobody tracks: `untracked <flavour> <case>`.

use std::env::args;
use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("current_thread") => current_thread::main(),
        _ => multi_thread::main(),
    }
}

mod current_thread {
    #[graceful::main(flavor = "current_thread")]
    pub(crate) async fn main() {
        super::run().await;
    }
}

mod multi_thread {
    #[graceful::main(worker_threads = 1)]
    pub(crate) async fn main() {
        super::run().await;
    }
}

async fn run() {
    match args().nth(2).expect("a case").as_str() {
        "reads_stdin" => drop(tokio::task::spawn_blocking(|| {
            println!("under way");
            let _ = io::stdin().read_line(&mut String::new());
        })),
        "sleeps" => drop(tokio::task::spawn_blocking(|| {
            println!("under way");
            thread::sleep(Duration::from_secs(60));
        })),
        "waits" => drop(tokio::spawn(async {
            let _value = Farewell("the untracked task's value");
            println!("under way");
            pending::<()>().await;
        })),
        other => panic!("no case {other}"),
    }
    graceful::stopping().await;
}

struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        println!("dropped: {}", self.0);
    }
}
