//! Ends that go wrong in themselves: panics in destructors, exit handlers, closed outputs.

use std::future::pending;
use std::io::{Write, stdout};
use std::panic::panic_any;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::process::Command;
use tokio::sync::oneshot;

use crate::farewell::{Connection, LONG};
use crate::{Ending, up};

pub(crate) async fn run(case: &str) -> Ending {
    match case {
        "destructor_panics" => drop(graceful::spawn("upload", async {
            let _connection = Connection;
            println!("up");
            pending::<()>().await;
        })),
        "destructor_panics_at_an_abort" => {
            let (begin, runs) = oneshot::channel();
            let upload = uploads(begin).spawn();
            let _ = runs.await;
            upload.abort();
        }
        "payload_panics" => drop(graceful::spawn("upload", async { panic_any(Connection) })),
        "payload_of_main_panics" => panic_any(Connection),
        "panics_twice" => drop(graceful::spawn("upload", async {
            let _connection = Connection;
            panic!("no route to host");
        })),
        "atexit_sleeps" => drop(shutdown_hooks::add_shutdown_hook(sleep_at_exit)),
        "locks_stdout" => {
            lock_stdout();
            graceful::stopping().await;
            return Ok(ExitCode::SUCCESS);
        }
        "half_a_line" => return half_a_line().await,
        "without_stdout" => return without_stdout().await,
        "logs" => return log_to_the_end().await,
        "kill_on_drop" => drop(graceful::spawn("child", async {
            graceful::run_until_stopping(sleeping_child().wait()).await;
        })),
        "kill_on_abort" => drop(graceful::spawn("child", async {
            let _ = sleeping_child().wait().await;
        })),
        other => panic!("no case {other}"),
    }
    if case == "destructor_panics" {
        graceful::stopping().await;
        return Ok(ExitCode::SUCCESS);
    }
    up().await
}

#[graceful::worker(on_failure = "log")]
async fn uploads(begin: oneshot::Sender<()>) {
    let _connection = Connection;
    let _ = begin.send(());
    pending::<()>().await;
}

pub(crate) extern "C" fn sleep_at_exit() {
    println!("exit handler called");
    thread::sleep(LONG);
}

/// Another thread keeps standard output locked, with a part of a line in its buffer.
fn lock_stdout() {
    println!("up");
    let (locked, is_locked) = channel();
    thread::spawn(move || {
        let mut out = stdout().lock();
        let _ = out.write_all(b"half a line");
        let _ = locked.send(());
        thread::sleep(LONG);
    });
    let _ = is_locked.recv();
}

/// Leaves something in the buffer of standard output.
async fn half_a_line() -> Ending {
    println!("up");
    graceful::stopping().await;
    print!("half a line");
    Ok(ExitCode::SUCCESS)
}

/// Prints `up` on standard error.
async fn without_stdout() -> Ending {
    print!("half a line");
    eprintln!("up");
    graceful::stopping().await;
    Ok(ExitCode::SUCCESS)
}

/// A program that runs for long, in a process group of its own.
fn sleeping_child() -> tokio::process::Child {
    let mut command = Command::new("sleep");
    command.arg("60").kill_on_drop(true).process_group(0);
    let child = command.spawn().expect("there is `sleep`");
    println!("up");
    child
}

/// Workers, hooks and main log through a thread whose guard is given to `keep`.
async fn log_to_the_end() -> Ending {
    let (log, lines) = channel();
    graceful::keep(LogGuard::new(lines, log.clone()));
    for number in 0..20 {
        let log = log.clone();
        graceful::spawn("batch", async move {
            graceful::stopping().await;
            let _ = log.send(Some(format!("worker {number}: flushed")));
        });
    }
    let logged = move |line: &'static str, log: &Sender<Option<String>>| {
        let log = log.clone();
        async move {
            let _ = log.send(Some(line.to_owned()));
        }
    };
    let hook = log.clone();
    graceful::before_stop("registry", move || logged("before_stop: left", &hook));
    let hook = log.clone();
    graceful::on_stop("metrics", move || logged("on_stop: pushed", &hook));
    let hook = log.clone();
    graceful::after_stop("pool", move || logged("after_stop: closed", &hook));
    println!("up");
    graceful::stopping().await;
    let _ = log.send(Some("main: done".to_owned()));
    Ok(ExitCode::SUCCESS)
}

/// Writes lines on a thread of its own, as logging libraries do; what was sent before it is dropped is written.
struct LogGuard {
    log: Sender<Option<String>>,
    writer: Option<JoinHandle<()>>,
}

impl LogGuard {
    fn new(lines: Receiver<Option<String>>, log: Sender<Option<String>>) -> Self {
        let writer = thread::spawn(move || {
            while let Ok(Some(line)) = lines.recv() {
                println!("log: {line}");
            }
        });
        Self { log, writer: Some(writer) }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let _ = self.log.send(None);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        println!("log: closed");
    }
}
