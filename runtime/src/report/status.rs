//! A snapshot of the lifecycle, for people at 3 a.m. and for machines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::life::entry::Entry;
use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::Sample;
use crate::model::budget::APART;
use crate::model::budget::Budget;
use crate::model::event::Event;
use crate::model::exit::ExitKind;
use crate::model::hook::Progress;
use crate::model::label::{EntryId, Label};
use crate::model::state::{Cause, State};
use crate::report::census::Census;
use crate::report::rows::{Activity, HoldStatus, HookStatus, LastFailure, MainStatus, WorkerStatus};
use crate::say::line::Line;
use crate::work::ambient;

/// What a lifecycle looked like at one moment. See [`status`].
///
/// `Display` prints an aligned table; with the feature `serde` it can be serialised.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// How far the lifecycle has come.
    pub state: State,
    /// How long it has been running.
    pub uptime: Duration,
    /// Why it stops, as text. `None` before a stop was asked for.
    pub cause: Option<String>,
    /// The time left until the abort. `None` before a stop was asked for, and without a deadline.
    pub remaining: Option<Duration>,
    /// How long each part of the stop took, or has taken so far.
    pub timings: Timings,
    /// The main function.
    pub main: MainStatus,
    /// A row per worker function or name.
    pub workers: Vec<WorkerStatus>,
    /// The hooks, in the order of their registration.
    pub hooks: Vec<HookStatus>,
    /// The holds that keep stages open, by name.
    pub holds: Vec<HoldStatus>,
    /// How many tasks on the runtime are neither workers nor hooks.
    pub untracked: usize,
    /// The events of the stop, in order.
    pub trace: Vec<Moment>,
    /// Upgrades in place. Feature `upgrade`, on Unix.
    #[cfg(all(unix, feature = "upgrade"))]
    pub upgrade: UpgradeStatus,
}

/// Upgrades in place, as one process sees them.
#[cfg(all(unix, feature = "upgrade"))]
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UpgradeStatus {
    /// Which process of the service this is: 1 for one that was started in the usual way.
    pub generation: u32,
    /// Whether this is a new process whose predecessor has not made way yet.
    pub is_waiting: bool,
    /// Whether a new process is being started, or has yet to be ready.
    pub is_under_way: bool,
    /// How many upgrades have failed here.
    pub failed: u64,
    /// The last of them: why, and how long ago.
    pub last_failure: Option<LastFailure>,
}

#[cfg(all(unix, feature = "upgrade"))]
impl UpgradeStatus {
    fn empty() -> Self {
        let generation = crate::life::succession::generation();
        Self { generation, is_waiting: false, is_under_way: false, failed: 0, last_failure: None }
    }

    fn take(life: &Lifecycle, now: Instant) -> Self {
        let (failed, last) = life.succession.failures();
        let ago = |(error, at): (crate::model::upgrade::UpgradeError, Instant)| LastFailure {
            text: error.to_string(),
            ago: now.saturating_duration_since(at),
        };
        Self {
            is_waiting: life.succession.is_waiting(),
            is_under_way: life.succession.is_attempt_under_way(),
            failed,
            last_failure: last.map(ago),
            ..Self::empty()
        }
    }
}

/// Something that happened in a stop.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Moment {
    /// How long after the stop was asked for.
    pub after: Duration,
    /// What happened.
    pub event: Event,
}

/// How long each part of a stop took.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Timings {
    /// From the start until the stop was asked for.
    pub running: Duration,
    /// From then until main and its workers were told to stop.
    pub draining: Duration,
    /// From then until everything was joined or aborted.
    pub stopping: Duration,
    /// From then on: [`after_stop`](crate::after_stop) hooks, the runtime, values given to [`keep`](crate::keep).
    pub closing: Duration,
}

/// Takes a snapshot of the lifecycle: its state, a row per worker function, hooks and holds. It costs the workers
/// nothing: what it shows is counted anyway. Outside any lifecycle it is empty.
pub fn status() -> Status {
    ambient::lifecycle().map_or_else(Status::empty, |life| Status::take(&life, None))
}

/// Has the writer take the status and write it to standard error.
pub(crate) fn publish(life: &Arc<Lifecycle>) {
    // Weak: the lifecycle has the writer's queue.
    let weak = Arc::downgrade(life);
    life.writer.say_later(move || {
        let life = weak.upgrade()?;
        // A sample a moment earlier shows which polls block. The writer can wait.
        let earlier = life.sample();
        std::thread::sleep(APART);
        Some(Line::dump(Status::take(&life, Some(&earlier)).to_string()))
    });
}

impl Status {
    pub(crate) fn empty() -> Self {
        Self {
            state: State::Starting,
            uptime: Duration::ZERO,
            cause: None,
            remaining: None,
            timings: Timings::default(),
            main: MainStatus::default(),
            workers: Vec::new(),
            hooks: Vec::new(),
            holds: Vec::new(),
            untracked: 0,
            trace: Vec::new(),
            #[cfg(all(unix, feature = "upgrade"))]
            upgrade: UpgradeStatus::empty(),
        }
    }

