//! The program of the tests on Windows: `program <case>`. Prints `up` once the case is set up.

use std::env::args;
use std::future::pending;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use tokio::time::sleep;

/// Much longer than any test waits.
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match case().as_str() {
        "one_after_another" => one_after_another(),
        "sigterm_only" => graceful::Builder::new().signals([graceful::Signal::Terminate]).block_on(idle()),
        "spins_on_the_only_thread" => on_one_thread::main(),
        _ => on_two_threads::main(),
    }
}

fn case() -> String {
    args().nth(1).expect("a case")
}

mod on_two_threads {
    #[graceful::main(name = "program", stop_timeout = "500ms", worker_threads = 1)]
    pub(crate) async fn main() -> Result<(), &'static str> {
        crate::run(&crate::case()).await
    }
}

mod on_one_thread {
    #[graceful::main(stop_timeout = "500ms", flavor = "current_thread")]
    pub(crate) async fn main() -> Result<(), &'static str> {
        crate::run(&crate::case()).await
    }
}

async fn run(case: &str) -> Result<(), &'static str> {
    match case {
        "idle" => {}
        "finishes" => drop(finishes().spawn()),
        "waits" => drop(waits().spawn()),
        "blocks" => drop(blocks().spawn()),
        "spins" | "spins_on_the_only_thread" => drop(spins().spawn()),
        "locks_stderr" => drop(locks_stderr().spawn()),
        "locks_stdout" => {
            println!("up");
            thread::spawn(|| {
                let _stdout = io::stdout().lock();
                thread::sleep(LONG);
            });
            graceful::stopping().await;
            return Ok(());
        }
        "half_a_line_and_a_full_pipe" => {
            println!("up");
            fill(&io::stdout());
            print!("half a line");
            graceful::stopping().await;
            return Ok(());
        }
        "fails" => return Err("no route to host"),
        "worker_fails" => drop(fails().spawn()),
        "panics" => panic!("no route to host"),
        "hooked" => {
            graceful::after_stop("pool", || async { println!("pool closed") });
            graceful::at_exit("terminal", || eprintln!("terminal restored"));
        }
        other => panic!("no case {other}"),
    }
    idle().await;
    Ok(())
}

async fn idle() {
    println!("up");
    graceful::stopping().await;
    println!("main saw the stop");
}

/// Fills the pipe that this writes to, past std's buffer and its lock, on a thread that is stuck from then on.
fn fill(stdout: &io::Stdout) {
    #[cfg(windows)]
    let own = std::os::windows::io::AsHandle::as_handle(stdout).try_clone_to_owned();
    #[cfg(unix)]
    let own = std::os::fd::AsFd::as_fd(stdout).try_clone_to_owned();
    let mut own = std::fs::File::from(own.expect("standard output can be cloned"));
    let (full, is_full) = std::sync::mpsc::channel();
    thread::spawn(move || {
        while own.write_all(&[b'.'; 512]).is_ok() {
            let _ = full.send(());
        }
    });
    // Nothing more for half a second: it is full.
    while is_full.recv_timeout(Duration::from_millis(500)).is_ok() {}
}

/// Three lifecycles in a row that end by themselves, twenty more, and then none.
fn one_after_another() -> ExitCode {
    let run = |name: &'static str| {
        graceful::Builder::new().stop_timeout(Duration::from_secs(1)).block_on(async move {
            graceful::spawn("serve", graceful::stopping());
            if !name.is_empty() {
                println!("{name}");
                graceful::stopping().await;
            }
        })
    };
    run("first");
    run("second");
    println!("two are over");
    wait_for_a_line();
    for _ in 0..20 {
        run("");
    }
    println!("all are over");
    thread::sleep(LONG);
    ExitCode::SUCCESS
}

fn wait_for_a_line() {
    let _ = io::stdin().read_line(&mut String::new());
}

/// Takes a while when it is told to stop.
#[graceful::worker]
async fn finishes() {
    graceful::stopping().await;
    sleep(Duration::from_millis(250)).await;
    println!("finished");
}

#[graceful::worker]
async fn waits() {
    pending::<()>().await;
}

#[graceful::worker(blocking)]
fn blocks() {
    thread::sleep(LONG);
}

#[graceful::worker]
async fn spins() {
    graceful::stopping().await;
    loop {
        std::hint::spin_loop();
    }
}

#[graceful::worker(blocking)]
fn locks_stderr() {
    let _stderr = io::stderr().lock();
    thread::sleep(LONG);
}

#[graceful::worker]
async fn fails() -> Result<(), &'static str> {
    graceful::stopping().await;
    Err("the disk is full")
}
