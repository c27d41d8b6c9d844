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
    pub(crate) on_failure: Option<OnFailure>,
    /// What a failure of the workers that it starts means, where they do not say so.
    pub(crate) children: Option<OnFailure>,
    /// What it means that it does not end within its own budget.
    pub(crate) on_timeout: OnTimeout,
    /// So many restarts within so long; unlimited if not set.
    pub(crate) max_restarts: Option<(u32, Duration)>,
    /// The first pause before a restart, and the longest.
    pub(crate) backoff: (Duration, Duration),
    /// The process stops when it ends.
    pub(crate) essential: bool,
    /// Runs once per such period.
    pub(crate) every: Option<Duration>,
    /// How long after it was spawned the first of these runs begins.
    pub(crate) initial_delay: Option<Duration>,
    /// Its own budget, from when it is told to stop.
    pub(crate) stop_timeout: Option<Duration>,
    /// When it is told to stop; with the code that started it if not set.
    pub(crate) stage: Option<Stage>,
    /// Refused once the stop has begun.
    pub(crate) refuse: bool,
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
        }
    }

    /// Whether nothing was set except, perhaps, that a failure is only logged: a run is one future polled to its end, on
    /// the shortest path.
    pub(crate) const fn is_plain(&self) -> bool {
        !self.is_supervised() && !self.essential && !self.refuse && self.stage.is_none()
    }

    pub(crate) fn on_failure(&self) -> OnFailure {
        self.on_failure_or(None)
    }

    /// What a failure means, where the worker above it has a `default` for what it starts.
    pub(crate) fn on_failure_or(&self, default: Option<OnFailure>) -> OnFailure {
        let own = if self.every.is_some() { OnFailure::Log } else { OnFailure::Stop };
        self.on_failure.or(default.filter(|_| self.every.is_none())).unwrap_or(own)
    }

    /// Whether a run takes more than polling one future to its end.
    pub(crate) const fn is_supervised(&self) -> bool {
        let restarts = matches!(self.on_failure, Some(OnFailure::Restart));
        restarts || self.every.is_some() || self.stop_timeout.is_some()
    }
}
