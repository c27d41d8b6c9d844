//! What all restarts of one kind have come to.

use std::time::{Duration, Instant};

use crate::client::Failure;
use crate::load::{Kind, Sample};
use crate::measure::AFTER;
use crate::usage::Usage;

/// One restart under load.
pub struct Turn {
    pub samples: Vec<Sample>,
    /// Those that were due before are not counted.
    pub begin: Instant,
    /// When the restart was asked for.
    pub asked: Instant,
    /// When the first answer of the next process was there.
    pub served: Instant,
}

#[derive(Default)]
pub struct Figures {
    pub requests: usize,
    /// Those without an answer.
    pub failed: Vec<(Kind, Failure)>,
    /// Connections that were kept, and closed without a word. Their clients had another one before they noticed.
    pub closed: usize,
    /// The latencies of short requests that had nothing to do with a restart, and of those that had. Sorted by neither.
    pub without: Vec<Duration>,
    pub during: Vec<Duration>,
    /// The 99th percentile during each restart, by that without.
    pub ratios: Vec<f64>,
    /// From each request for a restart to the first answer of the next process.
    pub served_after: Vec<Duration>,
    pub after_first: Option<Usage>,
    pub after_last: Option<Usage>,
}

impl Figures {
    pub fn add(&mut self, turn: &Turn) {
        let (mut without, mut during) = (Vec::new(), Vec::new());
        for sample in turn.samples.iter().filter(|sample| sample.due >= turn.begin) {
            self.requests += 1;
            self.closed += usize::from(sample.was_closed);
            if let Err(failure) = sample.outcome {
                self.failed.push((sample.kind, failure));
            } else if sample.kind != Kind::Long {
                let latency = sample.ended - sample.due;
                if sample.ended < turn.asked {
                    without.push(latency);
                } else if sample.due < turn.served + AFTER {
                    during.push(latency);
                }
            }
        }
        if let (Some(without), Some(during)) = (percentile(&without, 99.0), percentile(&during, 99.0)) {
            self.ratios.push(during.as_secs_f64() / without.as_secs_f64());
        }
        self.without.extend(without);
        self.during.extend(during);
        self.served_after.push(turn.served - turn.asked);
    }

    pub fn count(&self, failure: Failure) -> usize {
        self.failed.iter().filter(|(_, one)| *one == failure).count()
    }
}

/// The smallest that so many of a hundred do not exceed.
pub fn percentile(all: &[Duration], percent: f64) -> Option<Duration> {
    let mut all = all.to_vec();
    all.sort_unstable();
    let rank = (all.len() as f64 * percent / 100.0).ceil() as usize;
    all.get(rank.max(1) - 1).copied()
}

pub fn median(all: &[f64]) -> Option<f64> {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}
