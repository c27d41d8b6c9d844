//! Exit codes, deadlines, and outputs that nobody reads.
#![cfg(windows)]

use std::time::Duration;

use graceful_windows::{BUDGET, Child, End, Event, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

/// When workers that still run are aborted: the reserve is a tenth of the budget.
const ABORT: Duration = Duration::from_millis(450);

/// How much later than its budget's end a process may be gone.
const LATE: Duration = Duration::from_millis(50);

/// The same on a machine that is too busy.
const OVERLOADED: Duration = Duration::from_millis(550);

/// A case that is asked to stop, and how long it took.
fn stopped(case: &str, output: Output) -> (End, Duration) {
    let child = Child::start_with(PROGRAM, case, &[], output);
    if output == Output::Unread {
        // Time to set up the case, which nothing else tells: a second and a half, of which a half fills the pipe.
        std::thread::sleep(Duration::from_millis(1500));
    } else {
        child.prints("up");
    }
    let asked = child.send(Event::CtrlBreak);
    let end = child.end();
    let took = end.at - asked;
    (end, took)
}

/// It is gone by its deadline, each time, and on one of five times within 50 ms of it: the machine may be busy.
fn forced(case: &str, output: Output, check: fn(&End)) {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        let (end, took) = stopped(case, output);
        end.assert_code(124);
        check(&end);
        assert!((ABORT..BUDGET + OVERLOADED).contains(&took), "{case}: gone after {took:?}\n{end}");
        shortest = shortest.min(took);
        if shortest <= BUDGET + LATE {
            return;
        }
    }
    panic!("{case}: gone after {shortest:?} at the earliest");
}

#[test]
fn workers_that_do_not_end_are_named_at_the_deadline() {
    forced("waits", Output::Read, |end| end.assert_said("  waits (tests/windows/program.rs:"));
    forced("blocks", Output::Read, |end| {
        end.assert_said("  blocks (tests/windows/program.rs:");
        end.assert_said("ms, blocking its thread (");
        end.assert_said("graceful[program]: exit code 124: out of time, still running: blocks");
    });
    forced("spins", Output::Read, |end| end.assert_said("exit code 124: out of time, still running: spins"));
    forced("spins_on_the_only_thread", Output::Read, |end| {
        end.assert_said("graceful: exit code 124: out of time, still running: ");
    });
}

#[test]
fn a_report_is_written_past_a_lock_on_standard_error() {
    forced("locks_stderr", Output::Read, |end| {
        end.assert_said("  locks_stderr (tests/windows/program.rs:");
        end.assert_said("exit code 124: out of time, still running: locks_stderr");
    });
}

#[test]
fn a_full_pipe_does_not_hold_up_the_deadline() {
    forced("half_a_line_and_a_full_pipe", Output::Unread, |end| {
        end.assert_said("a destructor, a value given to keep() or an exit handler took the rest");
    });
    forced("blocks", Output::UnreadErrors, |_| ());
}

#[test]
fn a_locked_standard_output_holds_up_nothing() {
    let (end, took) = stopped("locks_stdout", Output::Read);
    end.assert_code(0);
    assert!(took < BUDGET, "gone after {took:?}\n{end}");
}

#[test]
fn a_standard_error_without_a_reader_changes_nothing() {
    let (end, _) = stopped("finishes", Output::Broken);
    end.assert_code(0);
    end.assert_printed("finished");
    forced("blocks", Output::Broken, |_| ());
}

#[test]
fn each_end_has_its_code() {
    for (case, code, said) in
        [("fails", 1, "no route to host"), ("panics", 101, "exit code 101: main panicked: no route to host")]
    {
        let end = Child::start(PROGRAM, case).end();
        end.assert_code(code);
        end.assert_said(said);
    }
    let (end, _) = stopped("worker_fails", Output::Read);
    end.assert_code(1);
    end.assert_said(r#"exit code 1: worker `fails` failed: "the disk is full""#);
    let (end, _) = stopped("hooked", Output::Read);
    end.assert_code(0);
    end.assert_printed("pool closed");
    end.assert_said("terminal restored");
}

#[test]
fn a_wrong_environment_is_refused_under_the_programs_name() {
    let end = Child::start_with(PROGRAM, "idle", &[("GRACEFUL_STOP_TIMEOUT", "abc")], Output::Read).end();
    end.assert_code(2);
    end.assert_said("graceful[program]: GRACEFUL_STOP_TIMEOUT=abc: ");
    assert!(end.stdout.is_empty(), "main was run\n{end}");
}
