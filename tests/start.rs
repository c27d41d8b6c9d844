//! No signal is lost while a process starts, and what cannot start says why.
#![cfg(unix)]

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use graceful_tests::{Child, End, Signal};
use nix::sys::signal::{SigSet, SigmaskHow};

fn entering(case: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entering"));
    command.arg(case);
    command
}

fn service() -> Command {
    Command::new(env!("CARGO_BIN_EXE_service"))
}

#[test]
fn a_signal_during_a_long_start_is_remembered() {
    let mut child = Child::start(&mut entering("blocking_main"));
    child.prints("main entered");
    child.terminate();
    child.says("stopping: SIGTERM");
    child.tell("go");
    let end = child.end();
    end.assert_code(0);
    assert_eq!(
        end.printed(),
        [
            "main entered",
            "stopping before the first await: true",
            "farewell"
        ]
    );
}

#[test]
fn a_signal_while_the_runtime_is_built_is_remembered() {
    let mut child = Child::start(&mut entering("blocking_runtime"));
    child.prints("runtime entered");
    child.terminate();
    child.says("stopping: SIGTERM");
    child.tell("go");
    let end = child.end();
    end.assert_code(0);
    assert_eq!(
        end.printed(),
        ["runtime entered", "main entered", "farewell"]
    );
}

#[test]
fn a_signal_from_before_the_start_is_handled() {
    // Blocked where the program is started, so that it waits for whoever lets it through.
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTERM);
    let before = blocked
        .thread_swap_mask(SigmaskHow::SIG_BLOCK)
        .expect("a mask");
    for _ in 0..50 {
        let child = Child::start(&mut entering("busily"));
        child.terminate();
        let end = child.end();
        end.assert_code(0);
        assert_eq!(end.printed(), ["main entered", "farewell"], "{end}");
    }
    before.thread_set_mask().expect("the mask from before");
}

#[test]
fn a_signal_at_any_moment_of_the_start_is_handled() {
    const TIMES: usize = 200;
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let number @ 0..TIMES = next.fetch_add(1, Ordering::Relaxed) {
                    let child = Child::start(&mut entering("busily"));
                    let delay = Duration::from_micros(random(number) % 50_000);
                    child.prints("main entered");
                    thread::sleep(delay);
                    child.terminate();
                    let end = child.end();
                    assert_eq!(end.code, Some(0), "signalled after {delay:?}\n{end}");
                    assert_eq!(
                        end.printed(),
                        ["main entered", "farewell"],
                        "signalled after {delay:?}\n{end}"
                    );
                    end.assert_said("stopping: SIGTERM");
                }
            });
        }
    });
}

/// The same on every run, so that a failure can be looked at again (splitmix64).
fn random(number: usize) -> u64 {
    let mut z = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
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
fn a_value_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"\xff\n30s");
    let end = Child::start(service().env("GRACEFUL_STOP_TIMEOUT", value)).end();
    assert_refused(&end);
    end.assert_said("GRACEFUL_STOP_TIMEOUT=");
}

#[test]
fn too_few_open_files_are_one_line_and_2() {
    let mut refusals = Vec::new();
    // With three the loader finds no library.
    for limit in 4..=24 {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]);
        shell.args([env!("CARGO_BIN_EXE_ends"), "main_returns_alone"]);
        let end = Child::start(&mut shell).end();
        println!("{limit}: {end}");
        if end.code != Some(0) {
            assert_refused(&end);
            refusals.push(end.stderr[0].text.clone());
        }
    }
    // What each step of the start needs is said of that step.
    for step in [
        "no socket pair to be had",
        "no handler for SIGTERM",
        "no handler for SIGINT",
        "no tokio runtime",
    ] {
        assert!(
            refusals.iter().any(|line| line.contains(step)),
            "{step}: {refusals:#?}"
        );
    }
}

#[test]
fn no_memory_for_a_thread_is_one_line_and_2() {
    let end = Child::start(service().env("RUST_MIN_STACK", (1_u64 << 60).to_string())).end();
    assert_refused(&end);
    end.assert_said("graceful: cannot start: no thread to be had");
}

#[test]
fn no_memory_for_a_thread_of_the_runtime_is_one_line_and_2() {
    let end = Child::start(&mut entering("huge_threads")).end();
    assert_refused(&end);
    end.assert_said("graceful: cannot start: no tokio runtime");
}

#[test]
fn outside_any_lifecycle_the_missing_attribute_is_named() {
    for case in ["worker", "spawn", "spawn_blocking", "stop", "keep"] {
        let end =
            Child::start(Command::new(env!("CARGO_BIN_EXE_outside")).arg(case)).end_in_panic();
        end.assert_code(101);
        end.assert_said(&format!("panicked at {}:", end.stdout[0].text));
        end.assert_said("#[graceful::main]");
    }
}

fn twice(case: &str) -> End {
    Child::start(Command::new(env!("CARGO_BIN_EXE_twice")).arg(case)).end_in_panic()
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
    end.assert_said("a lifecycle runs in this process already");
    assert!(!end.printed().contains(&"inner entered"), "{end}");
}

#[test]
fn attributes_and_environment_read_durations_alike() {
    // One is checked while compiling, by a crate that shares no code with the other.
    let [attributes, environment] = [
        include_str!("../macros/src/duration.rs"),
        include_str!("../runtime/src/duration.rs"),
    ];
    assert!(
        attributes == environment,
        "the two copies of duration.rs differ"
    );
}
