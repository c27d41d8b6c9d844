//! Parts of a program as processes show them: exit codes, lines and reports.
#![cfg(unix)]

use std::process::Command;

use graceful_tests::{Child, End};

fn child(case: &str) -> Child {
    Child::start(Command::new(env!("CARGO_BIN_EXE_parts")).arg(case))
}

/// Stopped by SIGTERM once it is ready.
fn end(case: &str) -> End {
    let child = child(case);
    child.prints("ready");
    child.terminate();
    child.end()
}

#[test]
fn an_overrun_apart_from_the_stop_is_no_part_of_a_stop_that_comes_later() {
    let end = end("an_overrun_before_the_stop");
    end.assert_code(0);
    end.assert_printed("it has ended");
    end.assert_said("worker `stuck` did not end within 200 ms and was aborted");
}

#[test]
fn an_overrun_apart_from_the_stop_is_a_failure_where_the_policy_is_to_stop() {
    let end = child("an_overrun_that_is_a_failure").end();
    end.assert_code(124);
    end.assert_said("stopping: worker `stuck` failed");
}

#[test]
fn a_cut_at_the_stop_can_be_tolerated() {
    let end = end("a_cut_at_the_stop");
    end.assert_code(0);
    end.assert_said("worker `stuck` did not end within 200 ms and was aborted");
}

#[test]
fn of_a_part_that_was_stopped_no_line_says_that_it_ended_by_itself() {
    let end = end("a_part_that_is_stopped");
    end.assert_code(0);
    end.assert_silent_about("ended by itself");
}

#[test]
fn a_worker_of_a_later_stage_that_was_stopped_can_be_awaited() {
    let end = end("a_child_of_a_later_stage");
    end.assert_code(0);
    end.assert_silent_about("deadlock");
}

#[test]
fn a_restart_says_what_it_waits_for() {
    let child = child("a_restart_that_waits");
    child.prints("ready");
    child.says("restart of restarts waits for helper ×1 (1 s)");
    child.says("retrying in");
    child.terminate();
    child.end().assert_code(0);
}

#[test]
fn a_report_names_the_part_that_held_the_exit_up_by_its_path() {
    let end = end("a_path");
    end.assert_code(124);
    end.assert_said("  serve > connection (tests/children/parts.rs:");
    end.assert_said("out of time, still running: connection");
    end.assert_silent_about("  serve (");
}

#[test]
fn a_failure_can_be_kept_inside_a_part() {
    let end = end("a_failure_that_stays_inside");
    end.assert_code(0);
    let text = "worker `part` failed: worker `child` failed: worker `grandchild` failed: \"deep down\"";
    end.assert_printed(text);
    end.assert_said(text);
}

#[test]
fn a_worker_that_waits_for_the_one_above_is_warned() {
    let end = end("a_worker_that_waits_for_the_one_above");
    end.assert_code(0);
    end.assert_said("deadlock: `parent` is awaited by a worker below it");
}
