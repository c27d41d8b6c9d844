//! What happens when a worker fails, when it ends, and when it stops.

use std::time::Duration;

use crate::model::state::Stage;

/// What a worker's failure means: an `Err` and a panic alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum OnFailure {
    /// The process stops, with exit code 1 or 101. The default: the process cannot do without the worker.
    Stop,
    /// Only a line is written. For work that may be lost. The default of `every`: the next tick comes.
    Log,
    /// The failure is that of the worker that has started this one: what that one has started is told to stop, and its
    /// policy decides. Of a worker that no worker has started: as `Stop`.
    Parent,
    /// The worker is run again, after a pause that grows with each failure. For a consumer whose broker comes
    /// and goes.
    Restart,
}

/// What it means that a worker does not end within its own `stop_timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum OnTimeout {
    /// In a stop of the process a failure, with exit code 124; else what `on_failure` says. The default.
    Fail,
    /// A line is written, and that is all. For work that may be cut off, such as a slow client's connection.
    Log,
}

/// Everything an attribute or a call can set for a worker, its name aside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    on_failure: Option<OnFailure>,
    /// What a failure of the workers that it starts means, where they do not say so.
    children: Option<OnFailure>,
    /// What it means that it does not end within its own budget.
    on_timeout: OnTimeout,
    /// So many restarts within so long; unlimited if not set.
    pub(crate) max_restarts: Option<(u32, Duration)>,
    /// The first pause before a restart, and the longest.
    pub(crate) backoff: (Duration, Duration),
    /// The process stops when it ends.
    essential: bool,
    /// Runs once per such period.
    every: Option<Duration>,
    /// How long after it was spawned the first of these runs begins.
    initial_delay: Option<Duration>,
    /// Its own budget, from when it is told to stop.
    stop_timeout: Option<Duration>,
    /// When it is told to stop; with the code that started it if not set.
    stage: Option<Stage>,
    /// Refused once the stop has begun.
    refuse: bool,
    /// Nothing was set except, perhaps, that a failure is only logged: a run is one future polled to its end, on the
    /// shortest path.
    is_plain: bool,
}

impl Policy {
    pub(crate) const fn new() -> Self {
        Self {
            on_failure: None,
            children: None,
            on_timeout: OnTimeout::Fail,
            max_restarts: None,
            backoff: (Duration::from_millis(100), Duration::from_secs(10)),
            essential: false,
            every: None,
            initial_delay: None,
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

    /// What a failure of what it starts means, where that does not say so.
    pub(crate) const fn set_children(&mut self, on_failure: OnFailure) {
        self.children = Some(on_failure);
    }

    /// What it means that it does not end within its own budget.
    pub(crate) const fn set_on_timeout(&mut self, on_timeout: OnTimeout) {
        self.on_timeout = on_timeout;
    }

    /// The process stops when the worker ends.
    pub(crate) const fn set_essential(&mut self) {
        self.essential = true;
        self.is_plain = false;
    }

    pub(crate) const fn set_every(&mut self, period: Duration) {
        self.every = Some(period);
        self.is_plain = false;
    }

    pub(crate) const fn set_initial_delay(&mut self, delay: Duration) {
        self.initial_delay = Some(delay);
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
        self.on_failure_or(None)
    }

    /// What a failure means, where the worker above it has a `default` for what it starts.
    pub(crate) fn on_failure_or(&self, default: Option<OnFailure>) -> OnFailure {
        let own = if self.every.is_some() { OnFailure::Log } else { OnFailure::Stop };
        self.on_failure.or(default.filter(|_| self.every.is_none())).unwrap_or(own)
    }

    pub(crate) fn children(&self) -> Option<OnFailure> {
        self.children
    }

    pub(crate) fn on_timeout(&self) -> OnTimeout {
        self.on_timeout
    }

    pub(crate) fn is_essential(&self) -> bool {
        self.essential
    }

    pub(crate) fn every(&self) -> Option<Duration> {
        self.every
    }

    /// How long the first of its runs is put off.
    pub(crate) fn initial_delay(&self) -> Option<Duration> {
        self.initial_delay.filter(|_| self.every.is_some())
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

    /// Whether a run takes more than polling one future to its end.
    pub(crate) fn is_supervised(&self) -> bool {
        self.every.is_some() || self.stop_timeout.is_some() || self.on_failure() == OnFailure::Restart
    }
}
