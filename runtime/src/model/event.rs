//! What happened in a stop, and when, for inspection afterwards.

use tokio::time::Instant;

use crate::model::state::Stage;
use crate::os::lock::Lock;

/// Something that happened to the stop itself. What its hooks and workers did is in their own entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Event {
    /// The workers of a stage were told to stop.
    Told(Stage),
    /// Time was out: the workers that had been told to stop were aborted.
    Aborted,
    /// Main and all workers had ended, or were given up.
    Joined,
}

/// The events of a stop, in order.
#[derive(Debug, Default)]
pub(crate) struct Timeline(Lock<Vec<(Instant, Event)>>);

impl Timeline {
    /// Returns whether it is the first time, which is the one that counts.
    pub(crate) fn note(&self, now: Instant, event: Event) -> bool {
        let mut events = self.0.lock();
        let is_first = events.iter().all(|(_, other)| *other != event);
        if is_first {
            events.push((now, event));
        }
        is_first
    }

    pub(crate) fn events(&self) -> Vec<(Instant, Event)> {
        self.0.lock().clone()
    }
}
