//! The report for people: a line a fact, the one-line summary last.

use std::fmt::{self, Write};

use super::Facts;
use crate::exit::Failure;
use crate::message::{self, listed, span};
use crate::state::Cause;
use crate::stuck::Stuck;

/// The whole report, in no more than `room` bytes; each line takes `prefix` more.
pub(super) fn text(facts: &Facts<'_>, room: usize, prefix: usize) -> String {
    let mut lines = Vec::new();
    let mut add = |fact: &dyn fmt::Display| lines.push(format!("  {fact}"));
    let decisive = usize::from(facts.is_decided_by_a_failure);
    for failure in facts.failures.iter().skip(decisive) {
        add(failure);
    }
    if facts.more_failures > 0 {
        add(&message::more_failures(facts.more_failures));
    }
    for hint in &facts.hints {
        add(hint);
    }
    for wait in facts.waits {
        add(wait);
    }
    for stuck in facts.stuck {
        add(stuck);
    }
    if facts.untracked > 0 {
        add(&message::untracked(facts.untracked));
    }
    let is_plain = lines.is_empty() && facts.first().is_some_and(Failure::is_mains);
    if let Some(cause) = facts.cause.filter(|_| !is_plain) {
        lines.insert(0, course(facts, cause));
    }
    fit(&lines, &summary(facts), room, prefix)
}

/// Why it stopped, when, and how the time went: what took none is not worth the word.
fn course(facts: &Facts<'_>, cause: &Cause) -> String {
    let ran = span(facts.timings.running);
    let took = span(facts.timings.since_asked());
    let mut text = format!("stop: {cause}, {ran} after the start; it took {took}");
    let mut before = ": ";
    for (part, took) in facts.parts() {
        if took.as_millis() > 0 {
            let _ = write!(text, "{before}{part} {}", span(took));
            before = ", ";
        }
    }
    text
}

/// The last line, which is all that many people see.
fn summary(facts: &Facts<'_>) -> String {
    let mut summary = format!("exit code {}: {}", facts.code, facts.reason());
    let mut stuck: Vec<&Stuck> = facts.stuck.iter().collect();
    if !stuck.iter().all(|stuck| stuck.is_untold()) {
        stuck.retain(|stuck| !stuck.is_untold());
    }
    if !stuck.is_empty() {
        let names = listed(stuck.into_iter().map(Stuck::tally));
        let _ = write!(summary, ", still running: {names}");
    }
    summary
}

/// As many of the lines as fit, and the summary.
fn fit(lines: &[String], summary: &str, room: usize, prefix: usize) -> String {
    const LEFT_OUT: usize = 32;
    let mut room = room.saturating_sub(summary.len() + LEFT_OUT + 2 * (prefix + 1));
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let taken = line.len() + 1 + prefix;
        if taken > room {
            let _ = writeln!(text, "  {} lines left out", lines.len() - index);
            break;
        }
        room -= taken;
        text += line;
        text.push('\n');
    }
    text + summary
}

#[cfg(test)]
mod tests {
    use super::super::LONGEST;
    use super::*;

    #[test]
    fn a_report_stays_within_its_limit_and_ends_with_the_summary() {
        let lines: Vec<_> = (0..100)
            .map(|i| format!("  line {i} {}", "x".repeat(50)))
            .collect();
        let prefix = "graceful[orders]: ".len();
        let summary = "exit code 124: out of time";
        let text = fit(&lines, summary, LONGEST, prefix);
        assert!(text.len() + text.lines().count() * prefix < LONGEST);
        assert!(text.ends_with(" lines left out\nexit code 124: out of time"));
    }

    #[test]
    fn a_short_report_is_whole() {
        let lines = ["one".to_owned(), "two".to_owned()];
        assert_eq!(fit(&lines, "three", LONGEST, 10), "one\ntwo\nthree");
    }
}
