//! The report for people: a line a fact, the one-line summary last.

use super::Facts;
use crate::exit::Failure;
use crate::message::{self, listed, span};
use crate::stuck::Stuck;

/// The whole report, in no more than `room` bytes; each line takes `prefix` more.
pub(super) fn text(facts: &Facts<'_>, room: usize, prefix: usize) -> String {
    let mut lines: Vec<_> = facts
        .failures
        .iter()
        .skip(usize::from(facts.is_decided_by_a_failure))
        .map(ToString::to_string)
        .collect();
    if facts.more_failures > 0 {
        lines.push(message::more_failures(facts.more_failures));
    }
    lines.extend(facts.hints.iter().cloned());
    lines.extend(facts.waits.iter().map(ToString::to_string));
    lines.extend(facts.stuck.iter().map(ToString::to_string));
    if facts.untracked > 0 {
        lines.push(message::untracked(facts.untracked));
    }
    for line in &mut lines {
        line.insert_str(0, "  ");
    }
    if !lines.is_empty() || !facts.first().is_some_and(Failure::is_mains) {
        lines.splice(0..0, course(facts));
    }
    fit(&lines, summary(facts), room, prefix)
}

/// Why it stopped, when, and how the time went.
fn course(facts: &Facts<'_>) -> Option<String> {
    let ran = span(facts.timings.running);
    let took = span(facts.timings.since_asked());
    let parts = facts.parts().into_iter();
    let parts: Vec<_> = parts
        .map(|(part, took)| format!("{part} {}", span(took)))
        .collect();
    let parts = match parts.len() {
        0 => String::new(),
        _ => format!(": {}", listed(parts.into_iter())),
    };
    let cause = facts.cause?;
    Some(format!(
        "stop: {cause}, {ran} after the start; it took {took}{parts}"
    ))
}

/// The last line, which is all that many people see.
fn summary(facts: &Facts<'_>) -> String {
    let told: Vec<_> = facts
        .stuck
        .iter()
        .filter(|stuck| !stuck.is_untold())
        .collect();
    let running = match (told.is_empty(), facts.stuck.is_empty()) {
        (_, true) => String::new(),
        (true, _) => running(facts.stuck.iter()),
        (false, _) => running(told.into_iter()),
    };
    format!("exit code {}: {}{running}", facts.code, facts.reason())
}

fn running<'a>(stuck: impl ExactSizeIterator<Item = &'a Stuck>) -> String {
    format!(", still running: {}", listed(stuck.map(Stuck::tally)))
}

/// As many of the lines as fit, and the summary.
fn fit(lines: &[String], summary: String, room: usize, prefix: usize) -> String {
    const LEFT_OUT: usize = 32;
    let mut room = room.saturating_sub(summary.len() + LEFT_OUT + 2 * (prefix + 1));
    let fitting = lines.iter().take_while(|line| {
        let taken = line.len() + 1 + prefix;
        let fits = taken <= room;
        room = room.saturating_sub(taken);
        fits
    });
    let mut kept: Vec<_> = fitting.cloned().collect();
    if kept.len() < lines.len() {
        kept.push(format!("  {} lines left out", lines.len() - kept.len()));
    }
    kept.push(summary);
    kept.join("\n")
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
        let summary = "exit code 124: out of time".to_owned();
        let text = fit(&lines, summary, LONGEST, prefix);
        assert!(text.len() + text.lines().count() * prefix < LONGEST);
        assert!(text.ends_with(" lines left out\nexit code 124: out of time"));
    }

    #[test]
    fn a_short_report_is_whole() {
        let lines = ["one".to_owned(), "two".to_owned()];
        assert_eq!(
            fit(&lines, "three".to_owned(), LONGEST, 10),
            "one\ntwo\nthree"
        );
    }
}
