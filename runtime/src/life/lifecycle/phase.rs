//! How far the lifecycle has come: the transitions of its state.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use super::{ABORTING, CANCELLED, DRAINED, Lifecycle, STATE, of_stages};
use crate::life::tracker::Tracker;
use crate::model::budget::Budget;
use crate::model::settings::Source;
use crate::model::state::{Cause, Stage, State};
use crate::os::signal::Signal;
use crate::say::lines;

impl Lifecycle {
    /// Moves between `Starting` and `Ready`; nothing once a stop was asked for.
    pub(crate) fn set_ready(&self, ready: bool) {
        let (from, to) = if ready { (State::Starting, State::Ready) } else { (State::Ready, State::Starting) };
        let moved = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & STATE == from as u32).then_some(word & !STATE | to as u32)
        });
        if moved.is_ok() {
            self.introduce();
            self.note(to);
            self.changed.notify_waiters();
            self.tell_systemd(to);
        }
    }

    #[cfg(all(unix, feature = "systemd"))]
    pub(super) fn tell_systemd(&self, state: State) {
        self.systemd.ring(state);
    }

    #[cfg(not(all(unix, feature = "systemd")))]
    #[allow(clippy::unused_self)]
    pub(super) fn tell_systemd(&self, _: State) {}

    /// Says once what is in force: when main has had the time to set a subscriber that can hear it.
    fn introduce(&self) {
        if !self.introduced.swap(true, Ordering::Relaxed) && !self.settings.is_test {
            self.writer.say(lines::started(&self.settings));
        }
    }

    /// Resolves when the state is `state` or past it.
    pub(crate) async fn reach(&self, state: State) {
        self.until(|| self.state() >= state).await;
    }

    /// Asks for the stop. The first cause is kept and starts the budget; when this returns, the state has
    /// changed, whoever came first.
    pub(crate) fn begin_stop(&self, cause: Cause) -> bool {
        self.begin_stop_and(cause, || {
            if self.state() >= State::Stopping {
                self.wake_main();
            }
            self.wake_driver();
        })
    }

    /// The stop for a signal, for whoever drives it: those who wait by their slots are woken before anything else is done.
    pub(crate) fn begin_stop_by(&self, signal: Signal, act: impl FnOnce()) -> bool {
        self.begin_stop_and(Cause::Signal(signal), || {
            self.slots.wake_those(|_, stage| self.is_cancelled(stage));
            // The signal has woken this thread on the core of another one, often main's, which is to run first.
            thread::yield_now();
            act();
        })
    }

    /// The line is left before the state changes, so that no end of the process is faster; whoever writes it is woken
    /// after `act`.
    fn begin_stop_and(&self, cause: Cause, act: impl FnOnce()) -> bool {
        let drains = self.drains(&cause);
        let first = self.cause.set((cause, drains)).is_ok();
        let Some((cause, drains)) = self.cause.get() else {
            return false;
        };
        let budget = self.budget.get_or_init(|| Budget::new(self.now(), self.settings.stop_timeout));
        let change = || {
            if first && !drains {
                self.word.fetch_or(DRAINED, Ordering::SeqCst);
            }
            if *drains || self.hooks.must_be_heard_first() {
                self.advance(State::Draining, &[Stage::Early]);
            } else {
                self.advance(State::Stopping, &[Stage::Early, Stage::Main]);
            }
        };
        if first {
            self.introduce();
            let line = lines::stopping(cause, drains.then_some(self.settings.drain), budget);
            self.writer.say_before(line, || {
                change();
                act();
            });
            self.tell_systemd(State::Draining);
        } else {
            change();
        }
        first
    }

    /// Whether what is there is served for a while after this cause.
    fn drains(&self, cause: &Cause) -> bool {
        let was_ready = self.state() == State::Ready;
        !self.settings.drain.is_zero()
            && !matches!(cause, Cause::MainEnded)
            && !lines::is_pressed(cause)
            && (was_ready || matches!(self.settings.drain_from, Source::Code | Source::Environment))
    }

    /// Ends the drain, if there is one.
    pub(crate) fn end_drain(&self) {
        self.word.fetch_or(DRAINED, Ordering::SeqCst);
        self.wake_driver();
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.word.load(Ordering::Acquire) & DRAINED != 0
    }

    pub(crate) fn set_stopping(&self) {
        let _ = self.told_at.set(self.now());
        self.advance(State::Stopping, &[Stage::Early, Stage::Main]);
        self.tell_systemd(State::Stopping);
    }

    /// Whoever still runs in these stages is to be dropped at the next poll.
    pub(crate) fn begin_abort(&self, stages: &[Stage]) {
        let flags = of_stages(CANCELLED | ABORTING, stages);
        self.word.fetch_or(flags, Ordering::SeqCst);
        for &stage in stages {
            self.slots.wake(stage);
        }
    }

    pub(crate) fn set_stopped(self: &Arc<Self>) {
        let _ = self.joined_at.set(self.now());
        self.alive.iter().for_each(Tracker::close);
        self.advance(State::Stopped, &Stage::ALL);
        self.tell_systemd(State::Stopped);
        self.notify_waiters();
    }

    /// Raises the state, never lowers it, and cancels stages.
    fn advance(&self, to: State, stages: &[Stage]) {
        let flags = of_stages(CANCELLED, stages);
        let raise = |word: u32| Some(word & !STATE | flags | (word & STATE).max(to as u32));
        let before = self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
        if before.is_ok_and(|before| before & STATE < to as u32) {
            self.note(to);
        }
    }

    /// Tells subscribers, and recorders of metrics, by the watch.
    fn note(&self, state: State) {
        self.writer.say(lines::state_changed(state));
        #[cfg(feature = "metrics")]
        self.wakeup.wake();
    }
}
