//! Runs each of its arguments as a shell command, until Ctrl-C or until one fails: a Procfile without the file.

#![cfg_attr(not(unix), allow(unused_imports))]

use std::env;
use std::process::{Command, Stdio};

#[cfg(unix)]
#[graceful::main(name = "children", stop_timeout = "10s")]
async fn main() -> Result<(), &'static str> {
    if env::args().len() < 2 {
        return Err("no command; try: 'while date; do sleep 1; done' 'sleep 100'");
    }
    for script in env::args().skip(1) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(Stdio::null());
        // At the stop the shell and all it has started get a SIGTERM, and a SIGKILL where that is not enough.
        graceful::child(&script, shell).spawn();
    }
    graceful::run_until_stopping(graceful::idle()).await;
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("`graceful::child` stops the process groups of Unix; here there are none");
}
