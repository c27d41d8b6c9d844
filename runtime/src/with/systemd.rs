//! Notifies systemd, where the unit asks for it: one of `Type=notify`, or one with `WatchdogSec=`.
//!
//! A thread of its own does that, since systemd may be slow to take a message. Only the end of the process waits for
//! that thread, for a bounded moment.

mod socket;
mod watchdog;

use std::env;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::watchdog::Watchdog;
use crate::life::doorbell::ThreadState;
use crate::life::lifecycle::Lifecycle;
use crate::model::state::{Cause, State};
use crate::os::{sys, threads};
use crate::say::systemd as lines;

/// The longest extension of one request. The next request follows when half of it is over.
const EXTENSION: Duration = Duration::from_secs(60);

/// What an extension adds to the budget: the kernel's time to clear a process away.
const LEAVING: Duration = Duration::from_secs(1);

/// How long the thread sleeps when it has nothing to do.
const A_WHILE: Duration = Duration::from_secs(3600);

/// Starts the thread, if systemd wants notifications.
pub(crate) fn start(life: &Arc<Lifecycle>, prepare: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let Some(socket) = env::var_os(socket::VARIABLE) else {
        return Ok(());
    };
    let thread = NotifyThread {
        life: Arc::clone(life),
        socket,
        notified: None,
        is_ready: false,
        extend_at: None,
        watchdog: Watchdog::of_unit(),
        reloads: 0,
        is_reloading: false,
        has_failed: false,
    };
    life.listeners.systemd.leave(|changes| changes.thread = ThreadState::Busy);
    let run = move || {
        prepare();
        thread.run();
    };
    threads::start("graceful-notify", Box::new(run))
}

