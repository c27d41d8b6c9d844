//! A command-line tool that dies of the signal it was stopped by.

use std::future::pending;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;

use crate::Ending;
use crate::farewell::{Farewell, LONG};

pub(crate) async fn run(case: &str) -> Ending {
    if case == "half_a_line" {
        graceful::keep(HalfALine);
    }
    if case != "holds_stdout" {
        graceful::keep(Farewell("what was kept"));
        graceful::spawn("tidy up", async {
            graceful::stopping().await;
            println!("tidied up");
        });
    }
    match case {
        "worker_fails" => drop(graceful::spawn("flush", async {
            graceful::stopping().await;
            Err::<(), _>("the disk is full")
        })),
        "atexit_sleeps" => drop(shutdown_hooks::add_shutdown_hook(crate::nasty::sleep_at_exit)),
        "worker_is_stuck" => drop(graceful::spawn("upload", pending::<()>())),
        "stops_itself" => {
            graceful::stop();
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    println!("up");
    graceful::stopping().await;
    match case {
        "main_fails" => return Err("interrupted"),
        "main_panics" => panic!("out of luck"),
        "holds_stdout" => hold_stdout(),
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// A thread that holds standard output forever cannot keep the process alive.
fn hold_stdout() {
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
struct HalfALine;

impl Drop for HalfALine {
    fn drop(&mut self) {
        print!("half a line");
    }
}
