//! Whatever the code does, the process is gone when its budget is, and says who held it up.
#![cfg(unix)]

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::{Child, End, FLAVOURS};

/// The hint for a main that cannot know of the stop.
const HINT: &str = "main never looked at its token";

fn stuck(flavour: &str, case: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stuck"));
    command.args([flavour, case]);
    command
}

/// `spins (tests/children/stuck.rs:96)`: a worker as the report names it.
fn named(worker: &str) -> String {
    let source = include_str!("children/stuck.rs");
    let line = source
        .lines()
        .position(|line| line.contains(&format!("fn {worker}(")));
    format!(
        "{worker} (tests/children/stuck.rs:{})",
        line.expect("it is in the program") + 1
    )
}

/// Has both flavours overrun a budget of a second: gone in time, with the right code.
#[track_caller]
fn overrun(case: &str, code: i32) -> [End; 2] {
    let children = FLAVOURS.map(|flavour| Child::start(&mut stuck(flavour, case)));
    let stopped = children.map(|child| {
        child.prints("stuck");
        let asked = child.terminate();
        (child, asked)
    });
    stopped.map(|(child, asked)| {
        let end = child.end();
        assert_gone_after_a_second(&end, asked);
        end.assert_code(code);
        end
    })
}

#[track_caller]
fn assert_gone_after_a_second(end: &End, asked: Instant) {
    end.assert_gone_between(
        asked,
        Duration::from_millis(900),
        Duration::from_millis(1050),
    );
}

#[test]
fn a_worker_that_never_finishes_is_named_and_aborted() {
    for end in overrun("waits", 124) {
        end.assert_said(&format!("  {}: still running after ", named("waits")));
        end.assert_said(", waiting in an await");
        end.assert_said("graceful: exit code 124: out of time, still running: waits");
        end.assert_silent_about(HINT);
        end.assert_silent_about("untracked");
        end.assert_printed("dropped: the worker's value");
        end.assert_printed("dropped: main's value");
    }
}

#[test]
fn a_worker_that_never_yields_does_not_hold_the_deadline() {
    for end in overrun("spins", 124) {
        end.assert_said(&format!(
            "  {}: still running, blocking its thread (",
            named("spins")
        ));
    }
}

#[test]
fn a_worker_that_sleeps_on_its_thread_does_not_hold_the_deadline() {
    for end in overrun("sleeps", 124) {
        end.assert_said(&format!(
            "  {}: still running, blocking its thread (",
            named("sleeps")
        ));
    }
}

#[test]
fn a_main_that_waits_for_the_stop_is_not_said_to_have_never_looked() {
    // Its thread is blocked by another, so that it has not been polled since.
    for end in overrun("sleeps", 124) {
        end.assert_silent_about(HINT);
    }
}

#[test]
fn a_blocking_worker_is_waited_for_until_the_deadline() {
    for end in overrun("blocks", 124) {
        end.assert_said(&format!("  {}: still running after ", named("blocks")));
        end.assert_said("s, blocking its thread (");
        end.assert_printed("dropped: main's value");
    }
}

#[test]
fn a_tracked_closure_that_blocks_is_waited_for_until_the_deadline() {
    for end in overrun("blocks_unannotated", 124) {
        end.assert_said("  copy (tests/children/stuck.rs:");
        end.assert_said("s, blocking its thread (");
    }
}

#[test]
fn a_worker_that_awaits_an_untracked_task_is_named() {
    for end in overrun("awaits_untracked", 124) {
        end.assert_said(&format!(
            "  {}: still running after ",
            named("awaits_untracked")
        ));
        end.assert_said(", waiting in an await");
        end.assert_said("  1 untracked task was dropped");
        end.assert_printed("dropped: the untracked task's value");
    }
}

#[test]
fn a_result_that_blocks_while_it_is_dropped_is_named() {
    for end in overrun("leaves_a_slow_result", 124) {
        end.assert_said(&format!(
            "  {}: still running, blocking its thread (",
            named("leaves_a_slow_result")
        ));
        end.assert_printed("dropping slowly");
    }
}

