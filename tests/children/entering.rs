//! A service that starts up for a while: `entering <case>`.

use std::env::args;
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use tokio::task;

fn main() -> ExitCode {
    match args().nth(1).expect("a case").as_str() {
        "blocking_main" => blocking_main::main(),
        "busily" => busily::main(),
        "blocking_runtime" => blocking_runtime(),
        "huge_threads" => huge_threads(),
        other => panic!("no case {other}"),
    }
}

/// Reads a line of standard input, on this thread.
fn wait_for_a_line() {
    let _ = io::stdin().read_line(&mut String::new());
}

mod blocking_main {
    #[graceful::main(flavor = "current_thread")]
    pub(crate) async fn main() {
        println!("main entered");
        super::wait_for_a_line();
        println!(
            "stopping before the first await: {}",
            graceful::is_stopping()
        );
        graceful::stopping().await;
        println!("farewell");
    }
}

/// Some 50 ms of everything a start does: computing, awaiting, spawning, blocking.
mod busily {
    use super::{Duration, Instant, task, thread};

    #[graceful::main(worker_threads = 2)]
    pub(crate) async fn main() {
        println!("main entered");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(5) {}
        for _ in 0..10 {
            graceful::spawn("serve", graceful::stopping());
            thread::sleep(Duration::from_millis(1));
            task::yield_now().await;
            graceful::run_until_stopping(tokio::time::sleep(Duration::from_millis(2))).await;
        }
        graceful::ready();
        graceful::stopping().await;
        println!("farewell");
    }
}

/// The runtime is still being built when the signal comes: tokio asks for a thread's name as it starts it.
fn blocking_runtime() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).thread_name_fn(|| {
        println!("runtime entered");
        wait_for_a_line();
        "slow".to_owned()
    });
    graceful::Builder::new().runtime(runtime).block_on(async {
        println!("main entered");
        graceful::stopping().await;
        println!("farewell");
    })
}

/// No system has memory for such a thread.
fn huge_threads() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.thread_stack_size(1 << 60);
    graceful::Builder::new().runtime(runtime).block_on(async {
        println!("main entered");
    })
}
