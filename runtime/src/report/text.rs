//! The report for people: a line for each fact, the one-line summary last.

use std::fmt::{self, Write};

use crate::model::failure::Failure;
use crate::model::state::Cause;
use crate::model::still_running::Stuck;
use crate::model::text;
use crate::model::text::{listed, span};
use crate::report::facts::Facts;
use crate::say::lines;

/// The whole report, in no more than `room` bytes; each line takes `prefix` more.
pub(crate) fn text(facts: &Facts<'_>, room: usize, prefix: usize) -> String {
    let mut lines = Vec::new();
    let mut add = |fact: &dyn fmt::Display, asides| {
        let line = format!("  {fact}");
        lines.push(Entry { line, asides });
    };
    let decisive = usize::from(facts.is_decided_by_a_failure);
    for failure in facts.failures.iter().skip(decisive) {
        add(failure, Vec::new());
    }
    if facts.more_failures > 0 {
        add(&lines::more_failures(facts.more_failures), Vec::new());
    }
    for hint in &facts.hints {
        add(hint, Vec::new());
    }
    for wait in facts.waits {
        add(wait, Vec::new());
    }
    for stuck in facts.stuck {
        add(stuck, asides(facts, stuck));
    }
    if facts.untracked > 0 {
        add(&lines::untracked(facts.untracked), Vec::new());
    }
    let is_plain = lines.is_empty() && facts.first().is_some_and(Failure::is_mains);
    if let Some(cause) = facts.cause.filter(|_| !is_plain) {
        let (line, asides) = (stop(facts, cause), Vec::new());
        lines.insert(0, Entry { line, asides });
    }
    fit(&lines, &summary(facts), room, prefix)
}

/// A line, and the lines shown under it if there is room for all entries.
struct Entry {
    line: String,
    asides: Vec<String>,
}

/// The awaits in which they wait, the most frequent first.
fn asides(facts: &Facts<'_>, stuck: &Stuck) -> Vec<String> {
    const SHOWN: usize = 3;
    let awaits = stuck.awaits(facts.awaits);
    let mut asides: Vec<_> =
        awaits.iter().take(SHOWN).map(|place| format!("    {}", lines::waits_at(place, stuck.count))).collect();
    if awaits.len() > SHOWN {
        asides.push(format!("    {}", lines::more_places(awaits.len() - SHOWN)));
    }
    asides
}

/// Why it stopped, when, and how the time was spent: parts that took none are left out.
fn stop(facts: &Facts<'_>, cause: &Cause) -> String {
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

/// The last line, the only one that many people see.
fn summary(facts: &Facts<'_>) -> String {
    let mut summary = format!("exit code {}: {}", facts.code, facts.reason());
    if let Some(code) = facts.outvoted() {
        let _ = write!(summary, "; main's own code, {code}, came later");
    }
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

/// As many of the lines as fit, with as many of their asides as fit then, and the summary.
fn fit(entries: &[Entry], summary: &str, room: usize, prefix: usize) -> String {
    const LEFT_OUT: usize = 32;
    let mut summary = summary.to_owned();
    text::cut_to(&mut summary, room.saturating_sub(prefix + 1));
    let mut room = room.saturating_sub(summary.len() + LEFT_OUT + 2 * (prefix + 1));
    let mut fits = |line: &String| {
        let taken = line.len() + 1 + prefix;
        let fits = taken <= room;
        room = room.saturating_sub(taken);
        fits
    };
    let shown: Vec<_> = entries.iter().take_while(|entry| fits(&entry.line)).collect();
    let left_out = entries.len() - shown.len();
    let mut text = String::new();
    for entry in shown {
        let asides = entry.asides.iter().filter(|_| left_out == 0);
        let _ = writeln!(text, "{}", entry.line);
        for aside in asides.take_while(|aside| fits(aside)) {
            let _ = writeln!(text, "{aside}");
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "  {left_out} lines left out");
    }
    text + &summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::publish::LONGEST;

    fn entry(line: &str) -> Entry {
        Entry { line: line.to_owned(), asides: Vec::new() }
    }

    #[test]
    fn a_report_stays_within_its_limit_and_ends_with_the_summary() {
        let lines: Vec<_> = (0..100).map(|i| entry(&format!("  line {i} {}", "x".repeat(50)))).collect();
        let prefix = "graceful[orders]: ".len();
        let summary = "exit code 124: out of time";
        let text = fit(&lines, summary, LONGEST, prefix);
        assert!(text.len() + text.lines().count() * prefix < LONGEST);
        assert!(text.ends_with(" lines left out\nexit code 124: out of time"));
    }

    #[test]
    fn a_short_report_is_whole() {
        let lines = ["one", "two"].map(entry);
        assert_eq!(fit(&lines, "three", LONGEST, 10), "one\ntwo\nthree");
    }

    #[test]
    fn no_aside_takes_the_place_of_a_line() {
        let lines: Vec<_> =
            (0..10).map(|i| Entry { line: format!("line {i}"), asides: vec!["x".repeat(100)] }).collect();
        let text = fit(&lines, "summary", 512, 10);
        assert!(text.len() + text.lines().count() * 10 < 512);
        let shown = (0..10).filter(|i| text.contains(&format!("line {i}")));
        assert_eq!(shown.count(), 10, "{text}");
        let asides = text.lines().filter(|line| line.starts_with('x'));
        assert!((1..5).contains(&asides.count()), "{text}");
    }
}
