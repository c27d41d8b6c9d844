//! A synchronous main that runs a lifecycle of its own accord: `twice <case>`.

use std::env::args;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

fn main() -> ExitCode {
    match args().nth(1).expect("a case").as_str() {
        "in_a_row" => in_a_row(),
        "inside_a_runtime" => inside_a_runtime(),
        "inside_another" => inside_another::main(),
        "beside" => beside::main(),
        other => panic!("no case {other}"),
    }
}

#[graceful::main(flavor = "current_thread", stop_timeout = "1s")]
async fn run(name: String) -> ExitCode {
    println!("{name} entered");
    graceful::spawn("serve", graceful::stopping());
    graceful::stopping().await;
    println!("{name} stopped");
    ExitCode::from(3)
}

fn in_a_row() -> ExitCode {
    for name in ["first", "second"] {
        let code = run(name.to_owned());
        println!("{name} returned 3: {}", code == ExitCode::from(3));
    }
    println!("threads left: {:?}", threads_left());
    println!("on its own");
    let _ = io::stdin().read_line(&mut String::new());
    ExitCode::SUCCESS
}

/// The threads of lifecycles that are over. They are sent home, and nobody waits for them but this.
fn threads_left() -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        // Where the system has no such folder there is nothing to see.
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        let left: Vec<_> = names.filter(|name| name.starts_with("graceful")).collect();
        if left.is_empty() || until < Instant::now() {
            return left;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn inside_a_runtime() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { run("inner".to_owned()) })
}

mod inside_another {
    #[graceful::main]
    pub(crate) async fn main() {
        let thread = std::thread::spawn(|| super::run("inner".to_owned()));
        println!("refused: {}", thread.join().is_err());
    }
}

mod beside {
    #[graceful::main(stop_timeout = "1s")]
    pub(crate) async fn main() {
        let thread = std::thread::spawn(|| {
            graceful::spawn("serve", graceful::stopping());
            graceful::stop();
            graceful::is_stopping()
        });
        println!("stopping: {}", thread.join().expect("it finds main's"));
    }
}
