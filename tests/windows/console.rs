//! The events of the console: each asks for the stop as a signal does elsewhere.
#![cfg(windows)]

use std::time::Duration;

use graceful_windows::{Child, Event, Output, PROMPTLY};

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

#[test]
fn each_event_stops_the_process() {
    for (event, signal) in [
        (Event::CtrlC, "SIGINT"),
        (Event::CtrlBreak, "SIGTERM"),
        (Event::Close, "SIGTERM"),
        (Event::Logoff, "SIGTERM"),
        (Event::Shutdown, "SIGTERM"),
    ] {
        let child = Child::start(PROGRAM, "idle");
        child.prints("up");
        let asked = child.send(event);
        let end = child.end();
        end.assert_code(0);
        end.assert_said(&format!("graceful[program]: stopping: {signal}"));
        end.assert_printed("main saw the stop");
        assert!(end.at - asked < PROMPTLY, "{event:?}: gone after {:?}\n{end}", end.at - asked);
    }
}

/// The system ends the process when the handler has returned.
#[test]
fn the_handler_of_a_closed_console_does_not_return() {
    for (event, returns) in [
        (Event::CtrlC, true),
        (Event::CtrlBreak, true),
        (Event::Close, false),
        (Event::Logoff, false),
        (Event::Shutdown, false),
    ] {
        let child = Child::start(PROGRAM, "finishes");
        child.prints("up");
        assert_eq!(child.has_handled(event, Duration::from_millis(150)), returns, "{event:?}\n{child}");
        let end = child.end();
        end.assert_code(0);
        end.assert_printed("finished");
    }
}

#[test]
fn a_budget_longer_than_the_system_waits_is_said() {
    let said = |event, budget| {
        let child = Child::start_with(PROGRAM, "idle", &[("GRACEFUL_STOP_TIMEOUT", budget)], Output::Read);
        child.prints("up");
        child.send(event);
        let end = child.end();
        end.assert_code(0);
        end.has_said("Windows ends the process 5 s after its console is closed, and stop_timeout is 25 s")
    };
    assert!(said(Event::Close, "25s"));
    assert!(!said(Event::Close, "4s"));
    assert!(!said(Event::CtrlC, "25s"));
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let child = Child::start_with(PROGRAM, "waits", &[("GRACEFUL_STOP_TIMEOUT", "1h")], Output::Read);
    child.prints("up");
    child.send(Event::CtrlC);
    // The same once more, within 100 ms, counts once.
    child.send(Event::CtrlC);
    child.says("stopping: SIGINT");
    std::thread::sleep(Duration::from_millis(200));
    let again = child.send(Event::CtrlC);
    let end = child.end();
    end.assert_code(130);
    end.assert_said("exit code 130: forced by a second SIGINT");
    assert!(end.at - again < PROMPTLY, "gone after {:?}\n{end}", end.at - again);
}

#[test]
fn a_second_ctrl_break_changes_nothing() {
    let child = Child::start(PROGRAM, "finishes");
    child.prints("up");
    child.send(Event::CtrlBreak);
    child.says("stopping: SIGTERM");
    std::thread::sleep(Duration::from_millis(150));
    child.send(Event::CtrlBreak);
    let end = child.end();
    end.assert_code(0);
    end.assert_said("SIGTERM received; already stopping");
    end.assert_printed("finished");
}

#[test]
fn an_event_that_is_not_among_the_signals_has_its_default_meaning() {
    let child = Child::start(PROGRAM, "sigterm_only");
    child.prints("up");
    let sent = child.send(Event::CtrlC);
    let end = child.end();
    end.assert_ended_by_the_event(sent);
    assert!(!end.has_said("stopping"), "{end}");
}

#[test]
fn a_lifecycle_that_is_over_leaves_no_handler_and_no_thread() {
    let mut child = Child::start(PROGRAM, "one_after_another");
    for name in ["first", "second"] {
        child.prints(name);
        child.send(Event::CtrlC);
    }
    child.prints("two are over");
    let after_two = settled(&child);
    child.tell("go");
    child.prints("all are over");
    assert_eq!(settled(&child), after_two, "threads are left behind");
    let sent = child.send(Event::CtrlC);
    child.end().assert_ended_by_the_event(sent);
}

/// How many threads it has once it starts and ends none. Those of a lifecycle that is over end by themselves.
fn settled(child: &Child) -> usize {
    let mut count = child.threads();
    let mut same = 0;
    while same < 20 {
        std::thread::sleep(Duration::from_millis(10));
        let now = child.threads();
        same = if now == count { same + 1 } else { 0 };
        count = now;
    }
    count
}
