//! A coarse clock: one tick a second, counted by the watch.
//!
//! A poll notes the tick it began in, for the price of a load and a store; reading the clock would cost more than
//! the poll of a small worker. From it a status derives how long ago a worker last did anything.
//!
//! While nothing is polled the clock stands still, so that an idle process sleeps. The next poll starts it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The interval between ticks.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// In place of a count: the clock stands still.
const STOPPED: u32 = u32::MAX;

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
    /// The latest tick that was counted; `None` while the clock stands still.
    #[inline]
    pub(crate) fn latest(&self) -> Option<u32> {
        let count = self.count.load(Ordering::Relaxed);
        (count != STOPPED).then_some(count)
    }

    /// The same, its lower half. While the clock stands still it differs from those before and after.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn second(&self) -> u16 {
        self.count.load(Ordering::Relaxed) as u16
    }

    /// Counts the ticks that have passed. Returns whether there were any: none while the clock stands still.
    pub(crate) fn count(&self) -> bool {
        // Only the caller stops it.
        let now = self.now();
        self.latest().is_some() && self.count.swap(now, Ordering::Relaxed) != now
    }

    /// Stops it. Only the thread that counts does that.
    pub(crate) fn stop(&self) {
        self.count.store(STOPPED, Ordering::SeqCst);
    }

    /// Starts it if it stands still. Returns the tick of now, and whether it stood still.
    pub(crate) fn start(&self) -> (u32, bool) {
        let now = self.now();
        let started = self.count.compare_exchange(STOPPED, now, Ordering::SeqCst, Ordering::SeqCst);
        (now, started.is_ok())
    }

    /// When the next one is due; `None` while the clock stands still.
    pub(crate) fn next(&self) -> Option<Instant> {
        Some(self.began + PERIOD * self.latest()?.saturating_add(1))
    }

    /// The first tick at or after this time.
    #[cfg(feature = "http")]
    pub(crate) fn at_or_after(&self, time: Instant) -> Instant {
        let since = time.saturating_duration_since(self.began).as_nanos();
        let ticks = since.div_ceil(PERIOD.as_nanos());
        self.began + PERIOD * u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// How long ago this tick was, to the second.
    pub(crate) fn since(&self, tick: u32) -> Duration {
        let age = self.began.elapsed().saturating_sub(PERIOD * tick);
        Duration::from_secs(age.as_secs())
    }

    /// The tick of now.
    fn now(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX).min(STOPPED - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_until_it_is_started() {
        let clock = CoarseClock::default();
        assert_eq!((clock.latest(), clock.start()), (Some(0), (0, false)), "it runs from the beginning");
        clock.stop();
        assert_eq!((clock.latest(), clock.next(), clock.count()), (None, None, false));
        assert_eq!(clock.start(), (0, true));
        assert_eq!((clock.latest(), clock.start()), (Some(0), (0, false)));
        assert_eq!(clock.next(), Some(clock.began + PERIOD));
    }
}
