//! A signal that makes a process print its status, and changes nothing.
#![cfg(unix)]

use std::process::Command;
use std::thread;
use std::time::Duration;

use graceful_tests::{Child, End, FLAVOURS, Signal};

/// The longest that the table takes to arrive.
const PROMPTLY: Duration = Duration::from_millis(300);

fn service(case: &str, flavour: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dumps"));
    Child::start(command.args([case, flavour]))
}

/// Without the core dump that goes with some deaths.
fn service_without_core(case: &str, flavour: &str) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_dumps"), case, flavour]);
    Child::start(&mut shell)
}

/// The cells of the first row of a table that begins with `name`, as words.
#[track_caller]
fn row<'a>(end: &'a End, name: &str) -> Vec<&'a str> {
    let words = |line: &'a str| line.trim_start_matches("graceful[orders]:").split_whitespace();
    let mut rows = end.stderr.iter().map(|line| words(&line.text).collect::<Vec<_>>());
    rows.find(|row| row.first() == Some(&name)).unwrap_or_else(|| panic!("no row `{name}`\n{end}"))
}

#[test]
fn it_is_a_table_and_nothing_stops() {
    for flavour in FLAVOURS {
        let child = service("waits", flavour);
        child.prints("up");
        let asked = child.send(Signal::SIGUSR1);
        let said = child.says("graceful[orders]: ready, up ");
        assert!(said - asked < PROMPTLY, "{child}");
        child.says("after_stop");
        child.terminate();
        let end = child.end();
        end.assert_code(0);
        let line = |part: &str| {
            let found = end.stderr.iter().position(|line| line.text.contains(part));
            found.unwrap_or_else(|| panic!("`{part}` was not said\n{end}"))
        };
        assert!(line("ready, up ") < line("stopping: SIGTERM"), "{end}");
        let head =
            ["worker", "stage", "live", "oldest", "ok", "err", "panic", "abort", "restart", "refuse", "now", "at"];
        assert_eq!(row(&end, "worker"), head, "{end}");
        let waits = row(&end, "wait");
        assert_eq!(waits[1..3], ["main", "3"], "{end}");
        assert_eq!(waits[4], "ms", "{end}");
        assert_eq!(waits[5..12], ["0", "0", "0", "0", "0", "0", "waiting,"], "{end}");
        assert_eq!(waits[12..15], ["polled", "just", "now"], "{end}");
        assert!(waits[15].starts_with("tests/children/dumps.rs:"), "{end}");
        assert_eq!(row(&end, "main")[..3], ["main", "main", "1"], "{end}");
        let done = row(&end, "done");
        assert_eq!(done[1..10], ["main", "0", "-", "1", "0", "0", "0", "0", "0"], "{end}");
        assert_eq!(row(&end, "pool"), ["pool", "after_stop", "waiting", "-"], "{end}");
        assert_eq!(row(&end, "upload")[..3], ["upload", "1", "1"], "{end}");
    }
}

#[test]
fn it_can_be_asked_for_again_and_while_it_stops() {
    let child = service("spins", "multi_thread");
    child.prints("spinning");
    child.send(Signal::SIGUSR1);
    child.says("ready, up ");
    child.terminate();
    child.says("stopping: SIGTERM");
    child.send(Signal::SIGUSR1);
    child.says("stopping, up ");
    let end = child.end();
    end.assert_code(124);
    end.assert_said("; stop: SIGTERM, ");
}

#[test]
fn who_blocks_the_runtime_is_named_with_its_thread() {
    // tokio chooses the name of a worker thread, except for the service's name in it.
    for (flavour, case, thread) in [
        ("multi_thread", "spins", "orders"),
        ("multi_thread", "all_spin", "orders"),
        ("current_thread", "spins", "main"),
    ] {
        let child = service(case, flavour);
        child.prints("spinning");
        let asked = child.send(Signal::SIGUSR1);
        let said = child.says(&format!("blocking thread `{thread}`"));
        assert!(said - asked < PROMPTLY, "{child}");
        assert_eq!(child.to_string().matches("stopping").count(), 0, "{child}");
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(124);
        end.assert_gone_between(asked, Duration::from_millis(340), Duration::from_millis(550));
        let spins = row(&end, "spin");
        assert_eq!(spins[2], "1", "{end}");
        assert!(spins.join(" ").contains(&format!("blocking thread `{thread}` for ")), "{end}");
        assert!(row(&end, "wait").contains(&"waiting,"), "{end}");
    }
}