#[test]
fn a_result_that_blocks_where_main_held_it_does_not_hold_the_deadline() {
    for end in overrun("leaves_a_slow_result_to_main", 124) {
        end.assert_printed("dropping slowly");
        end.assert_said("  main: still running");
    }
}

#[test]
fn a_destructor_that_blocks_after_the_abort_does_not_hold_the_deadline() {
    for end in overrun("destructor_sleeps", 124) {
        end.assert_said(&format!(
            "  {}: still running after ",
            named("destructor_sleeps")
        ));
        end.assert_printed("dropping slowly");
    }
}

#[test]
fn a_destructor_of_an_untracked_task_does_not_hold_the_deadline() {
    let [one_thread, many_threads] = ["current_thread", "multi_thread"].map(|flavour| {
        let child = Child::start(&mut stuck(flavour, "untracked_destructor_sleeps"));
        child.prints("stuck");
        let asked = child.terminate();
        (child.end(), asked)
    });
    // Main's own thread runs the destructor, and nothing can take it away.
    assert_gone_after_a_second(&one_thread.0, one_thread.1);
    one_thread.0.assert_code(124);
    // Another thread does, and it is nobody that is waited for.
    many_threads
        .0
        .assert_gone_between(many_threads.1, Duration::ZERO, Duration::from_millis(250));
    many_threads.0.assert_code(0);
}

#[test]
fn a_kept_value_that_blocks_does_not_hold_the_deadline() {
    for end in overrun("kept_value_sleeps", 124) {
        end.assert_printed("dropping slowly");
        end.assert_said("a destructor, a value given to keep() or an exit handler took the rest");
    }
}

#[test]
fn a_destructor_of_mains_thread_does_not_hold_the_deadline() {
    for end in overrun("thread_local_sleeps", 124) {
        end.assert_printed("dropping slowly");
        end.assert_said("a destructor, a value given to keep() or an exit handler took the rest");
    }
}

#[test]
fn a_waker_that_blocks_inside_the_cancel_does_not_hold_the_deadline() {
    for end in overrun("waker_sleeps", 124) {
        end.assert_printed("waker called");
        end.assert_printed("dropped: main's value");
    }
}

#[test]
fn a_waker_of_a_worker_that_blocks_inside_the_cancel_does_not_hold_the_deadline() {
    for end in overrun("waker_sleeps_in_a_worker", 124) {
        end.assert_printed("waker called");
    }
}

#[test]
fn a_stop_that_a_waker_holds_up_says_so() {
    for end in overrun("waker_sleeps", 124) {
        end.assert_said("the stop is held up by a waker that blocks");
    }
}

#[test]
fn a_main_that_never_looks_at_its_token_gets_a_hint() {
    for end in overrun("main_never_looks", 124) {
        end.assert_said("  main: still running after ");
        end.assert_said(HINT);
        end.assert_printed("dropped: main's value");
    }
}

#[test]
fn a_main_that_never_yields_does_not_hold_the_deadline() {
    for end in overrun("main_spins", 124) {
        end.assert_said("  main: still running, blocking its thread (main for ");
        end.assert_said(HINT);
    }
}

#[test]
fn a_main_that_saw_the_stop_and_stays_gets_no_hint() {
    for end in overrun("main_looks_and_stays", 124) {
        end.assert_said("  main: still running after ");
        end.assert_silent_about(HINT);
    }
}

#[test]
fn many_are_counted_by_function() {
    for end in overrun("many", 124) {
        end.assert_said(&format!("  {}: 3 still running after ", named("waits")));
        end.assert_said("graceful: exit code 124: out of time, still running: waits ×3, blocks");
    }
}

#[test]
fn a_failure_before_the_deadline_decides_the_code() {
    for end in overrun("fails_first", 1) {
        end.assert_said(
            r#"graceful: exit code 1: worker `flush` failed: "the disk is full", still running: waits"#,
        );
        end.assert_said(&format!("  {}: still running after ", named("waits")));
    }
}

