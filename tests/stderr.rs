//! A standard error that cannot be written to holds nothing up.
#![cfg(unix)]

use std::io::{ErrorKind, PipeReader, PipeWriter, Write, pipe};
use std::process::{Command, Stdio};
use std::time::Duration;

use graceful_tests::{Child, FLAVOURS};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// A pipe that takes nothing more. The reader has to live as long.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can be non-blocking");
    let filled = loop {
        // Byte by byte at the end: a whole page may not fit where a short line does.
        if let Err(error) = writer
            .write_all(&[b'.'; 4096])
            .and_then(|()| writer.flush())
        {
            while writer.write(b".").is_ok() {}
            break error;
        }
    };
    assert_eq!(filled.kind(), ErrorKind::WouldBlock);
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).expect("a pipe can be blocking");
    (reader, writer)
}

/// A pipe nobody reads: writing to it is an error.
fn broken_pipe() -> PipeWriter {
    pipe().expect("a pipe").1
}

#[test]
fn a_full_pipe_does_not_hold_the_deadline() {
    for (case, code) in [
        ("waits", 124),
        ("spins", 124),
        ("sleeps", 124),
        ("waker_sleeps", 124),
        ("fails_first", 1),
    ] {
        for flavour in FLAVOURS {
            let (_reader, writer) = full_pipe();
            let child = Child::start_with(
                Command::new(env!("CARGO_BIN_EXE_stuck"))
                    .args([flavour, case])
                    .env("GRACEFUL_STOP_TIMEOUT", "500ms"),
                Stdio::from(writer),
            );
            child.prints("stuck");
            let asked = child.terminate();
            let end = child.end();
            end.assert_code(code);
            end.assert_gone_between(
                asked,
                Duration::from_millis(450),
                Duration::from_millis(550),
            );
        }
    }
}

#[test]
fn a_full_pipe_does_not_hold_a_clean_stop() {
    let (_reader, writer) = full_pipe();
    let mut child = Child::start_with(
        &mut Command::new(env!("CARGO_BIN_EXE_service")),
        Stdio::from(writer),
    );
    child.prints("job begun");
    child.terminate();
    child.prints("dropped: main's value");
    child.tell("go");
    let end = child.end();
    end.assert_code(0);
    let last = end
        .stdout
        .iter()
        .find(|line| line.text == "dropped: the connection")
        .expect("it was printed");
    end.assert_gone_between(last.at, Duration::ZERO, Duration::from_millis(250));
    end.assert_printed("dropped: what was kept first");
}

#[test]
fn a_full_pipe_does_not_hold_the_second_interrupt() {
    let (_reader, writer) = full_pipe();
    let child = Child::start_with(
        Command::new(env!("CARGO_BIN_EXE_stuck"))
            .args(["multi_thread", "waits"])
            .env("GRACEFUL_STOP_TIMEOUT", "1h"),
        Stdio::from(writer),
    );
    child.prints("stuck");
    child.interrupt();
    child.prints("main saw the stop");
    std::thread::sleep(Duration::from_millis(110));
    let forced = child.interrupt();
    let end = child.end();
    end.assert_code(130);
    end.assert_gone_between(forced, Duration::ZERO, Duration::from_millis(250));
}

#[test]
fn a_broken_pipe_is_nobodys_failure() {
    let mut child = Child::start_with(
        &mut Command::new(env!("CARGO_BIN_EXE_service")),
        Stdio::from(broken_pipe()),
    );
    child.prints("job begun");
    child.terminate();
    child.prints("dropped: main's value");
    child.tell("go");
    child.end().assert_code(0);
    let child = Child::start_with(
        Command::new(env!("CARGO_BIN_EXE_stuck")).args(["multi_thread", "waits"]),
        Stdio::from(broken_pipe()),
    );
    child.prints("stuck");
    let asked = child.terminate();
    let end = child.end();
    end.assert_code(124);
    end.assert_gone_between(
        asked,
        Duration::from_millis(900),
        Duration::from_millis(1050),
    );
}

#[test]
fn a_closed_standard_error_is_nobodys_failure() {
    let closed = |program: &str, args: &[&str]| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "exec \"$@\" 2>&-", "sh", program])
            .args(args);
        Child::start(&mut shell)
    };
    let mut child = closed(env!("CARGO_BIN_EXE_service"), &[]);
    child.prints("job begun");
    child.terminate();
    child.prints("dropped: main's value");
    child.tell("go");
    child.end().assert_code(0);
    let child = closed(env!("CARGO_BIN_EXE_stuck"), &["current_thread", "sleeps"]);
    child.prints("stuck");
    let asked = child.terminate();
    let end = child.end();
    end.assert_code(124);
    end.assert_gone_between(
        asked,
        Duration::from_millis(900),
        Duration::from_millis(1050),
    );
}

#[test]
fn a_thread_that_keeps_standard_error_locked_does_not_hold_the_deadline() {
    for flavour in FLAVOURS {
        let child =
            Child::start(Command::new(env!("CARGO_BIN_EXE_stuck")).args([flavour, "locks_stderr"]));
        child.prints("stuck");
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(124);
        end.assert_gone_between(
            asked,
            Duration::from_millis(900),
            Duration::from_millis(1050),
        );
    }
}
