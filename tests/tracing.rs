//! What a subscriber receives: an event for each thing that happens, with fields, and a span around each worker.
#![cfg(unix)]

use std::process::Command;

use graceful_tests::{Child, End};

fn stop(case: &str) -> End {
    stop_filtered(&[case])
}

/// The case, and a filter that the subscriber has.
fn stop_filtered(arguments: &[&str]) -> End {
    stop_with(Command::new(env!("CARGO_BIN_EXE_traced")).args(arguments), arguments)
}

fn stop_with(command: &mut Command, arguments: &[&str]) -> End {
    let child = Child::start(command);
    child.prints("up");
    if arguments == ["healthy"] {
        // A run that has not begun at the stop never does.
        child.prints_part("message=from a tick");
    }
    child.terminate();
    child.end()
}

/// The event that contains all of these.
#[track_caller]
fn event<'a>(end: &'a End, level: &str, parts: &[&str]) -> &'a str {
    let printed = end.printed();
    let found = printed.iter().find(|line| line.starts_with(level) && parts.iter().all(|part| line.contains(part)));
    found.unwrap_or_else(|| panic!("no {level} event with {parts:?}\n{end}"))
}

#[test]
fn a_healthy_run_is_quiet_and_every_step_is_an_event() {
    let end = stop("healthy");
    end.assert_code(0);
    let said = end.printed();
    let ours = |line: &&&str| line.starts_with("INFO []");
    assert!(said.iter().filter(ours).count() < 10, "{end}");
    let loud = |line: &&&str| line.starts_with("WARN") || line.starts_with("ERROR");
    assert_eq!(said.iter().filter(loud).count(), 0, "{end}");

    event(&end, "DEBUG", &["message=stop_timeout 1 s (set in code)"]);
    for state in ["ready", "draining", "stopping", "stopped"] {
        event(&end, "DEBUG", &[&format!(" state={state}")]);
    }
    event(&end, "INFO", &[" cause=SIGTERM", " signal=SIGTERM", " remaining_ms=1000"]);
    event(&end, "DEBUG", &[" hook=deregister", " stage=before_stop", " elapsed_ms="]);
    event(&end, "DEBUG", &[" hook=flush", " stage=on_stop"]);
    event(&end, "INFO", &["message=stopped in", " elapsed_ms=", " code=0"]);
    assert!(end.stderr.is_empty(), "{end}");
}

#[test]
fn a_worker_runs_in_a_span_of_its_name() {
    let end = stop("healthy");
    for (name, text) in [
        ("greet", "hello"),
        ("greet", "hello again"),
        ("block", "from a thread"),
        ("nap", "from a tick"),
        ("again", "from a run"),
    ] {
        event(&end, "INFO", &[&format!("[worker{{name={name}}}]"), &format!(" message={text}")]);
    }
}

#[test]
fn an_abort_and_a_bad_end_are_events() {
    let end = stop("stuck");
    end.assert_code(124);
    event(
        &end,
        "WARN",
        &[
            "message=aborting: stuck",
            " worker=stuck",
            " location=tests/children/traced.rs:",
            " elapsed_ms=",
            " remaining_ms=",
        ],
    );
    event(&end, "ERROR", &["message=exit code 124: out of time", " code=124"]);
    // The report is on standard error all the same, and once.
    end.assert_said("graceful: exit code 124: out of time, still running: stuck");
    end.assert_silent_about("aborting");
}

#[test]
fn a_failure_is_an_event_with_its_worker() {
    let end = stop("fails");
    end.assert_code(1);
    event(&end, "ERROR", &["worker `fail` failed: \"no disk\"", " worker=fail", " location=tests/children/traced.rs:"]);
    event(&end, "ERROR", &[" code=1"]);
}

#[test]
fn a_restart_is_an_event_with_its_worker() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
    let child = Child::start(command.arg("restarts"));
    child.prints("again");
    child.terminate();
    let end = child.end();
    end.assert_code(0);
    event(&end, "WARN", &["; retrying in ", " worker=flaky"]);
}

#[test]
fn lines_that_a_filter_for_other_targets_leaves_out_are_on_standard_error() {
    for of_a_layer in [&[][..], &["layer"]] {
        let arguments = [&["stuck", "traced=debug,tower_http=debug"], of_a_layer].concat();
        let end = stop_filtered(&arguments);
        end.assert_code(124);
        end.assert_said("graceful: stopping: SIGTERM; serving for another 50 ms, gone in 1 s at the latest");
        end.assert_silent_about("state: ");
        end.assert_silent_about("aborting: ");
        assert!(!end.printed().iter().any(|line| line.contains("stopping")), "{end}");
    }
}

#[test]
fn a_filter_that_names_the_crate_decides_what_is_recorded() {
    for (filter, info) in [("traced=debug,graceful=info", true), ("error", false), ("graceful=warn", false)] {
        let end = stop_filtered(&["stuck", filter]);
        end.assert_code(124);
        let recorded = end.printed().iter().any(|line| line.contains("message=stopping: SIGTERM"));
        assert_eq!(recorded, info, "{filter}\n{end}");
        end.assert_silent_about("stopping: SIGTERM; serving");
    }
}

#[test]
fn what_a_stop_waits_for_survives_any_filter() {
    for filter in ["error", "off", "traced=debug"] {
        let arguments = ["stuck", filter];
        let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
        let end = stop_with(command.args(arguments).env("GRACEFUL_STOP_TIMEOUT", "1500ms"), &arguments);
        end.assert_code(124);
        end.assert_said("graceful: still waiting for: stuck (1 s)");
    }
    let arguments = ["stuck", "graceful=warn"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_traced"));
    let end = stop_with(command.args(arguments).env("GRACEFUL_STOP_TIMEOUT", "1500ms"), &arguments);
    end.assert_silent_about("still waiting");
    event(&end, "WARN", &["message=still waiting for: stuck (1 s)"]);
}
