//! Notifies systemd, where the unit asks for it: one of `Type=notify`, or one with `WatchdogSec=`.
//!
//! A thread of its own does that, since systemd may be slow to take a message. Only the end of the process waits for
//! that thread, for a bounded moment.

mod socket;

use std::env;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::life::doorbell::ThreadState;
use crate::life::lifecycle::Lifecycle;
use crate::model::state::State;
use crate::os::threads;
use crate::say::lines;

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
        watchdog: socket::watchdog().map(period),
        ping_at: Instant::now(),
        has_failed: false,
    };
    life.listeners.systemd.leave(|changes| changes.thread = ThreadState::Busy);
    let run = move || {
        prepare();
        thread.run();
    };
    threads::start("graceful-notify", Box::new(run)).map(drop)
}

/// How often the watchdog is fed: twice in the time that systemd waits, as `sd_watchdog_enabled(3)` recommends.
fn period(limit: Duration) -> Duration {
    limit / 2
}

/// When the next ping is due, where one is due now.
fn next_ping(due: Instant, period: Duration, now: Instant) -> Option<Instant> {
    (due <= now).then(|| now + period)
}

/// How much time to request, and when to request more; `None` before `due`. `left`: of the budget.
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
    /// When to request more time again. Set during a stop.
    extend_at: Option<Instant>,
    /// The time between two pings, where the unit has a watchdog.
    watchdog: Option<Duration>,
    /// When the next ping, or the next check of the runtime, is due.
    ping_at: Instant,
    /// Set when a notification has failed, which is logged once.
    has_failed: bool,
}

impl NotifyThread {
    fn run(mut self) {
        loop {
            let news = self.life.listeners.systemd.wait(self.until_next());
            if news.was_ready {
                self.notify_ready();
            }
            if news.has_answered {
                self.notify("WATCHDOG=1");
            }
            self.notify_state();
            self.ask_for_time();
            self.feed_watchdog();
            if self.life.teardown.is_over() {
                return;
            }
        }
    }

    /// The time until something is due, unless an event comes first.
    fn until_next(&self) -> Duration {
        let ping_at = self.watchdog.map(|_| self.ping_at);
        let next = ping_at.into_iter().chain(self.extend_at).min();
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
        let text = lines::systemd_status(state, self.life.phase.cause());
        let stopping = if begins { "STOPPING=1\n" } else { "" };
        self.notify(&format!("{stopping}STATUS={text}"));
    }

    /// Has systemd wait as long as the budget lasts. systemd does not say what it grants; this never makes it less.
    fn ask_for_time(&mut self) {
        let Some(budget) = self.life.phase.budget().filter(|_| self.is_stopping()) else {
            return;
        };
        let left = budget.left(self.life.now());
        if let Some((more, again)) = extension(self.extend_at, left, Instant::now()) {
            self.notify(&format!("EXTEND_TIMEOUT_USEC={}", more.as_micros()));
            self.extend_at = Some(again);
        }
    }

    /// Spawns a task on the runtime; the ping follows when that task has run. In a stop with a deadline it is sent at
    /// once: the deadline ends what is stuck, and reports it.
    fn feed_watchdog(&mut self) {
        let Some(period) = self.watchdog else { return };
        let Some(next) = next_ping(self.ping_at, period, Instant::now()) else {
            return;
        };
        self.ping_at = next;
        if self.life.phase.budget().is_some_and(|budget| budget.total().is_some()) {
            self.notify("WATCHDOG=1");
        } else if let Some(runtime) = self.life.runtime.get()
            && self.life.listeners.systemd.ask()
        {
            let life = Arc::clone(&self.life);
            runtime.spawn(async move { life.listeners.systemd.answer() });
        }
    }

    fn notify(&mut self, message: &str) {
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
    use crate::life::doorbell::Doorbell;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time() {
        assert_eq!(period(10 * SECOND), 5 * SECOND);
        let earlier = Instant::now();
        let now = earlier + SECOND;
        let next = Some(now + 5 * SECOND);
        assert_eq!(next_ping(now, 5 * SECOND, now), next);
        assert_eq!(next_ping(earlier, 5 * SECOND, now), next);
        assert_eq!(next_ping(now + SECOND, 5 * SECOND, now), None);
    }

    #[test]
    fn the_runtime_is_asked_again_when_it_has_answered() {
        let bell = Doorbell::default();
        assert!(bell.ask());
        assert!(!bell.ask());
        bell.answer();
        assert!(bell.ask());
    }

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
