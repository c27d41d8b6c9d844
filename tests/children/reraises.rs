//! A command-line tool that dies of the signal it was stopped by: `reraises <case> <flavour>`.

use std::env::args;
use std::io::{Write, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    match args().nth(2).as_deref() {
        Some("current_thread") => on_one_thread(),
        _ => on_one_worker_thread(),
    }
}

#[graceful::main(stop_timeout = "400ms", reraise, worker_threads = 1)]
async fn on_one_worker_thread() -> Result<(), &'static str> {
    run().await
}

#[graceful::main(stop_timeout = "400ms", reraise, flavor = "current_thread")]
async fn on_one_thread() -> Result<(), &'static str> {
    run().await
}

async fn run() -> Result<(), &'static str> {
    graceful::keep(Farewell("what was kept"));
    graceful::spawn("tidy up", async {
        graceful::stopping().await;
        println!("tidied up");
    });
    let case = args().nth(1).expect("a case");
    match case.as_str() {
        "a_worker_fails" => drop(graceful::spawn("flush", async {
            graceful::stopping().await;
            Err::<(), _>("the disk is full")
        })),
        "a_worker_is_stuck" => drop(graceful::spawn("upload", std::future::pending::<()>())),
        "stops_itself" => {
            graceful::stop();
            return Ok(());
        }
        _ => {}
    }
    println!("up");
    graceful::stopping().await;
    match case.as_str() {
        "main_fails" => Err("interrupted"),
        "main_panics" => panic!("out of luck"),
        "holds_stdout" => {
            // One who holds standard output for ever cannot keep the process.
            let (locked, is_locked) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let mut out = stdout().lock();
                let _ = out.write_all(b"half a line");
                let _ = locked.send(());
                std::thread::sleep(std::time::Duration::from_secs(60));
            });
            let _ = is_locked.recv();
            Ok(())
        }
        _ => Ok(()),
    }
}

struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        let case = args().nth(1);
        if case.as_deref() == Some("holds_stdout") {
            return;
        }
        println!("dropped: {}", self.0);
        if case.as_deref() == Some("half_a_line") {
            print!("half a line");
        }
    }
}
