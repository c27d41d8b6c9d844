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
        }?;
        match self.restarted {
            Some((1, within)) => write!(f, "; it was restarted once within {}, its max_restarts", span(within)),
            Some((times, within)) => {
                write!(f, "; it was restarted {times} times within {}, its max_restarts", span(within))
            }
            None => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_used_up_its_restarts_is_said_to_have_had_them() {
        let subject = Subject::Worker("flaky".into(), "src/main.rs:7".into());
        let failure = Failure::new(subject, FailureKind::Error("\"no\"".to_owned()));
        assert_eq!(failure.to_string(), "worker `flaky` failed: \"no\"");
        let after = |allowed| failure.clone().after_restarts(Some(allowed)).to_string();
        let said = "worker `flaky` failed: \"no\"; it was restarted ";
        assert_eq!(after((3, Duration::from_secs(60))), format!("{said}3 times within 60 s, its max_restarts"));
        assert_eq!(after((1, Duration::from_secs(5))), format!("{said}once within 5 s, its max_restarts"));
    }
}
