//! Tools that die of the signal they were stopped by, as their callers expect.
#![cfg(unix)]

use std::process::Command;
use std::time::{Duration, Instant};

use graceful_tests::{Child, End, FLAVOURS, Signal};

const PROMPTLY: Duration = Duration::from_millis(300);

fn tool(case: &str, flavour: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reraises"));
    Child::start(command.args([case, flavour]))
}

/// Everything was done that is done at any end, and then it died of this.
#[track_caller]
fn tidied_up_and_died_of(signal: Signal, end: &End, asked: Instant) {
    assert_eq!((end.code, end.signal), (None, Some(signal)), "{end}");
    end.assert_printed("tidied up");
    end.assert_printed("dropped: what was kept");
    end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
}

#[test]
fn a_clean_stop_is_death_by_its_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        for flavour in FLAVOURS {
            let child = tool("clean", flavour);
            child.prints("up");
            let asked = child.send(signal);
            let end = child.end();
            tidied_up_and_died_of(signal, &end, asked);
            end.assert_said("graceful: stopped in ");
        }
    }
}

#[test]
fn the_first_signal_is_the_one() {
    let child = tool("a_worker_is_stuck", "multi_thread");
    child.prints("up");
    child.terminate();
    child.says("stopping: SIGTERM");
    child.interrupt();
    child.says("SIGINT; stopping already");
    let end = child.end();
    end.assert_code(124);
}

#[test]
fn an_error_of_main_because_of_the_stop_is_still_the_signal() {
    let child = tool("main_fails", "multi_thread");
    child.prints("up");
    let asked = child.terminate();
    let end = child.end();
    tidied_up_and_died_of(Signal::SIGTERM, &end, asked);
    end.assert_said("interrupted");
    end.assert_silent_about("exit code");
}

#[test]
fn the_error_of_main_and_the_lines_about_the_stop_do_not_mix() {
    for _ in 0..20 {
        let child = tool("main_fails", "multi_thread");
        child.prints("up");
        child.terminate();
        let end = child.end();
        let is_whole = |line: &str| end.stderr.iter().any(|said| said.text == line);
        assert!(is_whole(r#"Error: "interrupted""#), "{end}");
        assert!(
            is_whole("graceful: stopping: SIGTERM; gone in 400 ms at the latest"),
            "{end}"
        );
    }
}

#[test]
fn a_failure_wins() {
    for (case, code) in [
        ("a_worker_fails", 1),
        ("main_panics", 101),
        ("a_worker_is_stuck", 124),
    ] {
        let child = tool(case, "multi_thread");
        child.prints("up");
        child.terminate();
        let end = child.end_in_panic();
        end.assert_code(code);
        end.assert_said(&format!("graceful: exit code {code}: "));
        assert_eq!(end.has_said("panicked at"), code == 101, "{end}");
    }
}

#[test]
fn a_stop_that_no_signal_caused_is_an_exit() {
    let end = tool("stops_itself", "multi_thread").end();
    end.assert_code(0);
}

#[test]
fn what_is_left_in_standard_outputs_buffer_is_written() {
    let child = tool("half_a_line", "current_thread");
    child.prints("up");
    let asked = child.terminate();
    let end = child.end();
    tidied_up_and_died_of(Signal::SIGTERM, &end, asked);
    assert_eq!(end.printed().last(), Some(&"half a line"), "{end}");
}

#[test]
fn whoever_holds_standard_output_does_not_hold_the_process() {
    let child = tool("holds_stdout", "multi_thread");
    child.prints("up");
    let asked = child.terminate();
    let end = child.end();
    end.assert_code(124);
    end.assert_gone_between(
        asked,
        Duration::from_millis(380),
        Duration::from_millis(600),
    );
}
