//! A program that cannot start says why.
#![cfg(unix)]

use std::process::Command;

use graceful_tests::{Child, End};

fn service() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fault"));
    command.args(["multi_thread", "clean", "idle"]);
    command
}

/// One line on standard error, exit code 2, main not run.
#[track_caller]
fn assert_refused(end: &End) {
    end.assert_code(2);
    assert_eq!(end.stderr.len(), 1, "not one line\n{end}");
    assert!(end.stdout.is_empty(), "main was run\n{end}");
}

#[test]
fn a_wrong_value_in_the_environment_is_refused() {
    for value in ["abc", "", "25", "1.5s", "-1s", "1h 30"] {
        let end = Child::start(service().env("GRACEFUL_STOP_TIMEOUT", value)).end();
        assert_refused(&end);
        end.assert_said(&format!("graceful: GRACEFUL_STOP_TIMEOUT={value}: "));
        end.assert_said(r#""30s""#);
    }
}

#[test]
fn a_program_with_a_name_is_refused_under_its_name() {
    let mut children = Command::new(env!("CARGO_BIN_EXE_example-children"));
    let end = Child::start(children.env("GRACEFUL_DRAIN", "abc")).end();
    assert_refused(&end);
    end.assert_said("graceful[children]: GRACEFUL_DRAIN=abc: ");
}

#[test]
fn a_value_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"\xff\n30s");
    let end = Child::start(service().env("GRACEFUL_STOP_TIMEOUT", value)).end();
    assert_refused(&end);
    end.assert_said("GRACEFUL_STOP_TIMEOUT=");
}

#[test]
fn a_name_in_the_environment_that_means_nothing_is_said_once() {
    let child = Child::start(service().env("GRACEFUL_STOPTIMEOUT", "5s"));
    child.says(
        "in the environment: GRACEFUL_STOPTIMEOUT means nothing here; there are GRACEFUL_STOP_TIMEOUT, GRACEFUL_DRAIN, ",
    );
    child.terminate();
    let end = child.end();
    end.assert_code(0);
    assert_eq!(end.stderr.iter().filter(|line| line.text.contains("means nothing here")).count(), 1, "{end}");
}

#[test]
fn a_drain_that_is_cut_is_said() {
    let child = Child::start(service().envs([("GRACEFUL_STOP_TIMEOUT", "3s"), ("GRACEFUL_DRAIN", "2500ms")]));
    child.says(
        "drain is 2.5 s, more than half of stop_timeout (3 s), and cut to 1.5 s: set GRACEFUL_DRAIN to less, or ",
    );
    child.terminate();
    child.end().assert_code(0);
}

#[test]
fn outside_any_lifecycle_the_missing_attribute_is_named() {
    for case in ["worker", "spawn", "spawn_blocking", "stop", "keep"] {
        let end = Child::start(Command::new(env!("CARGO_BIN_EXE_outside")).arg(case)).end_in_panic();
        end.assert_code(101);
        end.assert_said(&format!("panicked at {}:", end.stdout[0].text));
        end.assert_said("#[graceful::main]");
    }
}

fn twice(case: &str) -> End {
    Child::start(Command::new(env!("CARGO_BIN_EXE_twice")).arg(case)).end_in_panic()
}

#[test]
fn any_thread_of_a_program_finds_its_lifecycle() {
    let end = twice("beside");
    end.assert_code(0);
    end.assert_printed("stopping: true");
}

#[test]
fn a_lifecycle_inside_a_runtime_is_refused() {
    let end = twice("inside_a_runtime");
    end.assert_code(101);
    end.assert_said("panicked at tests/children/twice.rs:");
    end.assert_said("a lifecycle cannot start inside a tokio runtime");
}

#[test]
fn a_lifecycle_beside_another_is_refused() {
    let end = twice("inside_another");
    end.assert_code(0);
    end.assert_printed("refused: true");
    end.assert_said("panicked at tests/children/twice.rs:");
    end.assert_said("a lifecycle is already running in this process");
    assert!(!end.printed().contains(&"inner entered"), "{end}");
}

#[test]
fn attributes_and_environment_read_durations_alike() {
    // The first is a symlink to the second; a copy in its place would drift.
    let [attributes, environment] =
        [include_str!("../macros/src/duration.rs"), include_str!("../runtime/src/model/duration.rs")];
    assert!(attributes == environment, "the two copies of duration.rs differ");
}