/// Stops many at once, each with a fifth of a second, and looks at how each ended.
fn time_and_again(case: &str, look: impl Fn(End) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < 96 {
                    let mut command = stuck("multi_thread", case);
                    let child = Child::start(command.env("GRACEFUL_STOP_TIMEOUT", "200ms"));
                    child.prints("stuck");
                    child.terminate();
                    look(child.end());
                }
            });
        }
    });
}

#[test]
fn the_report_is_written_whoever_gets_to_it_first() {
    // Main's thread and the watch both want it when the wait for a blocking worker is over.
    time_and_again("blocks", |end| {
        end.assert_code(124);
        end.assert_said(&named("blocks"));
        end.assert_said("graceful: exit code 124: out of time, still running: blocks");
    });
}

#[test]
fn a_result_is_waited_for_from_the_moment_its_worker_is_gone() {
    time_and_again("leaves_a_slow_result", |end| {
        end.assert_code(124);
        end.assert_said(&named("leaves_a_slow_result"));
    });
}

#[test]
fn while_it_waits_the_stop_says_for_whom() {
    let child = Child::start(stuck("multi_thread", "many").env("GRACEFUL_STOP_TIMEOUT", "3s"));
    child.prints("stuck");
    let asked = child.terminate();
    for (waited, after) in [("(1 s)", 1000), ("(2 s)", 2000)] {
        let said = child.says(&format!(
            "still waiting for: waits ×3 {waited}, blocks {waited}"
        ));
        let took = said - asked;
        let after = Duration::from_millis(after);
        assert!(
            (after..after + Duration::from_millis(100)).contains(&took),
            "said after {took:?}"
        );
    }
    let end = child.end();
    end.assert_gone_between(
        asked,
        Duration::from_millis(2700),
        Duration::from_millis(3050),
    );
    end.assert_code(124);
    end.assert_printed("dropped: the worker's value");
}

#[test]
fn the_environment_wins_over_the_attribute() {
    let child = Child::start(stuck("multi_thread", "waits").env("GRACEFUL_STOP_TIMEOUT", "300ms"));
    child.prints("stuck");
    let asked = child.terminate();
    let end = child.end();
    end.assert_gone_between(
        asked,
        Duration::from_millis(270),
        Duration::from_millis(350),
    );
    end.assert_code(124);
}

#[test]
fn a_zero_budget_is_an_immediate_hard_stop() {
    for case in ["waits", "spins", "blocks"] {
        for flavour in FLAVOURS {
            let child = Child::start(stuck(flavour, case).env("GRACEFUL_STOP_TIMEOUT", "0s"));
            child.prints("stuck");
            let asked = child.terminate();
            let end = child.end();
            end.assert_gone_between(asked, Duration::ZERO, Duration::from_millis(50));
            end.assert_code(124);
            end.assert_said(&format!("  {}: still running", named(case)));
        }
    }
}

/// The deadline of the attribute passes, and the child is still there.
#[track_caller]
fn outlives_a_second(limit: &str) {
    let child = Child::start(stuck("multi_thread", "waits").env("GRACEFUL_STOP_TIMEOUT", limit));
    child.prints("stuck");
    child.terminate();
    child.says("still waiting for: waits (2 s)");
    child.interrupt();
    child.says("SIGINT; stopping already");
    thread::sleep(Duration::from_millis(110));
    let asked = child.interrupt();
    let end = child.end();
    end.assert_code(130);
    end.assert_gone_between(asked, Duration::ZERO, Duration::from_millis(250));
}

#[test]
fn none_is_no_deadline() {
    outlives_a_second("none");
}

#[test]
fn a_budget_beyond_the_clock_is_no_deadline() {
    outlives_a_second("18446744073709551615s");
}

#[test]
fn a_budget_of_centuries_is_as_good_as_none() {
    outlives_a_second("9000000000s");
}
