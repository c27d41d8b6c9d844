//! The report: the facts, taken before the abort destroys them, and what is printed at a bad end.

use std::fmt::Write;
use std::sync::Arc;

use tokio::time::Instant;

use crate::exit;
use crate::lifecycle::Lifecycle;
use crate::message::{self, Line, span};
use crate::state::State;
use crate::stuck::{Sample, Stuck};

/// The most a report takes, summary and prefixes included. Kubernetes keeps the last 2 KiB of a container's
/// output.
const LONGEST: usize = 2048;

/// The facts about those who had to be aborted.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) stuck: Vec<Stuck>,
    /// Main was among them and has never asked about the stop.
    main_never_looked: bool,
    /// The stop itself had not got beyond telling everybody.
    is_held_up: bool,
}

impl Report {
    /// Takes the facts. The look from when the stop began, and a `later` one, tell a poll that blocks from one
    /// that happens to be under way.
    pub(crate) fn take(life: &Lifecycle, later: Option<&Sample>) -> Self {
        let looks: Vec<_> = life.first_look.get().into_iter().chain(later).collect();
        let stuck = Stuck::find(life, &looks);
        let main_never_looked = stuck.iter().any(Stuck::is_main) && !life.has_main_looked();
        Self {
            stuck,
            main_never_looked,
            is_held_up: life.is_telling(),
        }
    }
}

/// Has the report written, once, whoever asks first. The facts are taken now where nobody took them before. When
/// this returns the report is in the scribe's hands, even if somebody else gave it.
pub(crate) fn publish(life: &Arc<Lifecycle>, code: u8, untracked: usize) {
    life.report_once(|| {
        let report = life.report.get_or_init(|| Report::take(life, None));
        life.scribe
            .say_report(Line::report(text(life, report, code, untracked)));
    });
}

/// The whole report, the one-line summary last.
fn text(life: &Lifecycle, report: &Report, code: u8, untracked: usize) -> String {
    let (failures, more) = life.failures.list();
    let mut lines = Vec::new();
    // The first failure is the summary's, unless something else came before it.
    let first = life.failures.decisive();
    lines.extend(
        failures
            .iter()
            .skip(usize::from(first.is_some()))
            .map(ToString::to_string),
    );
    if more > 0 {
        lines.push(format!("and {more} more failures"));
    }
    if report.is_held_up {
        lines.push(message::HELD_UP.to_owned());
    }
    if report.main_never_looked {
        lines.push(message::MAIN_NEVER_LOOKED.to_owned());
    }
    lines.extend(report.stuck.iter().map(ToString::to_string));
    if first.is_none()
        && code == exit::OUT_OF_TIME
        && life.state() == State::Stopped
        && report.stuck.is_empty()
    {
        lines.push(message::HELD_UP_AT_THE_END.to_owned());
    }
    if untracked > 0 {
        lines.push(message::untracked(untracked));
    }
    for line in &mut lines {
        line.insert_str(0, "  ");
    }
    if let (Some(cause), Some(budget)) = (life.cause(), life.budget())
        && (!lines.is_empty() || first.as_ref().is_none_or(|first| !first.is_mains()))
    {
        let took = Instant::now().saturating_duration_since(budget.asked());
        let ran = budget.asked().saturating_duration_since(life.born);
        lines.insert(
            0,
            format!(
                "stop: {cause}, {} after the start; it took {}",
                span(ran),
                span(took)
            ),
        );
    }

    let mut summary = format!("exit code {code}: ");
    match &first {
        Some(first) => summary += &first.reason(),
        None if code == exit::FORCED => summary += "forced by a second SIGINT",
        None => summary += "out of time",
    }
    if !report.stuck.is_empty() {
        let _ = write!(
            summary,
            ", still running: {}",
            message::names(&report.stuck)
        );
    }
    fit(&lines, summary, life.scribe.prefix().len())
}

/// As many of the lines as fit, and the summary.
fn fit(lines: &[String], summary: String, prefix: usize) -> String {
    const LEFT_OUT: usize = 32;
    let mut room = LONGEST.saturating_sub(summary.len() + LEFT_OUT + 2 * (prefix + 1));
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
    use super::*;

    #[test]
    fn a_report_stays_within_its_limit_and_ends_with_the_summary() {
        let lines: Vec<_> = (0..100)
            .map(|i| format!("  line {i} {}", "x".repeat(50)))
            .collect();
        let prefix = "graceful[orders]: ".len();
        let text = fit(&lines, "exit code 124: out of time".to_owned(), prefix);
        assert!(text.len() + text.lines().count() * prefix < LONGEST);
        assert!(text.ends_with(" lines left out\nexit code 124: out of time"));
    }

    #[test]
    fn a_short_report_is_whole() {
        let lines = ["one".to_owned(), "two".to_owned()];
        assert_eq!(fit(&lines, "three".to_owned(), 10), "one\ntwo\nthree");
    }
}
