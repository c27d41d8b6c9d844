//! What SIGHUP is to a process: `reloads <case> <flavour>`.

use std::env::args;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let (case, flavour) = (args().nth(1), args().nth(2));
    let is_current_thread = flavour.as_deref() == Some("current_thread");
    match (case.as_deref().expect("a case"), is_current_thread) {
        ("listens", false) => listens::main(),
        ("listens", true) => listens::on_one_thread(),
        ("never_listens", _) => never_listens::main(),
        ("stops_at_it", _) => stops_at_it::main(),
        ("after_a_lifecycle", _) => after_a_lifecycle(),
        (other, _) => panic!("no case {other}"),
    }
}

mod listens {
    #[graceful::main(stop_timeout = "5s", worker_threads = 1)]
    pub(crate) async fn main() {
        super::listen().await;
    }

    #[graceful::main(stop_timeout = "5s", flavor = "current_thread")]
    pub(crate) async fn on_one_thread() {
        super::listen().await;
    }
}

/// Main and a worker hear of each.
async fn listen() {
    let mut reloads = graceful::reloads();
    graceful::spawn("second", async {
        let mut reloads = graceful::reloads();
        println!("the worker listens");
        let mut count = 0;
        while reloads.recv().await.is_some() {
            count += 1;
            println!("the worker reloaded {count}");
        }
        println!("over for the worker: {}", graceful::is_stopping());
    });
    println!("main listens");
    let mut count = 0;
    while reloads.recv().await.is_some() {
        count += 1;
        println!("main reloaded {count}");
    }
    println!("over for main: {}", graceful::is_stopping());
}

mod never_listens {
    #[graceful::main(stop_timeout = "5s", worker_threads = 1)]
    pub(crate) async fn main() {
        println!("up");
        graceful::stopping().await;
        println!("stopped");
    }
}

mod stops_at_it {
    #[graceful::main(
        stop_timeout = "5s",
        worker_threads = 1,
        signals = ["SIGTERM", "SIGHUP"]
    )]
    pub(crate) async fn main() {
        if super::args().nth(3).as_deref() == Some("reloads") {
            let _ = graceful::reloads();
        }
        println!("up");
        graceful::stopping().await;
    }
}

fn after_a_lifecycle() -> ExitCode {
    let _ = graceful::Builder::new().current_thread().block_on(async {
        let _ = graceful::reloads();
        println!("listened");
    });
    println!("on its own");
    let _ = io::stdin().read_line(&mut String::new());
    ExitCode::SUCCESS
}
