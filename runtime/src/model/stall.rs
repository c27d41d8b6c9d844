//! Noticing that nothing of the process ran for a while: SIGSTOP, a frozen cgroup, a suspended virtual machine.
//!
//! The clock goes on meanwhile, and deadlines pass while work was about to finish. Whoever waits for a moment and
//! wakes much later has stood still, and everybody else with it: what is due has a moment to finish before anybody is
//! aborted, and another one before the process is ended. That is granted once in a stop: a process that is stopped
//! again and again does not outlive its budget by more.

use std::sync::MutexGuard;
use std::time::Duration;

use tokio::time::Instant;

use crate::os::lock::Lock;

/// Whoever wakes this much too late has stood still. A busy machine takes less, and so does a CPU quota, which lets a
/// process wait for the rest of a period: 100 ms, unless somebody changed it.
const LATE: Duration = Duration::from_millis(200);

/// What is given to those who had work in hand.
const MOMENT: Duration = Duration::from_millis(50);

/// When the process went on after it had stood still.
#[derive(Debug, Default)]
pub(crate) struct Stall(Lock<Standstill>);

#[derive(Debug, Default)]
struct Standstill {
    /// The end of the latest one that counts.
    ended: Option<Instant>,
    /// It has put something off. None counts after that.
    is_used: bool,
}

/// How many moments after a stall something comes at the earliest.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Grace {
    /// What was due meanwhile: the end of a wait for workers or hooks.
    Due = 1,
    /// The end of what an abort does.
    Abort = 2,
    /// The end of the process.
    End = 3,
}

impl Stall {
    /// Somebody who wanted to wake at `due` has woken now. Returns for how long the process stood still, if it did and
    /// nobody has noticed yet, and if that puts anything off.
    pub(crate) fn woke(&self, due: Instant, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(due);
        if late < LATE {
            return None;
        }
        let mut last = self.lock();
        // Due before the last stall: the same standstill, noticed by another thread.
        if last.is_used || last.ended.is_some_and(|ended| due <= ended) {
            return None;
        }
        last.ended = Some(now);
        Some(late)
    }

    /// `moment`, or later where the process stood still.
    pub(crate) fn put_off(&self, moment: Instant, turn: Grace) -> Instant {
        let mut last = self.lock();
        let Some(ended) = last.ended else {
            return moment;
        };
        let earliest = ended + MOMENT * turn as u32;
        last.is_used |= earliest > moment;
        moment.max(earliest)
    }

    fn lock(&self) -> MutexGuard<'_, Standstill> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_wakes_in_time_has_not_stood_still() {
        let stall = Stall::default();
        let due = Instant::now();
        let throttled = due + Duration::from_millis(100);
        for now in [due, throttled] {
            assert_eq!(stall.woke(due, now), None);
            assert_eq!(stall.put_off(due, Grace::End), due);
        }
    }

    #[test]
    fn a_standstill_is_noticed_once_and_puts_off_what_was_due() {
        let stall = Stall::default();
        let due = Instant::now();
        let now = due + SECOND;
        assert_eq!(stall.woke(due, now), Some(SECOND));
        assert_eq!(stall.woke(due, now), None);
        let [wait, abort, end] = [Grace::Due, Grace::Abort, Grace::End].map(|turn| stall.put_off(due, turn));
        assert!(now < wait && wait < abort && abort < end);
        let later = end + SECOND;
        assert_eq!(stall.put_off(later, Grace::End), later);
    }

    #[test]
    fn what_was_put_off_once_is_not_put_off_again() {
        let stall = Stall::default();
        let due = Instant::now();
        stall.woke(due, due + SECOND);
        let end = stall.put_off(due, Grace::End);
        assert_eq!(stall.woke(end, end + SECOND), None);
        assert_eq!(stall.put_off(due, Grace::End), end);
    }

    #[test]
    fn a_standstill_long_before_a_moment_costs_nothing() {
        let stall = Stall::default();
        let (early, due) = (Instant::now(), Instant::now() + 10 * SECOND);
        stall.woke(early, early + SECOND);
        assert_eq!(stall.put_off(due, Grace::End), due);
        assert_eq!(stall.woke(due, due + SECOND), Some(SECOND));
        assert!(stall.put_off(due, Grace::Due) > due + SECOND);
    }
}
