//! A service that starts programs: from main, from a task, from a blocking thread, from a thread of its own.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

#[graceful::main(worker_threads = 1)]
async fn main() {
    run("main");
    tokio::spawn(async { run("task") })
        .await
        .expect("the program is started");
    tokio::task::spawn_blocking(|| run("blocking"))
        .await
        .expect("the program is started");
    std::thread::spawn(|| run("thread"))
        .join()
        .expect("the program is started");
}

/// Runs a shell that signals itself, and tells which signals killed it.
fn run(from: &str) {
    for signal in ["TERM", "INT"] {
        let script = format!("kill -{signal} $$; exit 3");
        let status = Command::new("sh")
            .args(["-c", &script])
            .status()
            .expect("there is a shell");
        println!("{from} {signal}: {:?}", status.signal());
    }
}
