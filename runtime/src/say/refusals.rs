//! The lines for a lifecycle that cannot start, a call that makes no sense, and a test that fails.

use std::fmt;
use std::io;

use crate::model::failure::Failure;
use crate::model::still_running::StopFacts;
use crate::os::signal::Signal;
use crate::say::line::Line;
use crate::say::lines::more_failures;

pub(crate) fn no_thread(error: &io::Error) -> String {
    format!(
        "cannot start: could not create a thread: {error}; check the process and memory limits \
         (`ulimit -u`, `pids.max`)"
    )
}

pub(crate) fn no_inbox(error: &io::Error) -> String {
    format!("cannot start: could not create a socket pair: {error}; check the limit on open files (`ulimit -n`)")
}

pub(crate) fn no_handler(signal: Signal, error: &io::Error) -> String {
    format!("cannot start: could not install a handler for {signal}: {error}")
}

pub(crate) fn no_runtime(why: &io::Error) -> String {
    format!(
        "cannot start: could not create a tokio runtime: {why}; check the limits on threads and open files \
         (`ulimit -u`, `ulimit -n`)"
    )
}

/// The same, written by the watch: tokio has panicked, and waits forever for the threads it had got.
pub(crate) fn no_runtime_to_come_back_from(why: &io::Error) -> Line {
    Line::report(no_runtime(why))
}

pub(crate) fn outside(what: &str) -> String {
    format!("{what} outside any lifecycle: annotate main with #[graceful::main] (or the test with #[graceful::test])")
}

pub(crate) const RUNS_ALREADY: &str =
    "a lifecycle is already running in this process: run one #[graceful::main] at a time (tests use #[graceful::test])";

pub(crate) const INSIDE_A_RUNTIME: &str =
    "a lifecycle cannot start inside a tokio runtime: call it from a synchronous main, without #[tokio::main]";

pub(crate) const NO_SIGTERM: &str =
    "signals without SIGTERM: a supervisor's stop would kill the process; add Signal::Terminate";

pub(crate) const SIGABRT_STOPS: &str = "SIGABRT is no signal for an orderly stop: give it to `dump`";

pub(crate) const NO_THREADS: &str = "worker_threads must be at least 1";

#[cfg(feature = "upgrade")]
pub(crate) const UPGRADE_STOPS: &str = "`upgrade` names a signal that stops the process: choose another";

#[cfg(feature = "upgrade")]
pub(crate) const UPGRADE_DUMPS: &str = "`upgrade` names a signal of `dump`: choose another";

#[cfg(feature = "upgrade")]
pub(crate) const SIGABRT_UPGRADES: &str = "`upgrade` names SIGABRT, which ends the process: choose another";

pub(crate) const DUMP_STOPS: &str = "`dump` names a signal that stops the process: choose another";

#[cfg(all(unix, feature = "process"))]
pub(crate) const NO_SIGNAL: &str = "stop_signal: this is not the number of a signal";

pub(crate) const REAP_WITH_THREADS: &str = "reap: this process has threads already: start the lifecycle before anything else, as #[graceful::main] on main does";

pub(crate) fn no_init(error: &io::Error) -> String {
    format!("cannot start: could not fork, to reap orphans as PID 1: {error}; check `pids.max`")
}

pub(crate) fn test_aborted(report: Option<&StopFacts>) -> String {
    format!("the test was aborted: its stop_timeout passed{}", left_behind(report))
}

pub(crate) fn test_failed(failures: &[Failure], more: usize, report: Option<&StopFacts>) -> String {
    let more = (more > 0).then(|| more_failures(more));
    format!(
        "workers of the test failed or were aborted:{}{}{}",
        indented(failures),
        indented(more.as_slice()),
        left_behind(report)
    )
}

fn left_behind(report: Option<&StopFacts>) -> String {
    report.map_or_else(String::new, |report| indented(&report.stuck))
}

/// One line each.
fn indented(items: &[impl fmt::Display]) -> String {
    items.iter().fold(String::new(), |list, item| list + "\n  " + &item.to_string())
}

pub(crate) const SIGHUP_STOPS: &str = "reloads() needs SIGHUP, which stops this process: remove SIGHUP from `signals`";

pub(crate) const SIGHUP_UPGRADES: &str =
    "reloads() needs SIGHUP, which upgrades this process: remove SIGHUP from `upgrade`";

pub(crate) const NO_RESTART_BY_DEFAULT: &str =
    "children_on_failure(Restart): a worker says itself that it can be restarted, with on_failure";

pub(crate) const NO_RESTART: &str =
    "this worker cannot be restarted: it is one future; make it with an attribute or Worker::new";

pub(crate) const NO_REPEAT: &str = "this worker cannot be run again: give its attribute `every` or `on_failure = \"restart\"`, or make it with Worker::new";

pub(crate) const NO_PERIOD: &str = "every(0s): the period must be longer than zero";

pub(crate) const NO_RESTARTS: &str =
    "max_restarts(0, ..): allow at least one restart, or do without on_failure(Restart)";

pub(crate) const BACKOFF_BACKWARDS: &str = "backoff: the first wait is the shorter one";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_fails_says_what_failed_and_why() {
        let error = io::Error::other("none left");
        let starts = |text: &str, failed: &str| {
            let start = format!("cannot start: could not {failed}: none left");
            assert!(text.starts_with(&start), "{text}");
        };
        starts(&no_thread(&error), "create a thread");
        starts(&no_inbox(&error), "create a socket pair");
        starts(&no_handler(Signal::Terminate, &error), "install a handler for SIGTERM");
        starts(&no_runtime(&error), "create a tokio runtime");
        let said = no_runtime_to_come_back_from(&error);
        let start = "cannot start: could not create a tokio runtime: none left";
        assert!(said.text.starts_with(start), "{}", said.text);
    }
}
