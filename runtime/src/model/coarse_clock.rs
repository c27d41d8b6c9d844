//! A coarse clock: one tick a second, counted by the watch.
//!
//! A poll notes the tick it began in, for the price of a load and a store; reading the clock would cost more than
//! the poll of a small worker. From it a status derives how long ago a worker last did anything.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The interval between ticks.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// The number of ticks so far.
#[derive(Debug)]
pub(crate) struct CoarseClock {
    /// When counting began, in real time.
    began: Instant,
    count: AtomicU32,
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self { began: Instant::now(), count: AtomicU32::new(0) }
    }
}

impl CoarseClock {
    /// The latest tick that was counted.
    #[inline]
    pub(crate) fn latest(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// The same, its lower half.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn second(&self) -> u16 {
        self.latest() as u16
    }

    /// Counts the ticks that have passed. Returns whether there were any.
    pub(crate) fn count(&self) -> bool {
        let now = u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX);
        self.count.swap(now, Ordering::Relaxed) != now
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Instant {
        self.began + PERIOD * self.latest().saturating_add(1)
    }

    /// How long ago this tick was, to the second.
    pub(crate) fn since(&self, tick: u32) -> Duration {
        let age = self.began.elapsed().saturating_sub(PERIOD * tick);
        Duration::from_secs(age.as_secs())
    }
}
