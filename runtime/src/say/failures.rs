//! The lines about failures, and what follows them.

use std::fmt;
use std::time::Duration;

use crate::model::failure::{Failure, FailureKind, Subject};
use crate::model::text::{cut, name, span};
use crate::say::line::Line;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Main => write!(f, "main {}", self.kind),
            Subject::Worker(worker, _) => write!(f, "worker `{}` {}", name(worker), self.kind),
            Subject::Hook(stage, hook) => write!(f, "{stage} hook `{}` {}", name(hook), self.kind),
        }
    }
}

/// What its subject did: `failed: no route to host`.
impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(text) => write!(f, "failed: {}", cut(text)),
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Panic(text) => write!(f, "panicked: {}", cut(text)),
            Self::Overrun(budget) => write!(f, "did not end within {} and was aborted", span(*budget)),
            Self::Child(child) => write!(f, "failed: {child}"),
            Self::NotRun => f.write_str("was not run: no time was left"),
            Self::Destructor => f.write_str("panicked in a destructor"),
        }
    }
}

pub(crate) fn failed(failure: &Failure) -> Line {
    Line::error(failure.to_string()).by(&failure.subject)
}

/// A failure that the policy tolerates.
pub(crate) fn logged(failure: &Failure) -> Line {
    Line::warn(failure.to_string()).by(&failure.subject)
}

pub(crate) fn restarting(failure: &Failure, pause: Duration) -> Line {
    Line::warn(format!("{failure}; retrying in {}", span(pause))).by(&failure.subject)
}

/// Written at growing intervals, beside the line of each failure: no run was well for a minute.
pub(crate) fn restarts_again_and_again(failure: &Failure, times: u32, lately: u64) -> Line {
    let who = failure.subject.name();
    Line::warn(format!(
        "worker `{who}` fails again and again: {times} failures in a row, {lately} restarts in the last minute; the last time it {}",
        failure.kind
    ))
    .by(&failure.subject)
}
