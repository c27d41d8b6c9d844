//! What the watch does once a second, as long as there is anything to do.
//!
//! In an idle process it does nothing: the coarse clock stands still, and the watch sleeps until a poll starts the clock.

use std::time::Instant;

use super::Watch;
use crate::model::coarse_clock::PERIOD;
use crate::model::state::State;
use crate::say::lines;

#[derive(Debug, Default)]
pub(super) struct Periodic {
    /// The activity up to the last time.
    seen: u64,
    /// The clock stands still, but it is done once more: a poll that began meanwhile may not have seen that.
    once_more: Option<Instant>,
}

impl Watch {
    /// When it is done next even if nothing wakes the watch.
    pub(super) fn next_period(&self) -> Option<Instant> {
        let next = self.life.time.clock.next().or(self.periodic.once_more);
        #[cfg(feature = "http")]
        let next = next.or_else(|| Some(self.life.time.clock.at_or_after(self.life.time.alarms.next()?)));
        next
    }

    /// Does it if it is due. Returns whether it was.
    pub(super) fn do_periodic(&mut self) -> bool {
        let is_running = self.life.time.clock.latest().is_some();
        let is_due = if is_running {
            self.life.time.clock.count()
        } else {
            self.next_period().is_some_and(|at| at <= Instant::now())
        };
        if !is_due {
            return false;
        }
        #[cfg(feature = "http")]
        self.life.time.alarms.ring(Instant::now());
        self.check_workers();
        if !self.life.settings.is_test {
            self.life.introduce();
            self.life.notice_replaced_handlers();
        }
        let has_children = (self.others.reap_children)();
        self.go_on_or_pause(is_running, has_children);
        true
    }

    /// Pauses when nothing has happened since the last time.
    fn go_on_or_pause(&mut self, is_running: bool, has_children: bool) {
        let (now, is_polling) = self.life.activity();
        let before = std::mem::replace(&mut self.periodic.seen, now);
        let goes_on = now != before || is_polling || has_children || self.is_needed();
        let clock = &self.life.time.clock;
        self.periodic.once_more = None;
        if goes_on {
            clock.start();
        } else if is_running {
            clock.stop();
            self.periodic.once_more = Some(Instant::now() + PERIOD);
        }
    }

    /// Whether it is needed even if nothing happens: a stop notices that the process stood still, and a test that it
    /// does not end.
    fn is_needed(&self) -> bool {
        #[cfg(feature = "metrics")]
        if self.life.slots.since_progress().is_some() {
            // Its gauge grows.
            return true;
        }
        self.deadline.is_some() || self.life.settings.is_test
    }

    fn check_workers(&mut self) {
        if self.life.phase.state() >= State::Draining {
            return;
        }
        if self.life.settings.is_test {
            self.end_spinning_test();
        } else {
            // Functions whose workers have all ended by themselves.
            for (label, ended) in self.life.registry.newly_idle() {
                self.life.writer.say(lines::ended_early(&label, ended));
            }
        }
    }
}
