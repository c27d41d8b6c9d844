//! How it ended is what the exit code says.
#![cfg(unix)]

use std::process::Command;
use std::time::{Duration, Instant};

use graceful_tests::{Child, End};

fn ends(case: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ends"));
    command.arg(case);
    command
}

/// Lets the worker that drains finish, once `line` was said: it is not waited for before that.
#[track_caller]
fn drains_after(line: &str, mut child: Child) -> Child {
    child.says(line);
    child.tell("go");
    child.prints("drained");
    child
}

#[test]
fn a_failed_worker_is_1_and_the_others_are_drained() {
    let child = Child::start(&mut ends("worker_fails"));
    let said = r#"worker `fetch` failed: "no route to host""#;
    let end = drains_after(said, child).end();
    end.assert_code(1);
    end.assert_printed("main saw the stop");
    end.assert_said("graceful: stop: worker `fetch` failed");
    end.assert_said(&format!("graceful: exit code 1: {said}"));
}

#[test]
fn a_panic_in_a_worker_is_101_and_the_others_are_drained() {
    let child = Child::start(&mut ends("worker_panics"));
    let said = "worker `fetch` panicked: no route to host";
    let end = drains_after(said, child).end_in_panic();
    end.assert_code(101);
    end.assert_printed("main saw the stop");
    end.assert_said(&format!("graceful: exit code 101: {said}"));
    panicked_once(&end);
}

#[test]
fn a_panic_in_the_destructor_of_a_result_is_101() {
    let child = Child::start(&mut ends("worker_panics_in_a_destructor"));
    let end = drains_after("the connection was open", child).end_in_panic();
    end.assert_code(101);
    end.assert_said("graceful: exit code 101: worker `fetch` panicked");
    panicked_once(&end);
}

#[test]
fn a_panic_in_a_destructor_of_a_worker_is_101() {
    let child = Child::start(&mut ends("worker_panics_as_it_goes"));
    let end = drains_after("the connection was open", child).end_in_panic();
    end.assert_code(101);
    end.assert_said("graceful: exit code 101: worker `fetch` panicked");
    panicked_once(&end);
}

#[test]
fn a_panic_in_main_is_101() {
    let child = Child::start(&mut ends("main_panics"));
    let end = drains_after("main panicked: out of luck", child).end_in_panic();
    end.assert_code(101);
    end.assert_said("graceful: exit code 101: main panicked: out of luck");
    panicked_once(&end);
}

#[test]
fn a_result_dropped_in_a_panic_is_not_a_panic_of_its_worker() {
    let child = Child::start(&mut ends("main_panics_with_a_result_in_hand"));
    let end = drains_after("main panicked: out of luck", child).end_in_panic();
    end.assert_code(101);
    end.assert_silent_about("fetch");
}

#[test]
fn an_error_of_main_is_1_and_printed_at_once() {
    let child = Child::start(&mut ends("main_fails"));
    let end = drains_after(r#"Error: "out of luck""#, child).end();
    end.assert_code(1);
    end.assert_said("graceful: exit code 1: main");
    assert_eq!(
        end.stderr
            .iter()
            .filter(|line| line.text.contains("out of luck"))
            .count(),
        1,
        "{end}"
    );
}

#[test]
fn an_exit_code_of_main_is_kept() {
    let child = Child::start(&mut ends("main_gives_a_code"));
    let end = drains_after("main ended while workers run; stopping them: drain", child).end();
    end.assert_code(7);
}

#[test]
fn an_exit_code_of_main_is_kept_past_the_deadline() {
    let begun = Instant::now();
    let end = Child::start(&mut ends("main_gives_a_code_and_leaves_one_stuck")).end();
    end.assert_code(7);
    end.assert_said("graceful: exit code 7");
    end.assert_said("upload (tests/children/ends.rs:");
    end.assert_gone_between(
        begun,
        Duration::from_millis(180),
        Duration::from_millis(500),
    );
}

#[test]
fn a_main_that_returns_stops_the_workers_and_names_them() {
    let child = Child::start(&mut ends("main_returns"));
    let end = drains_after("main ended while workers run; stopping them: drain", child).end();
    end.assert_code(0);
    end.assert_printed("main returned");
    end.assert_silent_about("exit code");
}

#[test]
fn a_main_that_returns_alone_is_0_and_silent() {
    let end = Child::start(&mut ends("main_returns_alone")).end();
    end.assert_code(0);
    assert!(end.stderr.is_empty(), "{end}");
}

#[test]
fn an_exit_in_the_midst_of_it_is_at_once() {
    let begun = Instant::now();
    let end = Child::start(&mut ends("worker_exits")).end();
    end.assert_code(5);
    end.assert_gone_between(begun, Duration::ZERO, Duration::from_millis(500));
}

#[test]
fn with_a_zero_budget_a_main_that_returns_alone_is_0() {
    for _ in 0..20 {
        let end = Child::start(ends("main_returns_alone").env("GRACEFUL_STOP_TIMEOUT", "0s")).end();
        end.assert_code(0);
    }
}

#[track_caller]
fn panicked_once(end: &End) {
    let panics = end
        .stderr
        .iter()
        .filter(|line| line.text.contains("panicked at"))
        .count();
    assert_eq!(panics, 1, "{end}");
}
