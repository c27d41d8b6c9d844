//! Notices that the process stood still for a while: SIGSTOP, a frozen cgroup, a suspended virtual machine.
//!
//! The clock goes on meanwhile, and deadlines pass while work was about to finish. A thread that wakes much later than
//! it wanted to has stood still, and so has the whole process: work that is due gets a moment to finish before the
//! abort, and another one before the process ends. A stop grants this once: a process that is stopped again and again
//! does not outlive its budget by more.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::budget::{LATE, MOMENT};
use crate::os::lock::Lock;

/// When the process went on after a stall.
#[derive(Debug, Default)]
pub(crate) struct Stall(Lock<Standstill>);

#[derive(Debug, Default)]
struct Standstill {
    /// The end of the latest stall that counts.
    ended: Option<Instant>,
    /// It has put something off. No later stall counts.
    is_used: bool,
}

/// Why a thread woke too late, as far as can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was not to run: the process was stopped or frozen.
    Frozen,
    /// Other threads had the processors.
    Busy,
    Unknown,
}

impl Why {
    /// By how `late` it woke, and how long it `waited` for a processor meanwhile.
    pub(crate) fn of(late: Duration, waited: Option<Duration>) -> Self {
        match waited {
            Some(waited) if late.saturating_sub(waited) >= LATE => Self::Frozen,
            Some(_) => Self::Busy,
            None => Self::Unknown,
        }
    }
}

/// How many moments after a stall something may happen at the earliest.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Grace {
    /// What was due during the stall: the end of a wait for workers or hooks.
    Due = 1,
    /// The end of the wait for aborted workers.
    Abort = 2,
    /// The end of the process.
    End = 3,
}

impl Stall {
    /// A thread that wanted to wake at `due` has woken now. Returns how long the process stood still, if it did, no
    /// other thread has noticed, and stalls still count.
    pub(crate) fn woke(&self, due: Instant, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(due);
        if late < LATE {
            return None;
        }
        let mut last = self.0.lock();
        // Due before the last stall ended: the same stall, noticed by another thread.
        if last.is_used || last.ended.is_some_and(|ended| due <= ended) {
            return None;
        }
        last.ended = Some(now);
        Some(late)
    }

    /// `moment`, or later if the process stood still.
    pub(crate) fn put_off(&self, moment: Instant, turn: Grace) -> Instant {
        let mut last = self.0.lock();
        let Some(ended) = last.ended else {
            return moment;
        };
        let earliest = ended + MOMENT * turn as u32;
        last.is_used |= earliest > moment;
        moment.max(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_thread_that_waited_for_a_processor_was_not_frozen() {
        let [late, most, short] = [300, 210, 90].map(Duration::from_millis);
        assert_eq!(Why::of(late, Some(Duration::ZERO)), Why::Frozen);
        assert_eq!(Why::of(late, Some(short)), Why::Frozen, "it was frozen for 210 ms");
        assert_eq!(Why::of(late, Some(most)), Why::Busy);
        assert_eq!(Why::of(late, Some(SECOND)), Why::Busy);
        assert_eq!(Why::of(late, None), Why::Unknown);
    }

    #[test]
    fn a_thread_that_wakes_in_time_has_not_stood_still() {
        let stall = Stall::default();
        let due = Instant::now();
        let throttled = due + Duration::from_millis(100);
        for now in [due, throttled] {
            assert_eq!(stall.woke(due, now), None);
            assert_eq!(stall.put_off(due, Grace::End), due);
        }
    }

    #[test]
    fn a_stall_is_noticed_once_and_puts_off_what_was_due() {
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
    fn a_stall_long_before_a_moment_costs_nothing() {
        let stall = Stall::default();
        let (early, due) = (Instant::now(), Instant::now() + 10 * SECOND);
        stall.woke(early, early + SECOND);
        assert_eq!(stall.put_off(due, Grace::End), due);
        assert_eq!(stall.woke(due, due + SECOND), Some(SECOND));
        assert!(stall.put_off(due, Grace::Due) > due + SECOND);
    }
}
