//! The workers, holds and hooks still there in a stop, and what they do: the facts for lines and reports.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::awaits::{Await, Awaits};
use crate::model::hook::HookStage;
use crate::model::label::Label;
use crate::model::text;
use crate::model::text::{listed, span};

/// Workers of one function that are still there, holds of one name, a hook, or main.
#[derive(Clone, Debug)]
pub(crate) struct Stuck {
    /// The names of the workers that have started them, the outermost first, as far as they are always the same.
    pub(crate) parents: Vec<String>,
    pub(crate) what: What,
    pub(crate) count: u64,
    /// For how long the oldest of them is known to have run.
    pub(crate) oldest: Option<Duration>,
    /// Those that were inside the same poll in two samples.
    pub(crate) blocking: Vec<Blocking>,
    /// Those inside a poll about which no more is known.
    pub(crate) polled: u64,
    /// Those that were never polled.
    pub(crate) not_started: u64,
    /// Those whose stage has not been told to stop.
    pub(crate) untold: u64,
}

/// What is still there.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Main,
    Worker(Label),
    Hook(HookStage, Arc<str>),
}

/// A thread that one of the workers, or main, blocks: it has been inside the same poll all the time.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Blocking {
    /// The thread's name.
    pub thread: String,
    /// For how long, at least. The time before the first sample is accurate to one second.
    pub at_least: Duration,
}

impl Stuck {
    /// Whether their stage has not been told to stop: the stop waits for an earlier one.
    pub(crate) fn is_untold(&self) -> bool {
        self.untold == self.count
    }

    pub(crate) fn is_main(&self) -> bool {
        matches!(self.what, What::Main)
    }

    pub(crate) fn name(&self) -> String {
        text::name(match &self.what {
            What::Main => "main",
            What::Worker(label) => &label.name,
            What::Hook(_, name) => name,
        })
    }

    /// Its name and place, if it is a worker or a hold.
    pub(crate) fn label(&self) -> Option<&Label> {
        match &self.what {
            What::Worker(label) => Some(label),
            What::Main | What::Hook(..) => None,
        }
    }

    /// Where they wait, as far as it is known.
    pub(crate) fn awaits(&self, awaits: &Awaits) -> Vec<Await> {
        match self.what {
            What::Hook(..) => Vec::new(),
            What::Main | What::Worker(_) => awaits.of_those(self.label()),
        }
    }

    /// Those that wait in an await, although they were told to stop.
    pub(crate) fn waiting(&self) -> u64 {
        self.count.saturating_sub(self.blocking.len() as u64 + self.polled + self.not_started + self.untold)
    }

    /// `consume ×3`.
    pub(crate) fn tally(&self) -> String {
        let name = self.name();
        if self.count == 1 { name } else { format!("{name} ×{}", self.count) }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Main => f.write_str("main: ")?,
            What::Worker(label) => {
                for parent in &self.parents {
                    write!(f, "{parent} > ")?;
                }
                write!(f, "{label}: ")?;
            }
            What::Hook(stage, name) => write!(f, "{stage} hook `{}`: ", text::name(name))?,
        }
        if self.count > 1 {
            write!(f, "{} ", self.count)?;
        }
        f.write_str(match &self.what {
            What::Worker(label) if label.is_hold => "still held",
            _ => "still running",
        })?;
        if let Some(oldest) = self.oldest {
            write!(f, " after {}", span(oldest))?;
        }
        let (blocking, waiting) = (self.blocking.len() as u64, self.waiting());
        let threads = listed(self.blocking.iter().map(Blocking::to_string));
        let kinds = [
            (blocking, &*format!("blocking its thread ({threads})")),
            (waiting, "waiting in an await"),
            (self.not_started, "never polled: no thread was free"),
            (self.untold, "not told to stop: an earlier stage had not ended"),
        ];
        for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            if count == self.count {
                write!(f, ", {kind}")?;
            } else {
                write!(f, ", {count} of them {kind}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread `{}` for {} at least", self.thread, span(self.at_least))
    }
}

/// Why a wait for a worker's handle holds itself up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cycle {
    /// The worker waits for itself.
    Itself,
    /// The worker waits for one that has started it, which ends after it.
    Above,
    /// The awaited one is told to stop only when the waiter has ended.
    LaterStage,
}

/// A worker or main waits for a worker's handle. Names as reports show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) waiter: String,
    pub(crate) awaited: String,
    /// The awaited worker is told to stop only after the waiter has ended.
    pub(crate) is_later: bool,
}

/// What the waits for handles amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Each waits for the next, and the last for the first.
    Round(Vec<String>),
    /// No other worker waits for this waiter.
    Alone(Wait),
}

impl Found {
    /// Whether this one waits, and not in a round.
    pub(crate) fn is_of(&self, waiter: &str) -> bool {
        matches!(self, Self::Alone(wait) if wait.waiter == waiter)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(names) => match names.as_slice() {
                [name] => write!(f, "{name} waits for itself"),
                names => {
                    let first = names.first().map_or("", String::as_str);
                    write!(f, "these wait for each other: {} -> {first}", names.join(" -> "))
                }
            },
            Self::Alone(wait) => {
                write!(f, "{} waits for {}", wait.waiter, wait.awaited)?;
                if wait.is_later {
                    write!(f, ", which is told to stop only after {} has ended", wait.waiter)?;
                }
                Ok(())
            }
        }
    }
}

/// The facts about what was aborted.
#[derive(Debug)]
pub(crate) struct StopFacts {
    pub(crate) stuck: Vec<Stuck>,
    pub(crate) waits: Vec<Found>,
    pub(crate) awaits: Awaits,
    /// What main, which was among them, has to be told.
    pub(crate) mains_hints: Vec<&'static str>,
    /// A waker blocked the stop while it was cancelling tokens.
    pub(crate) is_held_up: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_one_function_are_counted_by_what_they_do() {
        let label = Label { name: "consume".into(), file: "src/main.rs", line: 7, is_hold: false, policy: None };
        let blocking = Blocking { thread: "tokio-rt-worker".to_owned(), at_least: Duration::from_millis(900) };
        let stuck = Stuck {
            parents: Vec::new(),
            what: What::Worker(label),
            count: 3,
            oldest: Some(Duration::from_secs(12)),
            blocking: vec![blocking],
            polled: 0,
            not_started: 0,
            untold: 0,
        };
        assert_eq!(
            stuck.to_string(),
            "consume (src/main.rs:7): 3 still running after 12 s, 1 of them blocking its thread (thread \
             `tokio-rt-worker` for 900 ms at least), 2 of them waiting in an await"
        );
    }
}
