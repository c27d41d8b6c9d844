//! What is to become of a worker: when it fails, when it ends, when it stops.

use std::time::Duration;

use crate::model::state::Stage;

/// What a worker's failure means: an `Err` and a panic alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum OnFailure {
    /// The process stops, with exit code 1 or 101. The default: a worker nobody can do without.
    Stop,
    /// A line is written, and that is all. For work that may be lost. The default of `every`: the next tick comes.
    Log,
    /// The worker is run again, after a pause that grows with each failure. For a consumer whose broker comes
    /// and goes.
    Restart,
}

/// Everything an attribute or a call can say about a worker, its name aside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    on_failure: Option<OnFailure>,
    /// Restarts within a minute; unlimited if not set.
    pub(crate) max_restarts: Option<u32>,
    /// The first pause before a restart, and the longest.
    pub(crate) backoff: (Duration, Duration),
    /// Its end is the process's stop.
    essential: bool,
    /// Runs once in each such period.
    every: Option<Duration>,
    /// Its own budget, from when it is told to stop.
    stop_timeout: Option<Duration>,
    /// When it is told to stop; with whoever started it if not set.
    stage: Option<Stage>,
    /// Not started any more once the stop has begun.
    refuse: bool,
    /// Nothing was set but, perhaps, that a failure is only logged: a run is one future polled to its end, on the
    /// shortest way.
    is_plain: bool,
}

impl Policy {
    pub(crate) const fn new() -> Self {
        Self {
            on_failure: None,
            max_restarts: None,
            backoff: (Duration::from_millis(100), Duration::from_secs(10)),
            essential: false,
            every: None,
            stop_timeout: None,
            stage: None,
            refuse: false,
            is_plain: true,
        }
    }

    pub(crate) const fn set_on_failure(&mut self, on_failure: OnFailure) {
        self.on_failure = Some(on_failure);
        self.is_plain &= !matches!(on_failure, OnFailure::Restart);
    }

    /// Its end is the process's stop.
    pub(crate) const fn set_essential(&mut self) {
        self.essential = true;
        self.is_plain = false;
    }

    pub(crate) const fn set_every(&mut self, period: Duration) {
        self.every = Some(period);
        self.is_plain = false;
    }

    pub(crate) const fn set_stop_timeout(&mut self, budget: Duration) {
        self.stop_timeout = Some(budget);
        self.is_plain = false;
    }

    pub(crate) const fn set_stage(&mut self, stage: Stage) {
        self.stage = Some(stage);
        self.is_plain = false;
    }

    pub(crate) const fn set_refuse(&mut self) {
        self.refuse = true;
        self.is_plain = false;
    }

    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub(crate) fn on_failure(&self) -> OnFailure {
        let default = if self.every.is_some() { OnFailure::Log } else { OnFailure::Stop };
        self.on_failure.unwrap_or(default)
    }

    pub(crate) fn is_essential(&self) -> bool {
        self.essential
    }

    pub(crate) fn every(&self) -> Option<Duration> {
        self.every
    }

    pub(crate) fn stop_timeout(&self) -> Option<Duration> {
        self.stop_timeout
    }

    pub(crate) fn stage(&self) -> Option<Stage> {
        self.stage
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refuse
    }

    /// Whether a run needs more than being polled to its end.
    pub(crate) fn is_supervised(&self) -> bool {
        self.every.is_some() || self.stop_timeout.is_some() || self.on_failure() == OnFailure::Restart
    }
}
