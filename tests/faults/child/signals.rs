//! Signals at every moment of a process.

use std::io::stdin;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task;

use crate::farewell::LONG;
use crate::{Ending, up};

const WELL: Ending = Ok(ExitCode::SUCCESS);

pub(crate) async fn run(case: &str) -> Ending {
    match case {
        "idle" => up().await,
        "starts_up" => {
            println!("main entered");
            wait_for_a_line();
            let told = graceful::is_stopping();
            println!("stopping before the first await: {told}");
            graceful::stopping().await;
            WELL
        }
        "starts_up_for_ever" => {
            println!("up");
            thread::sleep(LONG);
            WELL
        }
        "starts_up_busily" => start_up_busily().await,
        "tears_down" => {
            graceful::keep(TearsDown);
            WELL
        }
        "works_on" => {
            graceful::spawn("work", work_on());
            up().await
        }
        "works_on_blocking" => {
            graceful::spawn_blocking("work", || {
                while !graceful::is_stopping() {
                    thread::sleep(Duration::from_millis(1));
                }
                let done = Instant::now() + WORK;
                println!("work in hand");
                thread::sleep(done.saturating_duration_since(Instant::now()));
                println!("work done");
            });
            up().await
        }
        "reads_on" => {
            graceful::spawn("work", async {
                graceful::stopping().await;
                println!("work in hand");
                let _ = BufReader::new(tokio::io::stdin()).read_line(&mut String::new()).await;
                println!("work done");
            });
            up().await
        }
        "replaces_handlers" => {
            ctrlc::set_handler(|| {
                println!("the program's own handler");
                graceful::stop();
            })
            .expect("another handler");
            up().await
        }
        "swallows_signals" => {
            ctrlc::set_handler(|| println!("the program's own handler")).expect("another handler");
            up().await
        }
        "replaces_handlers_and_fails" => {
            ctrlc::set_handler(|| graceful::stop()).expect("another handler");
            graceful::spawn("flush", async {
                graceful::stopping().await;
                Err::<(), _>("the disk is full")
            });
            up().await
        }
        "starts_programs" => start_programs().await,
        other => panic!("no case {other}"),
    }
}

/// How long the work in hand takes at a stop. Its end is fixed before the line that says it is in hand.
const WORK: Duration = Duration::from_millis(200);

async fn work_on() {
    graceful::stopping().await;
    let done = Instant::now() + WORK;
    println!("work in hand");
    tokio::time::sleep_until(done.into()).await;
    println!("work done");
}

/// Reads a line of standard input, on this thread.
pub(crate) fn wait_for_a_line() {
    let _ = stdin().read_line(&mut String::new());
}

/// Some 50 ms of everything a start does: computing, awaiting, spawning, blocking.
async fn start_up_busily() -> Ending {
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
    WELL
}

/// A destructor that takes its time when all workers are gone.
struct TearsDown;

impl Drop for TearsDown {
    fn drop(&mut self) {
        println!("tearing down");
        wait_for_a_line();
        println!("torn down");
    }
}

/// Starts programs from main, from a task, from a blocking thread and from a thread of its own.
async fn start_programs() -> Ending {
    run_programs("main");
    tokio::spawn(async { run_programs("task") }).await.expect("the program is started");
    task::spawn_blocking(|| run_programs("blocking")).await.expect("the program is started");
    thread::spawn(|| run_programs("thread")).join().expect("the program is started");
    WELL
}

/// Runs a shell that signals itself, and prints which signals killed it.
fn run_programs(from: &str) {
    for signal in ["TERM", "INT"] {
        let script = format!("kill -{signal} $$; exit 3");
        let status = Command::new("sh").args(["-c", &script]).status().expect("there is a shell");
        println!("{from} {signal}: {:?}", status.signal());
    }
}
