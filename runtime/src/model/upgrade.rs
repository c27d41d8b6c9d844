//! Why an upgrade in place has failed.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use crate::model::text::{cut, span};

/// Why an [`upgrade`](crate::upgrade()) has changed nothing. Its text is one line.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// Nothing was tried: this process is not ready, or stops, or is one whose end its supervisor would take for the
    /// end of the service. Why, and what to do instead.
    Refused(Arc<str>),
    /// The new process could not be started. Why.
    NotStarted(Arc<str>),
    /// The new process has ended before it was [`ready`](crate::ready()).
    Ended {
        /// How; `None` where other code of this process has waited for it.
        status: Option<ExitStatus>,
        /// What it has said of it, where it uses this crate.
        why: Option<Arc<str>>,
    },
    /// The new process was not [`ready`](crate::ready()) in time, and was ended.
    NotReady(Duration),
    /// What runs in the new process speaks another version of this crate's protocol, and was ended.
    OtherVersion(Arc<str>),
    /// This process was told to stop meanwhile, and has ended the new one.
    Stopped,
}

/// As its `Display`: main prints it.
impl fmt::Debug for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => f.write_str(why),
            Self::NotStarted(why) => write!(f, "the new process could not be started: {why}"),
            Self::Ended { status, why } => {
                f.write_str("the new process ended before it was ready: ")?;
                match status.map(|status| (status.code(), status.signal())) {
                    Some((Some(code), _)) => write!(f, "exit code {code}")?,
                    Some((None, Some(signal))) => write!(f, "killed by signal {signal}")?,
                    _ => f.write_str("other code has waited for it")?,
                }
                why.as_ref().map_or(Ok(()), |why| write!(f, ": {}", cut(why)))
            }
            Self::NotReady(limit) => {
                write!(f, "the new process was not ready within {} (upgrade_timeout) and was ended", span(*limit))
            }
            Self::OtherVersion(why) => write!(f, "the new process does not understand this one: {why}"),
            Self::Stopped => f.write_str("this process was told to stop, and has ended the new one"),
        }
    }
}

impl std::error::Error for UpgradeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_how_it_ended() {
        let text = |status: i32, why: Option<&str>| {
            let status = Some(ExitStatus::from_raw(status));
            UpgradeError::Ended { status, why: why.map(Into::into) }.to_string()
        };
        assert_eq!(text(3 << 8, None), "the new process ended before it was ready: exit code 3");
        assert_eq!(text(9, None), "the new process ended before it was ready: killed by signal 9");
        assert_eq!(
            text(101 << 8, Some("main panicked: no queue")),
            "the new process ended before it was ready: exit code 101: main panicked: no queue"
        );
    }
}
