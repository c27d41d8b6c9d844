//! The watchdog of the unit: systemd is pinged as long as the runtime runs tasks, and before it loses patience a line
//! says who keeps the runtime from running them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::Sample;
use crate::model::budget::{APART, LATE, MOMENT};
use crate::report::census;
use crate::say::systemd as lines;
use crate::with::systemd::socket;

pub(super) struct Watchdog {
    /// The time between two pings.
    period: Duration,
    /// When the next ping, or the next check of the runtime, is due.
    ping_at: Instant,
    unanswered: Option<Unanswered>,
}

/// A check of the runtime that has not answered yet.
struct Unanswered {
    asked: Instant,
    /// The polls that were under way then.
    polls: Sample,
    /// Those that were under way when it was time to say who blocks the runtime: that may have begun since.
    later_polls: Option<Sample>,
    /// When to take that sample, then when to say it; `None` once it was said.
    say_at: Option<Instant>,
}

impl Watchdog {
    /// As the unit has it, if it has one.
    pub(super) fn of_unit() -> Option<Self> {
        let period = period(socket::watchdog()?);
        Some(Self { period, ping_at: Instant::now(), unanswered: None })
    }

    /// When something is due.
    pub(super) fn next(&self) -> Instant {
        let say_at = self.unanswered.as_ref().and_then(|unanswered| unanswered.say_at);
        say_at.map_or(self.ping_at, |at| at.min(self.ping_at))
    }

    /// The runtime runs tasks.
    pub(super) fn runtime_has_answered(&mut self) {
        self.unanswered = None;
    }

    /// Whether to ping systemd now. Otherwise, where a ping is due, a task is spawned on the runtime, and the ping
    /// follows when that task has run. In a stop with a deadline there is no such condition: the deadline ends what is
    /// stuck, and reports it. `is_watched`: systemd waits for pings from `READY=1` on.
    pub(super) fn feed(&mut self, life: &Arc<Lifecycle>, is_watched: bool) -> bool {
        let now = Instant::now();
        let has_deadline = life.phase.budget().is_some_and(|budget| budget.total().is_some());
        if has_deadline {
            self.unanswered = None;
        } else if is_watched {
            self.say_who_blocks(life, now);
        }
        let Some(next) = next_ping(self.ping_at, self.period, now) else {
            return false;
        };
        self.ping_at = next;
        if !has_deadline
            && let Some(runtime) = life.runtime.get()
            && life.listeners.systemd.ask()
        {
            let say_at = Some(now + self.period / 2);
            self.unanswered = Some(Unanswered { asked: now, polls: life.sample(), later_polls: None, say_at });
            let life = Arc::clone(life);
            runtime.spawn(async move { life.listeners.systemd.answer() });
        }
        has_deadline
    }

    /// Half a period is left by then, which is enough to write it.
    fn say_who_blocks(&mut self, life: &Lifecycle, now: Instant) {
        let Some(unanswered) = &mut self.unanswered else { return };
        let Some(say_at) = unanswered.say_at.filter(|at| *at <= now) else {
            return;
        };
        if now - say_at >= LATE {
            // The whole process stood still: the runtime gets the time to answer.
            unanswered.say_at = Some(now + MOMENT);
            return;
        }
        let Some(later_polls) = &unanswered.later_polls else {
            unanswered.later_polls = Some(life.sample());
            unanswered.say_at = Some(now + APART);
            return;
        };
        unanswered.say_at = None;
        let stuck = census::find(life, &[&unanswered.polls, later_polls]);
        let left = (unanswered.asked + self.period).saturating_duration_since(now);
        life.writer.say(lines::watchdog_not_fed(&stuck, now - unanswered.asked, left));
    }
}

/// How often the watchdog is fed: twice in the time that systemd waits, as `sd_watchdog_enabled(3)` recommends.
fn period(limit: Duration) -> Duration {
    limit / 2
}

/// When the next ping is due, where one is due now.
fn next_ping(due: Instant, period: Duration, now: Instant) -> Option<Instant> {
    (due <= now).then(|| now + period)
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
}
