//! The report: who held the stop up and how, taken before the abort destroys the facts, and what is
//! printed at a bad end.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::Lifecycle;
use crate::message::{self, Line, span};
use crate::rows::{Label, RowId};
use crate::thread::{Poll, Seen};

/// The most a report takes, summary included. Kubernetes keeps the last 2 KiB of a container's output.
const LONGEST: usize = 2048;

/// The facts about those who had to be aborted.
#[derive(Debug)]
pub(crate) struct Report {
    stuck: Vec<Stuck>,
    /// Main was among them and had not looked at its token since the stop began.
    main_never_looked: bool,
}

/// Workers of one function that were still there.
#[derive(Clone, Debug)]
pub(crate) struct Stuck {
    /// `None` for main.
    label: Option<Label>,
    count: u64,
    /// Since when the oldest of them is known to run.
    oldest: Option<Duration>,
    /// Those that were inside the same poll in two looks, by thread.
    blocking: Vec<String>,
    /// Those that have not been polled once.
    not_started: u64,
}

/// Which polls were under way at some moment.
pub(crate) struct Sample(Vec<(Arc<Seen>, Poll)>);

impl Sample {
    pub(crate) fn take(life: &Lifecycle) -> Self {
        Self(life.threads.polls())
    }

    fn has(&self, seen: &Arc<Seen>, poll: Poll) -> bool {
        self.0
            .iter()
            .any(|(thread, earlier)| Arc::ptr_eq(thread, seen) && *earlier == poll)
    }
}

impl Report {
    /// Takes the facts. `earlier` tells a poll that blocks from one that happens to be under way.
    pub(crate) fn take(life: &Lifecycle, earlier: &Sample) -> Self {
        let stuck = Stuck::find(life, Some(earlier));
        let main_stuck = stuck.iter().any(|stuck| stuck.label.is_none());
        Self {
            stuck,
            main_never_looked: main_stuck && !life.has_main_looked(),
        }
    }

    pub(crate) fn stuck(&self) -> &[Stuck] {
        &self.stuck
    }
}

impl Stuck {
    /// Who is there now: workers by function, main last.
    pub(crate) fn now(life: &Lifecycle) -> Vec<Self> {
        Self::find(life, None)
    }

    fn find(life: &Lifecycle, earlier: Option<&Sample>) -> Vec<Self> {
        let polls = life.threads.polls();
        let seats = life.seats.tally();
        let one = |row: RowId, label: Option<Label>, count: u64| {
            let seats = seats.get(&row);
            let first_polls = polls
                .iter()
                .filter(|(_, poll)| poll.row == row && poll.seat.is_none())
                .count();
            let same = |(seen, poll): &&(Arc<Seen>, Poll)| {
                poll.row == row && earlier.is_some_and(|earlier| earlier.has(seen, *poll))
            };
            Self {
                label,
                count,
                oldest: seats.map(|seats| seats.oldest.elapsed()),
                blocking: polls
                    .iter()
                    .filter(same)
                    .map(|(seen, _)| seen.name.clone())
                    .collect(),
                not_started: count
                    .saturating_sub(seats.map_or(0, |seats| seats.count) + first_polls as u64),
            }
        };
        let mut stuck: Vec<_> = life
            .rows
            .live()
            .into_iter()
            .map(|(row, label, count)| (row, one(row, Some(label), count)))
            .collect();
        // A function nobody runs any more can still hold a thread: with the destructor of a result.
        for (_, poll) in &polls {
            if poll.row != RowId::MAIN && stuck.iter().all(|(row, _)| *row != poll.row) {
                stuck.push((poll.row, one(poll.row, life.rows.label(poll.row), 1)));
            }
        }
        if life.is_main_alive() {
            stuck.push((RowId::MAIN, one(RowId::MAIN, None, 1)));
        }
        stuck.into_iter().map(|(_, stuck)| stuck).collect()
    }