    pub(crate) fn take(life: &Lifecycle, earlier: Option<&Sample>) -> Self {
        let now = life.now();
        let asked = life.phase.budget().map_or(now, Budget::asked);
        let since_asked = |at: Instant| at.saturating_duration_since(asked);
        let census = Census::now(life, earlier.as_slice());
        let mut status = Self {
            state: life.phase.state(),
            uptime: now.saturating_duration_since(life.time.born),
            cause: life.phase.cause().map(Cause::to_string),
            timings: Timings::of(life, now),
            main: MainStatus {
                is_alive: life.members.main.is_alive(),
                has_looked: life.members.main.has_asked(),
                activity: activity(&census, EntryId::MAIN),
            },
            #[cfg(all(unix, feature = "upgrade"))]
            upgrade: UpgradeStatus::take(life, now),
            ..Self::empty()
        };
        if let Some(budget) = life.phase.budget().filter(|budget| budget.total().is_some()) {
            status.remaining = Some(budget.remaining(now));
        }
        // Tracked tasks are workers, main aside, and running hooks. A hold is no task.
        let alive = life.tasks_alive();
        let mut tracked = life.members.workers();
        for (id, label, entry) in life.registry.all() {
            if label.is_hold {
                let (name, location) = (label.name.to_string(), label.location());
                let hold = HoldStatus { name, location, live: entry.live(), taken: entry.started() };
                tracked = tracked.saturating_sub(usize::try_from(hold.live).unwrap_or(0));
                status.holds.push(hold);
            } else {
                status.workers.push(worker(&census, id, &label, entry));
            }
        }
        for hook in life.hooks.seen(now) {
            tracked += usize::from(hook.progress == Progress::Running);
            status.hooks.push(HookStatus {
                name: hook.name.to_string(),
                stage: hook.stage,
                progress: hook.progress,
                began: hook.began.map(since_asked),
                took: hook.took,
            });
        }
        status.untracked = alive.saturating_sub(tracked);
        for (at, event) in life.phase.timeline.events() {
            let after = since_asked(at);
            status.trace.push(Moment { after, event });
        }
        status
    }
}

impl Timings {
    pub(crate) fn of(life: &Lifecycle, now: Instant) -> Self {
        let Some(asked) = life.phase.budget().map(Budget::asked) else {
            return Self { running: now.saturating_duration_since(life.time.born), ..Self::default() };
        };
        let told = life.phase.told_at().unwrap_or(now);
        let joined = life.phase.joined_at().unwrap_or(now);
        Self {
            running: asked.saturating_duration_since(life.time.born),
            draining: told.saturating_duration_since(asked),
            stopping: joined.saturating_duration_since(told),
            closing: now.saturating_duration_since(joined),
        }
    }

    /// How long ago the stop was asked for.
    pub fn since_asked(&self) -> Duration {
        self.draining + self.stopping + self.closing
    }
}

fn worker(census: &Census<'_>, id: EntryId, label: &Label, entry: &Entry) -> WorkerStatus {
    let policy = entry.policy();
    let lately = entry.trouble.lately();
    WorkerStatus {
        name: label.name.to_string(),
        parents: census.life.registry.parents(id),
        location: label.location(),
        on_failure: policy.on_failure(),
        stage: census.life.registry.stage(id),
        live: entry.live(),
        waiting: entry.lingering.load(Ordering::Relaxed).into(),
        started: entry.started(),
        finished: entry.ended(ExitKind::Returned),
        failed: entry.ended(ExitKind::Failed),
        panicked: entry.ended(ExitKind::Panicked),
        aborted: entry.ended(ExitKind::Aborted),
        restarted: entry.restarted.load(Ordering::Relaxed),
        restarted_lately: lately.restarts,
        restarting: lately.restarting,
        next_restart: lately.next,
        last_failure: lately.failure.map(|(text, ago)| LastFailure { text, ago }),
        refused: entry.refused.load(Ordering::Relaxed),
        oldest: census.slots.get(&id).map(|slots| slots.oldest),
        ended: entry.ended_at.load(Ordering::Relaxed).checked_sub(1).map(|ms| Duration::from_millis(ms.into())),
        activity: activity(census, id),
    }
}

fn activity(census: &Census<'_>, entry: EntryId) -> Activity {
    let (in_poll, slots) = (census.in_poll(entry), census.slots.get(&entry));
    let last_polled = if in_poll > 0 {
        Some(Duration::ZERO)
    } else {
        let tick = census.life.threads.last_polled(census.life.id(), entry);
        tick.map(|tick| census.life.time.clock.since(tick))
    };
    Activity {
        in_poll,
        blocking: census.blocking(entry),
        last_polled,
        longest_unpolled: slots.map(|slots| slots.unpolled),
        since_progress: slots.and_then(|slots| slots.progress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::test::unit::lifecycle;

    #[test]
    fn a_dump_that_the_writer_never_writes_keeps_no_lifecycle() {
        let life = lifecycle();
        publish(&life);
        assert_eq!(Arc::strong_count(&life), 1);
    }
}
