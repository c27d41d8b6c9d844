//! Wake-ups to the second, for tasks that wait long and mostly in vain.
//!
//! While one timer is registered with tokio, each thread of the runtime that finds nothing to do reads the clock and
//! asks the kernel for a timer of its own. A server whose idle connections had one would serve some per cent less.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Instant;

use crate::os::lock::Lock;

/// One task's.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    has_rung: AtomicBool,
    waker: Lock<Option<Waker>>,
}

/// Those that are set, by when they ring.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Lock<BTreeMap<(Instant, usize), Arc<Alarm>>>);

impl Alarm {
    #[inline]
    pub(crate) fn has_rung(&self) -> bool {
        self.has_rung.load(Ordering::Acquire)
    }
}

impl Alarms {
    /// Wakes this task, one of the runtime's own, at that time or up to a second later.
    pub(crate) fn set(&self, at: Instant, alarm: &Arc<Alarm>, waker: &Waker) {
        let mut own = alarm.waker.lock();
        *own = Some(waker.clone());
        alarm.has_rung.store(false, Ordering::Release);
        drop(own);
        self.0.lock().insert((at, address(alarm)), Arc::clone(alarm));
    }

    /// Takes back one that was set for that time.
    pub(crate) fn clear(&self, at: Instant, alarm: &Arc<Alarm>) {
        self.0.lock().remove(&(at, address(alarm)));
        *alarm.waker.lock() = None;
    }

    /// When the first of them rings.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.lock().keys().next().map(|(at, _)| *at)
    }

    /// Wakes those whose time has come. Called about once a second while one is set for then.
    pub(crate) fn ring(&self, now: Instant) {
        let due = {
            let mut set = self.0.lock();
            let later = set.split_off(&(now, usize::MAX));
            std::mem::replace(&mut *set, later)
        };
        for alarm in due.into_values() {
            let mut waker = alarm.waker.lock();
            // With the waker, under its lock: a task that sees this and sets the alarm again keeps its waker.
            alarm.has_rung.store(true, Ordering::Release);
            let waker = { waker.take() };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

fn address(alarm: &Arc<Alarm>) -> usize {
    Arc::as_ptr(alarm).addr()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn alarms_ring_when_their_time_has_come_and_not_when_taken_back() {
        let (alarms, start) = (Alarms::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let [early, late, cleared] = [(); 3].map(|()| Arc::new(Alarm::default()));
        for (seconds, alarm) in [(2, &late), (1, &early), (1, &cleared)] {
            alarms.set(after(seconds), alarm, Waker::noop());
        }
        alarms.clear(after(1), &cleared);
        let rung = || [&early, &late, &cleared].map(|alarm| alarm.has_rung());
        alarms.ring(start);
        assert_eq!(rung(), [false; 3]);
        alarms.ring(after(1));
        assert_eq!(rung(), [true, false, false]);
        alarms.ring(after(3));
        assert_eq!(rung(), [true, true, false]);
        alarms.set(after(4), &early, Waker::noop());
        assert_eq!(rung(), [false, true, false]);
    }
}