    /// `consume ×3`.
    pub(crate) fn tally(&self) -> String {
        let name = self.label.as_ref().map_or("main", |label| &label.name);
        if self.count == 1 {
            name.to_owned()
        } else {
            format!("{name} ×{}", self.count)
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => label.fmt(f)?,
            None => f.write_str("main")?,
        }
        write!(f, ": {} still running", self.count)?;
        if let Some(oldest) = self.oldest {
            write!(f, " after {}", span(oldest))?;
        }
        let waiting = self
            .count
            .saturating_sub(self.blocking.len() as u64 + self.not_started);
        let separate = |f: &mut fmt::Formatter<'_>, count: u64| {
            if count == self.count {
                f.write_str(", ")
            } else {
                write!(f, ", {count} of them ")
            }
        };
        if !self.blocking.is_empty() {
            separate(f, self.blocking.len() as u64)?;
            write!(f, "blocking its thread ({})", self.blocking.join(", "))?;
        }
        if waiting > 0 {
            separate(f, waiting)?;
            f.write_str("waiting in an await")?;
        }
        if self.not_started > 0 {
            separate(f, self.not_started)?;
            f.write_str("never polled: no thread was free")?;
        }
        Ok(())
    }
}

/// Has the report written, once, whoever asks first. The facts are taken now where nobody took them before.
pub(crate) fn publish(life: &Arc<Lifecycle>, code: u8, untracked: usize) {
    if life.claim_report() {
        let report = life
            .report
            .get_or_init(|| Report::take(life, &Sample::take(life)));
        life.scribe
            .say(Line::report(text(life, report, code, untracked)));
    }
}

/// The whole report, the one-line summary last.
fn text(life: &Lifecycle, report: &Report, code: u8, untracked: usize) -> String {
    let now = Instant::now();
    let mut lines = Vec::new();
    if let (Some(cause), Some(budget)) = (life.cause(), life.budget()) {
        let took = now.saturating_duration_since(budget.asked());
        let ran = budget.asked().saturating_duration_since(life.born);
        lines.push(format!(
            "stop: {cause}, {} after the start; it took {}",
            span(ran),
            span(took)
        ));
    }
    let (failures, more) = life.failures.list();
    lines.extend(failures.iter().map(|failure| format!("  {failure}")));
    if more > 0 {
        lines.push(format!("  and {more} more failures"));
    }
    if report.main_never_looked {
        lines.push(
            "  main never looked at its token: select! on graceful::stopping(), or give it to \
             with_graceful_shutdown"
                .to_owned(),
        );
    }
    lines.extend(report.stuck.iter().map(|stuck| format!("  {stuck}")));
    if untracked > 0 {
        lines.push(format!("  {untracked} untracked tasks were dropped"));
    }
    let mut summary = format!("exit code {code}");
    if !report.stuck.is_empty() {
        let _ = write!(
            summary,
            ": out of time, still running: {}",
            message::names(&report.stuck)
        );
    } else if let Some(first) = failures.first() {
        let _ = write!(summary, ": {first}");
    }
    fit(&lines, &summary)
}

/// As many of the lines as fit, and the summary.
fn fit(lines: &[String], summary: &str) -> String {
    // Room for the prefix of two lines, line ends, and the count of what is left out.
    let mut room = LONGEST.saturating_sub(summary.len() + 128);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        if line.len() + 1 > room {
            let _ = writeln!(text, "  {} more lines left out", lines.len() - index);
            break;
        }
        room -= line.len() + 1;
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(summary);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_stays_within_its_limit_and_ends_with_the_summary() {
        let lines: Vec<_> = (0..100)
            .map(|i| format!("  line {i} {}", "x".repeat(50)))
            .collect();
        let text = fit(&lines, "exit code 124: out of time");
        assert!(text.len() < LONGEST);
        assert!(text.ends_with("more lines left out\nexit code 124: out of time"));
    }

    #[test]
    fn workers_are_told_apart_by_what_they_do() {
        let label = Label {
            name: "consume".into(),
            file: "src/main.rs",
            line: 7,
        };
        let stuck = Stuck {
            label: Some(label),
            count: 3,
            oldest: Some(Duration::from_secs(12)),
            blocking: vec!["tokio-rt-worker".to_owned()],
            not_started: 0,
        };
        assert_eq!(
            stuck.to_string(),
            "consume (src/main.rs:7): 3 still running after 12 s, 1 of them blocking its thread (tokio-rt-worker), \
             2 of them waiting in an await"
        );
    }
}