#[test]
fn who_blocks_the_runtime_is_named_with_for_how_long() {
    for (flavour, case) in [("multi_thread", "all_spin"), ("current_thread", "spins"), ("quit", "spins")] {
        let signal = match flavour {
            "quit" => Signal::SIGQUIT,
            _ => Signal::SIGUSR1,
        };
        let child = service(case, flavour);
        let began = child.prints("spinning");
        // In its first second, only what the dump itself has sampled is known.
        child.send(signal);
        child.says(" ms at least");
        while !child.to_string().contains("for 1 s at least") {
            assert!(began.elapsed() < Duration::from_secs(20), "{child}");
            thread::sleep(Duration::from_millis(100));
            child.send(signal);
        }
        assert!(began.elapsed() >= Duration::from_secs(1), "{child}");
        child.terminate();
        let end = child.end();
        end.assert_code(124);
        let last = end.stderr.iter().rev();
        let blocked = last
            .map(|line| &line.text)
            .find(|text| text.contains("blocking its thread ("))
            .unwrap_or_else(|| panic!("the report names no thread\n{end}"));
        assert!(blocked.ends_with(" s at least)"), "{end}");
        assert!(!blocked.contains(" ms at least"), "{end}");
    }
}

#[test]
fn quit_is_a_dump_where_that_was_asked_for_and_else_what_it_always_is() {
    let child = service("spins", "quit");
    child.prints("spinning");
    let asked = child.send(Signal::SIGQUIT);
    let said = child.says("blocking thread `main` for ");
    assert!(said - asked < PROMPTLY, "{child}");
    child.terminate();
    child.end().assert_code(124);

    let child = service_without_core("waits", "current_thread");
    child.prints("up");
    child.send(Signal::SIGQUIT);
    let end = child.end();
    assert_eq!(end.signal, Some(Signal::SIGQUIT), "{end}");
}

#[test]
fn a_process_that_is_aborted_dumps_and_dies_of_it() {
    for (case, is_up) in [("waits", "up"), ("all_spin", "spinning")] {
        let child = service_without_core(case, "abort");
        child.prints(is_up);
        let asked = child.send(Signal::SIGABRT);
        let end = child.end();
        assert_eq!(end.signal, Some(Signal::SIGABRT), "{end}");
        end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
        end.assert_said("SIGABRT received: the process ends");
        let activity = if case == "waits" { "waiting," } else { "blocking" };
        assert!(row(&end, "main").contains(&activity), "{end}");
        assert_eq!(row(&end, "wait")[2], "3", "{end}");
    }
}

/// A program that aborts itself does not wait for a dump, and one that has not asked for it does not dump.
#[test]
fn an_abort_is_one_as_ever() {
    for (case, flavour) in [("aborts", "abort"), ("waits", "multi_thread")] {
        let child = service_without_core(case, flavour);
        child.prints("up");
        if case == "waits" {
            child.send(Signal::SIGABRT);
        }
        let end = child.end();
        assert_eq!(end.signal, Some(Signal::SIGABRT), "{end}");
        assert!(flavour == "abort" || end.stderr.is_empty(), "{end}");
    }
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' USR1; exec \"$@\"", "sh"]);
    shell.args([env!("CARGO_BIN_EXE_dumps"), "waits", "multi_thread"]);
    let child = Child::start(&mut shell);
    child.prints("up");
    child.send(Signal::SIGUSR1);
    child.terminate();
    let end = child.end();
    end.assert_code(0);
    end.assert_silent_about("ready, up ");
}
