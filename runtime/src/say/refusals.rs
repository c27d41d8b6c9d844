//! What is said where a lifecycle cannot start, where a call makes no sense, and where a test fails.

use std::fmt;
use std::io;

use crate::model::failure::Failure;
use crate::model::still_running::StopFacts;
use crate::os::signal::Signal;
use crate::say::line::Line;
use crate::say::lines::more_failures;

pub(crate) fn misconfigured(why: &str) -> String {
    format!("graceful: {why}")
}

pub(crate) fn no_thread(error: &io::Error) -> String {
    format!("graceful: cannot start: no thread to be had: {error}; look at the limits on processes and memory")
}

pub(crate) fn no_inbox(error: &io::Error) -> String {
    format!("graceful: cannot start: no socket pair to be had: {error}; look at the limit on open files")
}

pub(crate) fn no_handler(signal: Signal, error: &io::Error) -> String {
    format!("graceful: cannot start: no handler for {signal}: {error}")
}

pub(crate) fn no_runtime(error: &io::Error) -> String {
    format!("graceful: {}", without_runtime(error))
}

/// The same, said by the watch: tokio has panicked, and waits for ever for the threads it had got.
pub(crate) fn no_runtime_to_come_back_from(why: &io::Error) -> Line {
    Line::report(without_runtime(why))
}

fn without_runtime(why: impl fmt::Display) -> String {
    format!("cannot start: no tokio runtime: {why}; look at the limits on threads and open files")
}

pub(crate) fn outside(what: &str) -> String {
    format!("{what} outside any lifecycle: annotate main with #[graceful::main] (or the test with #[graceful::test])")
}

pub(crate) const RUNS_ALREADY: &str =
    "a lifecycle runs in this process already: it has one #[graceful::main] at a time (tests take #[graceful::test])";

pub(crate) const INSIDE_A_RUNTIME: &str =
    "a lifecycle cannot start inside a tokio runtime: call it from a synchronous main, without #[tokio::main]";

pub(crate) const NO_SIGTERM: &str =
    "signals without SIGTERM: a supervisor's stop would kill the process; add Signal::Terminate";

pub(crate) const NO_THREADS: &str = "worker_threads needs at least one";

pub(crate) const DUMP_STOPS: &str = "dump with a signal that asks for the stop: take another";

pub(crate) fn test_aborted(report: Option<&StopFacts>) -> String {
    format!("the test had to be aborted: its stop_timeout passed{}", left_behind(report))
}

pub(crate) fn test_failed(failures: &[Failure], more: usize, report: Option<&StopFacts>) -> String {
    let more = (more > 0).then(|| more_failures(more));
    format!(
        "workers of the test did not end well:{}{}{}",
        indented(failures),
        indented(more.as_slice()),
        left_behind(report)
    )
}

fn left_behind(report: Option<&StopFacts>) -> String {
    report.map_or_else(String::new, |report| indented(&report.stuck))
}

/// A line each.
fn indented(items: &[impl fmt::Display]) -> String {
    items.iter().fold(String::new(), |list, item| list + "\n  " + &item.to_string())
}

pub(crate) const SIGHUP_STOPS: &str = "reloads() while SIGHUP asks for the stop: take SIGHUP out of `signals`";

pub(crate) const NO_RESTART: &str =
    "this worker cannot be run again: it is one future; make it with an attribute or Worker::new";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_start_says_what_was_not_to_be_had_and_why() {
        let error = io::Error::other("none left");
        let starts = |text: &str, missing: &str| {
            let start = format!("graceful: cannot start: {missing}: none left");
            assert!(text.starts_with(&start), "{text}");
        };
        starts(&no_thread(&error), "no thread to be had");
        starts(&no_inbox(&error), "no socket pair to be had");
        starts(&no_handler(Signal::Terminate, &error), "no handler for SIGTERM");
        starts(&no_runtime(&error), "no tokio runtime");
        let said = no_runtime_to_come_back_from(&error);
        let start = "cannot start: no tokio runtime: none left";
        assert!(said.text.starts_with(start), "{}", said.text);
    }
}
