//! How a run has to end, and whether it did.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use graceful_tests::{End, Line, Signal};

use crate::load::SLOWER;

/// How much later a process may be gone on an overloaded machine.
const OVERLOADED: Duration = Duration::from_millis(500);

/// How a row has to end.
pub(crate) struct Expected {
    /// One of these.
    pub(crate) ends: Vec<Way>,
    /// The earliest and the latest, counted from the act.
    pub(crate) gone: (Duration, Duration),
    /// The case overloads the machine.
    pub(crate) overloads: bool,
    /// Parts of lines that standard error must contain.
    pub(crate) said: Vec<String>,
    /// Parts of lines that it must not.
    pub(crate) unsaid: Vec<&'static str>,
    /// Whole lines that standard output must contain.
    pub(crate) printed: Vec<&'static str>,
    /// How many panics are the case's own.
    pub(crate) panics: usize,
    /// A start that is refused may panic.
    pub(crate) may_panic: bool,
    /// A further check of a run.
    pub(crate) look: Option<fn(&End)>,
    /// A check of all runs together.
    pub(crate) look_at_all: Option<fn(&[End])>,
}

/// How a process can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Code(i32),
    Killed(Signal),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::Killed(signal) => f.write_str(signal.as_str()),
        }
    }
}

impl Way {
    pub(crate) fn of(end: &End) -> Option<Self> {
        end.code.map(Self::Code).or(end.signal.map(Self::Killed))
    }

    /// `0 ×38, SIGTERM ×462`.
    pub(crate) fn tally(ways: impl IntoIterator<Item = Self>) -> String {
        let mut counts = BTreeMap::new();
        for way in ways {
            *counts.entry(way).or_insert(0_usize) += 1;
        }
        let each = counts.into_iter().map(|(way, count)| match count {
            1 => way.to_string(),
            count => format!("{way} ×{count}"),
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// The text of a line, if it is the crate's: without `graceful: ` or `graceful[orders]: `.
pub(crate) fn of_ours(line: &Line) -> Option<&str> {
    let (prefix, text) = line.text.split_once(": ")?;
    prefix.starts_with("graceful").then_some(text)
}

impl Expected {
    /// Panics, with what is wrong, unless it ended as it has to. Returns whether it was in time without the allowance
    /// for an overloaded machine.
    pub(crate) fn check(&self, end: &End, took: Duration, is_overloaded: bool) -> bool {
        let way = Way::of(end);
        assert!(
            way.is_some_and(|way| self.ends.contains(&way)),
            "not {}\n{end}",
            Way::tally(self.ends.iter().copied())
        );
        for part in &self.said {
            end.assert_said(part);
        }
        for part in &self.unsaid {
            end.assert_silent_about(part);
        }
        for line in &self.printed {
            end.assert_printed(line);
        }
        let ours: Vec<_> = end.stderr.iter().filter_map(of_ours).collect();
        let summary = ours.iter().position(|line| line.starts_with("exit code "));
        assert!(summary.is_none_or(|summary| summary + 1 == ours.len()), "the summary is not the last line\n{end}");
        let panics = |line: &&Line| line.text.contains("panicked at");
        let panics = end.stderr.iter().filter(panics).count();
        if !(self.may_panic && end.code == Some(2)) {
            assert_eq!(panics, self.panics, "panics\n{end}");
        }
        let (from, in_time) = self.gone;
        let to = if is_overloaded || self.overloads { in_time + *SLOWER * OVERLOADED } else { in_time };
        assert!((from..=to).contains(&took), "gone after {took:?}, not within {from:?} to {to:?}\n{end}");
        if let Some(look) = self.look {
            look(end);
        }
        took <= in_time
    }
}
