//! What is alive in a lifecycle: main, workers and holds by stage, and the results that workers leave behind.

use crate::life::mains_future::MainsFuture;
use crate::life::results::Results;
use crate::life::tracker::Tracker;
use crate::model::state::Stage;

/// In which part main counts, of those by thread.
pub(super) const MAIN: u32 = 0;

#[derive(Debug)]
pub(crate) struct Members {
    /// How many are alive, by stage. Main counts in its own.
    pub(super) alive: Tracker,
    pub(super) results: Results,
    pub(crate) main: MainsFuture,
}

impl Members {
    /// With main, which counts as alive from the beginning.
    pub(super) fn with_main() -> Self {
        let alive = Tracker::default();
        alive.arrive(MAIN, Stage::Main);
        Self { alive, results: Results::default(), main: MainsFuture::default() }
    }

    /// How many are alive: workers, holds, and main.
    pub(crate) fn count(&self) -> usize {
        Stage::ALL.iter().map(|stage| self.alive.count(*stage)).sum()
    }

    /// How many workers and holds are alive.
    pub(crate) fn workers(&self) -> usize {
        self.count().saturating_sub(usize::from(self.main.is_alive()))
    }

    /// How many workers and holds are alive that do not only serve others.
    pub(crate) fn own_work(&self) -> usize {
        let counts = [Stage::Early, Stage::Main].map(|stage| self.alive.count(stage));
        counts.iter().sum::<usize>().saturating_sub(usize::from(self.main.is_alive()))
    }

    /// Whether none is left, and no result is being dropped.
    pub(crate) fn are_gone(&self) -> bool {
        self.count() == 0 && !self.results.are_dropping()
    }

    /// Whether none is left in these stages. From then on newcomers to them are refused.
    pub(crate) fn close_if_empty(&self, stages: &[Stage]) -> bool {
        stages.iter().all(|stage| self.alive.count(*stage) == 0)
            && stages.iter().rev().all(|stage| self.alive.close_if_empty(*stage))
    }

    /// Refuses newcomers from now on.
    pub(crate) fn close(&self) {
        self.alive.close();
    }

    /// From now on a count that becomes small wakes the driver.
    pub(crate) fn watch(&self) {
        self.alive.watch();
    }

    /// From now on, each one that leaves, or has returned and waits for what it has started, wakes the driver of the stop.
    pub(crate) fn watch_each(&self) {
        self.alive.watch_each();
    }

    pub(crate) fn is_each_watched(&self, stage: Stage) -> bool {
        self.alive.is_each_watched(stage)
    }

    pub(crate) fn are_results_gone(&self) -> bool {
        self.results.are_gone()
    }

    pub(crate) fn is_dropping(&self) -> bool {
        self.results.are_dropping()
    }

    pub(crate) fn begin_dropping(&self) {
        self.results.begin_dropping();
    }
}