/// The unit is reloading until the upgrade is over, and the reload may take as long as the upgrade.
#[cfg(feature = "upgrade")]
pub(crate) fn upgrade_begins(life: &Lifecycle, limit: Duration) {
    let (now, longest) = (sys::monotonic_micros(), (limit + LEAVING).as_micros());
    let status = lines::UPGRADING;
    let extension = format!("EXTEND_TIMEOUT_USEC={longest}");
    send(life, &format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS={status}\n{extension}"));
}

/// The unit goes on as it was.
#[cfg(feature = "upgrade")]
pub(crate) fn upgrade_failed(life: &Lifecycle, error: &crate::model::upgrade::UpgradeError) {
    use crate::model::upgrade::UpgradeError;

    // Nothing has begun, or systemd knows of the stop.
    if !matches!(error, UpgradeError::Refused(_) | UpgradeError::Stopped) {
        send(life, &format!("READY=1\nSTATUS={}", crate::say::upgrades::failure(error)));
    }
}

/// Whether systemd wants notifications.
#[cfg(feature = "upgrade")]
pub(crate) fn is_asked_for() -> bool {
    env::var_os(socket::VARIABLE).is_some()
}

/// The next messages are this process's.
#[cfg(feature = "upgrade")]
pub(crate) fn upgraded(life: &Lifecycle, process: u32) {
    send(life, &format!("MAINPID={process}"));
}

#[cfg(feature = "upgrade")]
fn send(life: &Lifecycle, message: &str) {
    if let Some(socket) = env::var_os(socket::VARIABLE)
        && let Err(error) = socket::send(&socket, message)
    {
        life.writer.say(lines::not_notified(&socket, &error));
    }
}

/// How much time to request, and when to request more; `None` before `due`. `left`: of the time that there is.
fn extension(due: Option<Instant>, left: Duration, now: Instant) -> Option<(Duration, Instant)> {
    due.is_none_or(|at| at <= now).then(|| (left.min(EXTENSION) + LEAVING, now + EXTENSION / 2))
}

/// The thread that sends the notifications.
struct NotifyThread {
    life: Arc<Lifecycle>,
    /// The name of systemd's socket.
    socket: OsString,
    /// The state that was sent last.
    notified: Option<State>,
    /// Whether `READY=1` was sent.
    is_ready: bool,
    /// When to request more time again. Set while time is requested.
    extend_at: Option<Instant>,
    watchdog: Option<Watchdog>,
    /// How many reloads there were when that was last checked.
    reloads: u64,
    /// Whether systemd was notified of a reload, and has yet to hear that it is done.
    is_reloading: bool,
    /// Set when a notification has failed, which is logged once.
    has_failed: bool,
}

impl NotifyThread {
    fn run(mut self) {
        let mut was_ready = false;
        // Until an upgrade in place is done, systemd takes this process for no part of the service.
        #[cfg(feature = "upgrade")]
        while self.life.succession.is_waiting() && !self.life.teardown.is_over() {
            was_ready |= self.life.listeners.systemd.wait(A_WHILE).was_ready;
        }
        loop {
            let limit = if was_ready { Duration::ZERO } else { self.until_next() };
            let news = self.life.listeners.systemd.wait(limit);
            if news.was_ready | std::mem::take(&mut was_ready) {
                self.notify_ready();
            }
            if news.has_answered {
                self.ping();
            }
            self.notify_state();
            if let Some(waits_for) = news.waits_for {
                self.notify_waiting(&waits_for);
            }
            self.notify_reloads();
            self.ask_for_time();
            self.feed_watchdog();
            if self.life.teardown.is_over() {
                return;
            }
        }
    }

    /// The time until something is due, unless an event comes first.
    fn until_next(&self) -> Duration {
        let watchdog = self.watchdog.as_ref().map(Watchdog::next);
        let next = watchdog.into_iter().chain(self.extend_at).min();
        next.map_or(A_WHILE, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Once, and before the stop: a service that was ready for a moment only has not failed to start.
    fn notify_ready(&mut self) {
        if !self.is_stopping() && !std::mem::replace(&mut self.is_ready, true) {
            self.notify("READY=1");
        }
    }

    /// Whether systemd knows of the stop.
    fn is_stopping(&self) -> bool {
        self.notified >= Some(State::Draining)
    }

    fn notify_state(&mut self) {
        let state = self.life.phase.state();
        if self.notified == Some(state) {
            return;
        }
        let begins = state >= State::Draining && !self.is_stopping();
        self.notified = Some(state);
        let stopping = if begins { "STOPPING=1\n" } else { "" };
        self.notify(&format!("{stopping}STATUS={}", self.status()));
        if begins {
            // More time for the start is none for the stop.
            self.extend_at = None;
        }
    }

    fn status(&self) -> String {
        lines::status(self.life.phase.state(), self.life.phase.cause())
    }

    /// The status has what the line says, and how much time is left.
    fn notify_waiting(&mut self, waits_for: &str) {
        let budget = self.life.phase.budget().filter(|budget| budget.total().is_some());
        let left = budget.map(|budget| budget.left(self.life.now()));
        self.notify(&format!("STATUS={}", lines::status_waiting(&self.status(), waits_for, left)));
    }

    /// A reload begins when the signal arrives. Before `READY=1`, which says that a reload is done as well, systemd
    /// hears of none; and none is done once systemd knows of the stop.
    fn notify_reloads(&mut self) {
        let count = self.life.listeners.reloads.count();
        let is_new = std::mem::replace(&mut self.reloads, count) != count;
        if !self.is_ready || self.is_stopping() {
            return;
        }
        if is_new {
            self.is_reloading = true;
            let now = sys::monotonic_micros();
            self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS={}", lines::RELOADING));
        }
        if self.is_reloading && self.life.listeners.reloads.are_done() {
            self.is_reloading = false;
            self.notify(&format!("READY=1\nSTATUS={}", self.status()));
        }
    }

    /// Has systemd wait: for the start as long as the options say, for the stop as long as its budget lasts. systemd
    /// does not say what it grants; this never makes it less.
    fn ask_for_time(&mut self) {
        let Some(left) = self.time_left() else {
            self.extend_at = None;
            return;
        };
        if let Some((more, again)) = extension(self.extend_at, left, Instant::now()) {
            self.notify(&format!("EXTEND_TIMEOUT_USEC={}", more.as_micros()));
            self.extend_at = Some(again);
        }
    }

    /// What is left of the time that systemd is asked for, if it is asked for any.
    fn time_left(&self) -> Option<Duration> {
        let now = self.life.now();
        if self.is_stopping() {
            return self.life.phase.budget().map(|budget| budget.left(now));
        }
        let longest = self.life.settings.extend_start.filter(|_| !self.is_ready)?;
        longest.checked_sub(now.saturating_duration_since(self.life.time.born))
    }

    /// The runtime runs tasks.
    fn ping(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.runtime_has_answered();
        }
        self.notify("WATCHDOG=1");
    }

    fn feed_watchdog(&mut self) {
        let is_watched = self.is_ready;
        if self.watchdog.as_mut().is_some_and(|watchdog| watchdog.feed(&self.life, is_watched)) {
            self.notify("WATCHDOG=1");
        }
    }

    fn notify(&mut self, message: &str) {
        // The service goes on in the next process: nothing here concerns systemd any more.
        if matches!(self.life.phase.cause(), Some(Cause::Upgraded(_))) {
            return;
        }
        if let Err(error) = socket::send(&self.socket, message)
            && !std::mem::replace(&mut self.has_failed, true)
        {
            self.life.writer.say(lines::not_notified(&self.socket, &error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn more_time_is_asked_for_before_what_there_is_runs_out() {
        let earlier = Instant::now();
        let now = earlier + SECOND;
        let again = now + EXTENSION / 2;
        let asked = |due, left| extension(due, left, now);
        assert_eq!(asked(None, 10 * SECOND), Some((11 * SECOND, again)));
        assert_eq!(asked(None, 3600 * SECOND), Some((61 * SECOND, again)));
        assert_eq!(asked(Some(now), SECOND), Some((2 * SECOND, again)));
        assert_eq!(asked(Some(earlier), SECOND), Some((2 * SECOND, again)));
        assert_eq!(asked(Some(now + SECOND), SECOND), None);
        assert!(again < now + EXTENSION);
    }
}
