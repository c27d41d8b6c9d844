//! Readiness, and the beginning of a stop. What follows is the driver's.

use std::thread;

use super::Lifecycle;
use crate::model::budget::Budget;
use crate::model::settings::Source;
use crate::model::state::{Cause, Stage, State};
#[cfg(all(unix, feature = "upgrade"))]
use crate::os::pid_file;
use crate::os::signal::Signal;
use crate::say::lines;
#[cfg(all(unix, feature = "upgrade"))]
use crate::say::upgrades;

impl Lifecycle {
    /// Moves between `Starting` and `Ready`; nothing once a stop was asked for.
    pub(crate) fn set_ready(&self, ready: bool) {
        if let Some(state) = self.phase.set_ready(ready) {
            self.introduce();
            self.note(state);
            self.notifier.notify_waiters();
            self.listeners.notify_systemd(state);
            #[cfg(all(unix, feature = "upgrade"))]
            if ready && self.succession.is_waiting() {
                self.succession.tell_ready();
            } else if ready {
                self.serve_as_the_main_process();
            }
        }
    }

    /// The service is this process's own, and ready.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(crate) fn serve_as_the_main_process(&self) {
        self.write_pid_file();
        if let Some(due) = self.succession.take_due() {
            due();
        }
    }

    #[cfg(all(unix, feature = "upgrade"))]
    fn write_pid_file(&self) {
        if let Some(path) = &self.settings.upgrade.pid_file
            && let Err(error) = pid_file::write(path)
        {
            self.writer.say(upgrades::cannot_write_pid_file(path, &error));
        }
    }

    /// Writes the settings in force, once: late enough for main to have set a subscriber that receives them. That is when
    /// the service is ready or stops, and after a second at the latest.
    pub(crate) fn introduce(&self) {
        if self.phase.introduce() && !self.settings.is_test {
            self.writer.say(lines::started(&self.settings));
            let warnings = [lines::unknown_variables, lines::drain_is_cut, lines::killed_before_the_deadline];
            for line in warnings.into_iter().filter_map(|warning| warning(&self.settings)) {
                self.writer.say(line);
            }
        }
    }

    /// Asks for the stop. The first cause is kept and starts the budget; when this returns, the state has
    /// changed, whichever caller came first.
    pub(crate) fn begin_stop(&self, cause: Cause) -> bool {
        self.begin_stop_after(cause, || {})
    }

    /// The same; `decided` is called if this is the first cause, before anybody is told.
    pub(crate) fn begin_stop_after(&self, cause: Cause, decided: impl FnOnce()) -> bool {
        self.begin_stop_and(cause, decided, || {
            if self.phase.state() >= State::Stopping {
                self.members.main.wake();
            }
            self.notifier.wake_driver();
        })
    }

    /// Asks for the stop because of a signal. Parked workers are woken before anything else; then comes `act`.
    pub(crate) fn begin_stop_by(&self, signal: Signal, act: impl FnOnce()) -> bool {
        self.begin_stop_and(
            Cause::Signal(signal),
            || {},
            || {
                self.wake_told(|stage| self.phase.is_cancelled(stage));
                // The signal has woken this thread on the core of another one, often main's: let that run first.
                thread::yield_now();
                act();
            },
        )
    }

    /// The line is queued before the state changes, so that the process cannot end without it; the writer is woken
    /// after `act`.
    fn begin_stop_and(&self, cause: Cause, decided: impl FnOnce(), act: impl FnOnce()) -> bool {
        let drains = self.drains(&cause);
        let Some((cause, drains, is_first)) = self.phase.set_cause(cause, drains) else {
            return false;
        };
        if is_first {
            decided();
        }
        let budget = self.phase.begin_budget(|| Budget::new(self.now(), self.settings.stop_timeout));
        let change = || {
            if is_first && !drains {
                self.phase.end_drain();
            }
            if drains || self.hooks.has_before_stop() {
                self.advance(State::Draining, &[Stage::Early]);
            } else {
                self.advance(State::Stopping, &[Stage::Early, Stage::Main]);
            }
        };
        if is_first {
            self.introduce();
            let line = lines::stopping(cause, drains.then_some(self.settings.drain), budget);
            self.writer.say_before(line, || {
                change();
                act();
            });
            self.listeners.notify_systemd(State::Draining);
        } else {
            change();
        }
        is_first
    }

    /// Whether the service goes on serving for a while after this cause.
    fn drains(&self, cause: &Cause) -> bool {
        let was_ready = self.phase.state() == State::Ready;
        !self.settings.drain.is_zero()
            && !matches!(cause, Cause::MainEnded | Cause::Upgraded(_))
            && !lines::is_pressed(cause)
            && (was_ready || matches!(self.settings.drain_from, Source::Code | Source::Environment))
    }

    /// Ends the drain, if there is one.
    pub(crate) fn end_drain(&self) {
        self.phase.end_drain();
        self.notifier.wake_driver();
    }

    /// Raises the state, never lowers it, and cancels stages.
    pub(crate) fn advance(&self, to: State, stages: &[Stage]) {
        // Before the flags. Main is told by no other way: the driver cancels its stage after the state has changed.
        if stages.contains(&Stage::Main) {
            self.members.main.note_told();
        }
        if self.phase.advance(to, stages) {
            self.note(to);
        }
    }

    /// Writes the new state for subscribers, and has the watch publish the metrics.
    fn note(&self, state: State) {
        #[cfg(feature = "page")]
        self.listeners.viewers.note_state();
        self.writer.say(lines::state_changed(state));
        #[cfg(feature = "metrics")]
        self.notifier.wakeup.wake();
    }
}
