//! Runs a command in its place, as `timeout` and `tini` do: the first process of a container that holds a deadline,
//! passes the terminal and signals on, kills what is left, and ends with the command's own exit code.

#![cfg_attr(not(unix), allow(unused_imports))]

use std::env;
use std::process::{Command, ExitCode};

#[cfg(unix)]
use graceful::ChildCommand;

#[cfg(unix)]
#[graceful::main(name = "wrapper", stop_timeout = "10s", signals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"], reap)]
async fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("no command; try: bash");
        return ExitCode::from(125); // as `timeout`
    };
    let mut command = Command::new(program);
    command.args(words);
    graceful::child("command", ChildCommand::from(command).foreground()).exit_code().await
}

#[cfg(not(unix))]
fn main() {
    eprintln!("`graceful::child` stops the process groups of Unix; here there are none");
}
