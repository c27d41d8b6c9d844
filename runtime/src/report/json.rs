//! The report for machines: one line of JSON. Times are in milliseconds.

use serde::Serialize;

use crate::model::still_running::{Blocking, Stuck, What};
use crate::model::text::millis;
use crate::report::facts::Facts;

/// The whole report, in no more than `room` bytes.
pub(crate) fn json(facts: &Facts<'_>, room: usize) -> String {
    fit(Report::of(facts), room)
}

fn fit(mut report: Report, room: usize) -> String {
    loop {
        let text = serde_json::to_string(&report).unwrap_or_default();
        if text.len() < room || !report.leave_one_out() {
            return text;
        }
    }
}

#[derive(Serialize)]
struct Report {
    code: u8,
    reason: String,
    cause: Option<String>,
    running_ms: u64,
    took_ms: u64,
    draining_ms: u64,
    stopping_ms: u64,
    closing_ms: u64,
    failures: Vec<String>,
    hints: Vec<String>,
    waits: Vec<String>,
    stuck: Vec<Entry>,
    untracked: usize,
    /// How many entries of the lists did not fit.
    left_out: usize,
}

/// The workers of one name, a hook or main, that were still there.
#[derive(Serialize)]
struct Entry {
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    count: u64,
    running_ms: Option<u64>,
    blocking: Vec<Thread>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    awaits: Vec<Place>,
    not_started: u64,
    untold: u64,
}

/// A thread that is blocked.
#[derive(Serialize)]
struct Thread {
    thread: String,
    at_least_ms: u64,
}

/// An await in which some of them wait, from the innermost call to the outermost.
#[derive(Serialize)]
struct Place {
    at: Vec<String>,
    count: usize,
}

impl Report {
    fn of(facts: &Facts<'_>) -> Self {
        let strings = |items: &[_]| items.iter().map(ToString::to_string).collect();
        Self {
            code: facts.code,
            reason: facts.reason(),
            cause: facts.cause.map(ToString::to_string),
            running_ms: millis(facts.timings.running),
            took_ms: millis(facts.timings.since_asked()),
            draining_ms: millis(facts.timings.draining),
            stopping_ms: millis(facts.timings.stopping),
            closing_ms: millis(facts.timings.closing),
            failures: strings(&facts.failures),
            hints: facts.hints.clone(),
            waits: facts.waits.iter().map(ToString::to_string).collect(),
            stuck: facts.stuck.iter().map(|stuck| Entry::of(stuck, facts)).collect(),
            untracked: facts.untracked,
            left_out: facts.more_failures,
        }
    }

    /// Drops a place of a stuck entry, or else an entry of the longest list. `false` if nothing is left to drop.
    fn leave_one_out(&mut self) -> bool {
        let mut places = self.stuck.iter_mut().rev().map(|entry| &mut entry.awaits);
        if places.any(|places| places.pop().is_some()) {
            return true;
        }
        let texts = [&mut self.failures, &mut self.waits, &mut self.hints];
        let longest = texts.into_iter().max_by_key(|list| list.len());
        let taken = match longest {
            Some(list) if list.len() > self.stuck.len() => list.pop().is_some(),
            _ => self.stuck.pop().is_some(),
        };
        self.left_out += usize::from(taken);
        taken
    }
}

impl Entry {
    fn of(stuck: &Stuck, facts: &Facts<'_>) -> Self {
        let awaits = stuck.awaits(facts.awaits).into_iter();
        let thread = |one: &Blocking| Thread { thread: one.thread.clone(), at_least_ms: millis(one.at_least) };
        let (kind, at) = match &stuck.what {
            What::Main => ("main", None),
            What::Worker(label) if label.is_hold => ("hold", Some(label.location())),
            What::Worker(label) => ("worker", Some(label.location())),
            What::Hook(..) => ("hook", None),
        };
        Self {
            kind,
            name: stuck.name(),
            at,
            count: stuck.count,
            running_ms: stuck.oldest.map(millis),
            blocking: stuck.blocking.iter().map(thread).collect(),
            awaits: awaits.map(|one| Place { at: one.stack, count: one.count }).collect(),
            not_started: stuck.not_started,
            untold: stuck.untold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            kind: "worker",
            name: "consume".to_owned(),
            at: None,
            count: 1,
            running_ms: None,
            blocking: Vec::new(),
            awaits: Vec::new(),
            not_started: 0,
            untold: 0,
        }
    }

    fn report(failures: usize, stuck: usize) -> Report {
        Report {
            code: 1,
            reason: "a reason".to_owned(),
            cause: None,
            running_ms: 0,
            took_ms: 0,
            draining_ms: 0,
            stopping_ms: 0,
            closing_ms: 0,
            failures: vec!["a worker failed".to_owned(); failures],
            hints: Vec::new(),
            waits: Vec::new(),
            stuck: (0..stuck).map(|_| entry()).collect(),
            untracked: 0,
            left_out: 0,
        }
    }

    #[test]
    fn the_longest_list_gives_way_and_of_equals_the_one_of_stuck_workers() {
        let mut report = report(3, 2);
        let mut left = Vec::new();
        while report.leave_one_out() {
            left.push((report.failures.len(), report.stuck.len(), report.left_out));
        }
        assert_eq!(left, [(2, 2, 1), (2, 1, 2), (1, 1, 3), (1, 0, 4), (0, 0, 5)]);
    }

    #[test]
    fn the_line_and_its_end_take_no_more_than_there_is_room_for() {
        let whole = fit(report(3, 0), usize::MAX);
        assert_eq!(fit(report(3, 0), whole.len() + 1), whole);
        assert!(fit(report(3, 0), whole.len()).contains("\"left_out\":1"));
        assert!(fit(report(100, 0), 2048).len() < 2048);
    }
}
