//! What a person at a terminal sees, and what signals do when a lifecycle is over. The rest is in `faults`.
#![cfg(unix)]

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use graceful_tests::{Child, Signal};
use nix::pty::openpty;

/// How long after a signal that kills it the process may stay.
const PROMPTLY: Duration = Duration::from_millis(250);

#[test]
fn on_a_terminal_the_first_interrupt_says_what_a_second_does() {
    let terminal = openpty(None, None).expect("a terminal");
    let mut service = Command::new(env!("CARGO_BIN_EXE_fault"));
    service.args(["multi_thread", "clean", "job"]).env("GRACEFUL_STOP_TIMEOUT", "15s");
    let mut child = Child::start_with(&mut service, Stdio::from(terminal.slave));
    child.prints("job begun");
    child.interrupt();
    child.prints("dropped: main's value");
    child.tell("go");
    child.end().assert_code(0);
    let mut said = Vec::new();
    // It holds the terminal open too, and reading would not end.
    drop(service);
    // Once a terminal's last writer is gone, Linux returns an error after the last of its output.
    let _ = File::from(terminal.master).read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("graceful: stopping; press Ctrl-C again to quit now"), "{said}");
}

#[test]
fn a_lifecycle_that_is_over_leaves_the_signals_as_they_were() {
    let child = Child::start(Command::new(env!("CARGO_BIN_EXE_twice")).arg("in_a_row"));
    for name in ["first", "second"] {
        child.prints(&format!("{name} entered"));
        child.terminate();
        child.prints(&format!("{name} stopped"));
        child.prints(&format!("{name} returned 3: true"));
    }
    child.prints("threads left: []");
    child.prints("on its own");
    let asked = child.terminate();
    let end = child.end();
    assert_eq!(end.signal, Some(Signal::SIGTERM), "{end}");
    end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
}
