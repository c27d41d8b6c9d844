//! The own limit of a part of the program: a run of a worker that has a budget of its own, or a hook.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The own budget of one run of a worker. It covers what the run has started.
#[derive(Debug)]
pub(crate) struct RunLimit {
    total: Duration,
    /// Set when the worker, or what its run has started, was told to stop.
    until: OnceLock<Instant>,
    /// Notified then.
    begun: Notify,
}

/// What bounds the code being polled, beside the budget of the process.
#[derive(Clone, Debug)]
pub(crate) enum Limit {
    Run(Arc<RunLimit>),
    /// A hook, which ends then: `None` where there is no deadline. The budget of the process shares its time out
    /// among hooks, and does not bound them otherwise.
    Hook(Option<Instant>),
}

impl RunLimit {
    pub(crate) fn new(total: Duration) -> Self {
        Self { total, until: OnceLock::new(), begun: Notify::new() }
    }

    /// The time begins now, unless it has begun. Returns what is left of it.
    pub(crate) fn begin(&self) -> Duration {
        let now = Instant::now();
        // A total that reaches beyond what the clock can count never ends.
        let Some(until) = now.checked_add(self.total) else { return self.total };
        let until = self.until.get_or_init(|| until);
        self.begun.notify_waiters();
        until.saturating_duration_since(now)
    }

    /// Resolves when the time has begun.
    pub(crate) async fn begun(&self) {
        let begun = self.begun.notified();
        if !self.has_begun() {
            begun.await;
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.until.get().is_some()
    }

    /// What is left. `None` if the time has not begun, and is not about to: the worker is not `told` to stop.
    pub(crate) fn remaining(&self, told: bool) -> Option<Duration> {
        match self.until.get() {
            Some(until) => Some(until.saturating_duration_since(Instant::now())),
            None => told.then_some(self.total),
        }
    }
}
