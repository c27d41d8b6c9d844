//! Noticing that nothing of the process ran for a while: SIGSTOP, a frozen cgroup, a suspended virtual machine.
//!
//! The clock goes on meanwhile, and deadlines pass while work was about to finish. Whoever waits for a moment and
//! wakes much later has stood still, and everybody else with it: what is due has a moment to finish before anybody is
//! aborted, and another one before the process is ended.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Who wakes this much too late has stood still. A busy machine takes less.
const LATE: Duration = Duration::from_millis(50);

/// What is given to those who had work in hand.
const MOMENT: Duration = Duration::from_millis(50);

/// When the process last went on after it had stood still.
#[derive(Debug, Default)]
pub(crate) struct Thaw(Mutex<Option<Instant>>);

/// How many moments after a thaw something comes at the earliest.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Turn {
    /// What was due meanwhile: the end of a wait for workers or hooks.
    Due = 1,
    /// The end of what an abort does.
    Abort = 2,
    /// The end of the process.
    End = 3,
}

impl Thaw {
    /// Somebody who wanted to wake at `due` has just woken. Returns for how long the process stood still, if it did and
    /// nobody has noticed yet.
    pub(crate) fn woke(&self, due: Instant) -> Option<Duration> {
        let now = Instant::now();
        let late = now.saturating_duration_since(due);
        if late < LATE {
            return None;
        }
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Due before the last thaw: the same standstill, noticed by another thread.
        if last.is_some_and(|last| due <= last) {
            return None;
        }
        *last = Some(now);
        Some(late)
    }

    /// `moment`, or later where the process stood still.
    pub(crate) fn put_off(&self, moment: Instant, turn: Turn) -> Instant {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.map_or(moment, |last| moment.max(last + MOMENT * turn as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_wakes_in_time_has_not_stood_still() {
        let thaw = Thaw::default();
        let due = Instant::now();
        assert_eq!(thaw.woke(due), None);
        assert_eq!(thaw.put_off(due, Turn::End), due);
    }

    #[test]
    fn a_standstill_is_noticed_once_and_puts_off_what_was_due() {
        let thaw = Thaw::default();
        let due = Instant::now().checked_sub(SECOND).unwrap();
        assert!(thaw.woke(due).is_some_and(|late| late >= SECOND));
        assert_eq!(thaw.woke(due), None);
        let [wait, abort, end] =
            [Turn::Due, Turn::Abort, Turn::End].map(|turn| thaw.put_off(due, turn));
        assert!(Instant::now() < wait && wait < abort && abort < end);
        let later = end + SECOND;
        assert_eq!(thaw.put_off(later, Turn::End), later);
    }
}
