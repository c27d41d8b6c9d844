//! SIGHUP: a request to read the configuration again, for programs that ask for it.
#![cfg(unix)]

use std::process::Command;
use std::thread;
use std::time::Duration;

use graceful_tests::{Child, FLAVOURS, Signal};
use nix::sys::signal::{SigSet, SigmaskHow};

const PROMPTLY: Duration = Duration::from_millis(300);

fn program(case: &str, flavour: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reloads"));
    command.args([case, flavour]);
    command
}

#[test]
fn each_is_heard_by_everybody_who_listens_until_the_stop() {
    for flavour in FLAVOURS {
        let child = Child::start(&mut program("listens", flavour));
        for who in ["main", "the worker"] {
            child.prints(&format!("{who} listens"));
        }
        for count in 1..=3 {
            child.send(Signal::SIGHUP);
            for who in ["main", "the worker"] {
                child.prints(&format!("{who} reloaded {count}"));
            }
        }
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(0);
        end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
        end.assert_said("graceful: stopping: SIGTERM");
        for who in ["main", "the worker"] {
            end.assert_printed(&format!("over for {who}: true"));
        }
        let reloads = end.printed().iter().filter(|line| line.contains("reloaded")).count();
        assert_eq!(reloads, 6, "{end}");
    }
}

#[test]
fn whoever_never_listens_dies_of_it() {
    let child = Child::start(&mut program("never_listens", "multi_thread"));
    child.prints("up");
    let sent = child.send(Signal::SIGHUP);
    let end = child.end();
    assert_eq!(end.signal, Some(Signal::SIGHUP), "{end}");
    end.assert_gone_between(sent, Duration::ZERO, PROMPTLY);
    assert_eq!(end.printed(), ["up"], "{end}");
}

#[test]
fn among_the_signals_it_is_a_stop() {
    let child = Child::start(&mut program("stops_at_it", "multi_thread"));
    child.prints("up");
    child.send(Signal::SIGHUP);
    let end = child.end();
    end.assert_code(0);
    end.assert_said("graceful: stopping: SIGHUP");
}

#[test]
fn it_cannot_be_both() {
    let child = Child::start(program("stops_at_it", "multi_thread").arg("reloads"));
    let end = child.end_in_panic();
    end.assert_code(101);
    end.assert_said("panicked at tests/children/reloads.rs:");
    let parts = ["graceful: exit code 101: main panicked: ", "reloads()", "SIGHUP"];
    let is_told = |line: &str| parts.iter().all(|part| line.contains(part));
    assert!(end.stderr.iter().any(|line| is_told(&line.text)), "{end}");
}

#[test]
fn where_it_is_ignored_at_the_start_it_stays_ignored() {
    for (case, up) in [("never_listens", "up"), ("listens", "main listens")] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
        let program = program(case, "multi_thread");
        shell.arg(program.get_program()).args(program.get_args());
        let child = Child::start(&mut shell);
        child.prints(up);
        child.send(Signal::SIGHUP);
        // If it is handled, that has happened by now.
        thread::sleep(Duration::from_millis(100));
        child.terminate();
        let end = child.end();
        end.assert_code(0);
        assert!(!end.printed().iter().any(|line| line.contains("reloaded")), "{end}");
    }
}

#[test]
fn where_it_is_blocked_at_the_start_it_is_heard() {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGHUP);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK).expect("a mask");
    let child = Child::start(&mut program("listens", "current_thread"));
    before.thread_set_mask().expect("the mask from before");
    child.prints("main listens");
    child.send(Signal::SIGHUP);
    child.prints("main reloaded 1");
    child.terminate();
    child.end().assert_code(0);
}

#[test]
fn after_the_lifecycle_it_means_what_it_meant() {
    let child = Child::start(&mut program("after_a_lifecycle", "current_thread"));
    child.prints("listened");
    child.prints("on its own");
    let sent = child.send(Signal::SIGHUP);
    let end = child.end();
    assert_eq!(end.signal, Some(Signal::SIGHUP), "{end}");
    end.assert_gone_between(sent, Duration::ZERO, PROMPTLY);
}
