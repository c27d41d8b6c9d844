//! What was counted, and the table of it.

use std::fmt;
use std::mem::{self, Discriminant};
use std::time::Duration;

use crate::client::Failure;
use crate::instance::Stop;
use crate::load::Sample;
use crate::{Contender, Front};

/// So many failures of a kind are told one by one.
const TOLD: usize = 5;

/// A contender behind a front, restarted again and again under load.
#[derive(Clone, Debug)]
pub struct Row {
    /// Behind what.
    pub front: Front,
    /// Who.
    pub contender: Contender,
    /// How many requests were sent, over the whole time.
    pub requests: usize,
    /// How many had no answer, or not the right one. The sum of the next five, and of late and truncated answers.
    pub failed: usize,
    /// On a reused connection, which went away under the request.
    pub cut: usize,
    /// On a fresh connection, which was made and then reset.
    pub reset: usize,
    /// Nobody listened.
    pub refused: usize,
    /// A status of 500 to 599.
    pub server_errors: usize,
    /// Sent on a second connection, since nobody had taken it on the first: no failures.
    pub sent_again: usize,
    /// The exit codes of the processes; `None` for those that the signal killed.
    pub codes: Vec<Option<i32>>,
    /// How long each process took from the signal to its end.
    exits: Vec<Duration>,
    /// How long each request took that was due between a signal and the next instance; sorted.
    delays: Vec<Duration>,
    /// The first failures of each kind.
    told: Vec<(Discriminant<Failure>, String)>,
}

/// A restart: the stop, and when the next instance was served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restart {
    pub(crate) stop: Stop,
    pub(crate) took: Duration,
}

impl Row {
    pub(crate) fn new(front: Front, contender: Contender, samples: &[Sample], restarts: &[Restart]) -> Self {
        let mut row = Self {
            front,
            contender,
            requests: samples.len(),
            failed: 0,
            cut: 0,
            reset: 0,
            refused: 0,
            server_errors: 0,
            sent_again: 0,
            codes: restarts.iter().map(|restart| restart.stop.code).collect(),
            exits: restarts.iter().map(|restart| restart.stop.took).collect(),
            delays: Vec::new(),
            told: Vec::new(),
        };
        for sample in samples {
            let during = |restart: &&Restart| {
                let since = sample.ended.checked_duration_since(restart.stop.asked);
                since.is_some() && sample.due <= restart.stop.asked + restart.took
            };
            let restart = restarts.iter().find(during);
            row.sent_again += usize::from(sample.was_sent_again);
            match &sample.outcome {
                Ok(()) if restart.is_some() => row.delays.push(sample.ended - sample.due),
                Ok(()) => {}
                Err(failure) => row.count(sample, failure, restart),
            }
        }
        row.delays.sort_unstable();
        row
    }

    fn count(&mut self, sample: &Sample, failure: &Failure, restart: Option<&Restart>) {
        self.failed += 1;
        match failure {
            Failure::Refused => self.refused += 1,
            Failure::Reset(_) => self.reset += 1,
            Failure::Cut(_) => self.cut += 1,
            Failure::Status(status) if status.is_server_error() => self.server_errors += 1,
            Failure::Status(_) | Failure::Truncated(_) | Failure::Late => {}
        }
        let kind = mem::discriminant(failure);
        if self.told.iter().filter(|(told, _)| *told == kind).count() < TOLD {
            let when = match restart {
                Some(Restart { stop, .. }) => format!(
                    "{} ms after the signal (the process was gone after {} ms)",
                    (sample.ended - stop.asked).as_millis(),
                    stop.took.as_millis()
                ),
                None => "while no instance was restarted".to_owned(),
            };
            let text = format!("{:?}: {failure}, {when}", sample.via);
            self.told.push((kind, text));
        }
    }

    /// Whether it dropped nothing, where that can be had. Without a listener that is handed over, direct clients are
    /// refused while nobody listens. Of services without this crate everything is as promised.
    pub fn is_as_promised(&self) -> bool {
        let tolerated = match (self.contender, self.front) {
            (Contender::Unhandled | Contender::Future | Contender::Delay, _) => return true,
            (Contender::OneLine | Contender::Graceful, Front::Direct) => self.refused,
            (Contender::OneLine | Contender::Graceful | Contender::HandedOver, _) => 0,
        };
        self.failed == tolerated && self.codes.iter().all(|code| *code == Some(0))
    }

    #[allow(clippy::cast_precision_loss)]
    fn failed_a_restart(&self) -> f64 {
        self.failed as f64 / self.exits.len() as f64
    }

    fn delay(&self, share: f64) -> Option<Duration> {
        let last = self.delays.len().checked_sub(1)?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (last as f64 * share).round() as usize;
        self.delays.get(index).copied()
    }
}

/// For people, and for a page.
#[derive(Clone, Debug, Default)]
pub struct Table(pub Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = [
            "through",
            "contender",
            "requests",
            "failed",
            "a restart",
            "cut",
            "reset",
            "refused",
            "5xx",
            "sent again",
            "p50",
            "p99",
            "exit after",
        ];
        let lines = self.0.iter().map(Row::cells);
        let lines: Vec<_> = std::iter::once(titles.map(str::to_owned)).chain(lines).collect();
        let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max();
        let widths: [usize; 13] = std::array::from_fn(|column| width(column).unwrap_or(0));
        for (number, cells) in lines.iter().enumerate() {
            for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
                if column < 2 {
                    write!(f, "| {cell:<width$} ")?;
                } else {
                    write!(f, "| {cell:>width$} ")?;
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for (column, width) in widths.into_iter().enumerate() {
                    let line = "-".repeat(width);
                    let end = if column < 2 { '-' } else { ':' };
                    write!(f, "|-{line}{end}")?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

impl Row {
    fn cells(&self) -> [String; 13] {
        let front = match self.front {
            Front::HaProxy => "HAProxy",
            Front::Nginx => "nginx",
            Front::Direct => "nothing",
        };
        let contender = match self.contender {
            Contender::Unhandled => "no handling at all",
            Contender::Future => "a shutdown future",
            Contender::Delay => "readiness, a delay, the future",
            Contender::OneLine => "`http::serve` in one line",
            Contender::Graceful => "the example `http`",
            Contender::HandedOver => "the same, listener handed over",
        };
        let delay = |share| {
            let delay = self.delay(share);
            delay.map_or("-".to_owned(), |delay| format!("{:.1} ms", delay.as_secs_f64() * 1e3))
        };
        let longest = self.exits.iter().max().copied().unwrap_or_default();
        [
            front.to_owned(),
            contender.to_owned(),
            self.requests.to_string(),
            self.failed.to_string(),
            format!("{:.1}", self.failed_a_restart()),
            self.cut.to_string(),
            self.reset.to_string(),
            self.refused.to_string(),
            self.server_errors.to_string(),
            self.sent_again.to_string(),
            delay(0.5),
            delay(0.99),
            format!("{:.2} s", longest.as_secs_f64()),
        ]
    }
}

/// The first failures of each kind, one by one.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Table(vec![self.clone()]))?;
        for (_, failure) in &self.told {
            writeln!(f, "  {failure}")?;
        }
        Ok(())
    }
}
