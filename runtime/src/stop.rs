//! The whole stop, from the first cause to the moment main's thread may leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::coordinator::Clock;
use crate::exit::{self, How};
use crate::hooks::{self, HookStage, Progress};
use crate::lifecycle::Lifecycle;
use crate::message;
use crate::report::Report;
use crate::state::{Cause, Stage, State};
use crate::stuck::{Sample, Stuck};
use crate::watch::LEAVING;

/// Two looks this far apart that see the same poll see a poll that blocks.
pub(crate) const APART: Duration = Duration::from_millis(10);

/// How long before the abort the last look begins.
const LAST_LOOK: Duration = Duration::from_millis(25);

/// How long a result may be on its way from its worker to whoever drops it, on a busy machine.
const SETTLING: Duration = Duration::from_millis(50);

/// The first of the lines that say for whom the stop waits; each later one takes twice as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs beside the user's code, never among it: on the coordinator's thread, or as a task of a test.
pub(crate) async fn conduct(life: Arc<Lifecycle>, clock: Clock) {
    // Wait for the first cause. State and cause have changed when it rings.
    until(&life, clock, None, || life.state() >= State::Draining).await;
    let Some(budget) = life.budget() else { return };
    life.watch_alive();
    let _ = life.first_look.set(Sample::take(&life));
    // A main that has ended is gone in a moment, unless a destructor of its holds it up.
    if matches!(life.cause(), Some(Cause::MainEnded)) {
        until(&life, clock, budget.asked().checked_add(LEAVING), || {
            !life.is_main_alive()
        })
        .await;
    }
    let left = if matches!(life.cause(), Some(Cause::MainEnded)) {
        Stuck::workers(&life, &[])
    } else {
        Vec::new()
    };
    if !left.is_empty() {
        life.scribe.say(message::main_ended_first(&left));
    }

    // Drain: consumers stop pulling and the first hooks run, while everything else is served. It lasts as long as was
    // asked for, and until the hooks are done, but for no longer than half the budget.
    if life.state() >= State::Stopping {
        life.cancel(&[Stage::Early, Stage::Main]);
    } else {
        life.cancel(&[Stage::Early]);
    }
    life.hooks.open(HookStage::BeforeStop);
    hooks::start(&life, HookStage::BeforeStop);
    let served = || life.is_drained() || budget.asked().elapsed() >= life.settings.drain;
    let is_over = || served() && !life.hooks.is_running(HookStage::BeforeStop);
    let drained = budget
        .asked()
        .checked_add(life.settings.drain)
        .filter(|_| !served());
    until(&life, clock, earlier(drained, budget.half()), is_over).await;
    until(&life, clock, budget.half(), is_over).await;

    // A first hook that hangs has had its time.
    give_up_hooks(&life);

    // Stop: tell main and its workers, then those whom they depend on, then those who watch. Each stage is joined
    // before the next is told.
    life.set_stopping();
    life.hooks.open(HookStage::OnStop);
    hooks::start(&life, HookStage::OnStop);
    let mut told = Vec::new();
    let mut joined = true;
    for stages in [
        &[Stage::Early, Stage::Main][..],
        &[Stage::Late],
        &[Stage::Last],
    ] {
        life.cancel(stages);
        told.extend(stages);
        joined = join_in_time(&life, clock, budget, &told).await;
        if !joined {
            break;
        }
    }

    // Out of time. The facts were taken; now the abort that destroys them. Destructors get what is left, but for the
    // share of the hooks of the end, and so do, up to half of it, those whose turn had not come.
    if !joined {
        life.failures.settle(exit::OUT_OF_TIME);
        life.begin_abort(&told);
        give_up_hooks(&life);
        let rest: Vec<_> = Stage::ALL
            .into_iter()
            .filter(|stage| !told.contains(stage))
            .collect();
        life.cancel(&rest);
        let everybody = || life.close_if_empty(&Stage::ALL);
        if !until(&life, clock, budget.half_reserve(), everybody).await {
            life.begin_abort(&rest);
            let closes = life.hooks.waiting(HookStage::AfterStop) > 0;
            let given_up = if closes {
                budget.closing_at()
            } else {
                budget.report_at()
            };
            until(&life, clock, given_up, everybody).await;
        }
    }

    // Joined, or beyond waiting for. What all others used is closed now, one after the other, each with its share of
    // what is left; then main's thread may go.
    life.set_stopped();
    close(&life, clock, budget).await;
    life.let_go();
}

/// Aborts the hooks that are running, and says so.
fn give_up_hooks(life: &Lifecycle) {
    for hook in life.hooks.abort() {
        let how = match hook.progress {
            Progress::NotRun => How::NotRun,
            _ => How::Overrun(hook.took.unwrap_or_default()),
        };
        hooks::note(life, hook.stage, hook.name, how);
    }
}

/// Runs the hooks of the end, the last registered first.
async fn close(life: &Arc<Lifecycle>, clock: Clock, budget: &Budget) {
    loop {
        let waiting = u32::try_from(life.hooks.waiting(HookStage::AfterStop)).unwrap_or(u32::MAX);
        let left = budget
            .report_at()
            .map(|at| at.saturating_duration_since(Instant::now()));
        if waiting == 0 || left.is_some_and(|left| left.is_zero()) {
            break;
        }
        hooks::start_last(life, HookStage::AfterStop);
        let share = left.map(|left| Instant::now() + left / waiting);
        if !until(life, clock, share, || {
            !life.hooks.is_running(HookStage::AfterStop)
        })
        .await
        {
            give_up_hooks(life);
        }
    }
    for hook in life.hooks.close() {
        hooks::note(life, hook.stage, hook.name, How::NotRun);
    }
}

/// Joins these stages before the abort. Where that fails, the facts about who is left have been taken.
async fn join_in_time(
    life: &Arc<Lifecycle>,
    clock: Clock,
    budget: &Budget,
    stages: &[Stage],
) -> bool {
    let abort_at = budget.abort_at();
    let look_at = abort_at.map(|at| budget.asked().max(at.checked_sub(LAST_LOOK).unwrap_or(at)));
    if join(life, clock, look_at, stages).await {
        return true;
    }
    life.ask_who_waits();
    let second_look = Sample::take(life);
    if join(life, clock, abort_at, stages).await {
        return true;
    }
    let _ = life.report.set(Report::take(life, Some(&second_look)));
    false
}

/// Joins these stages, and the results that their workers left to nobody.
async fn join(life: &Lifecycle, clock: Clock, deadline: Option<Instant>, stages: &[Stage]) -> bool {
    loop {
        if !join_workers(life, clock, deadline, stages).await {
            return false;
        }
        // A worker is gone a moment before its result begins to be dropped. One that a handle holds stays.
        let settling = earlier(Some(Instant::now() + SETTLING), deadline);
        until(life, clock, settling, || {
            life.is_settled() || life.is_dropping()
        })
        .await;
        if !life.is_dropping() {
            return true;
        }
    }
}

/// Waits until nobody is left in these stages, and no hook; and says for whom it waits: after a second, then at
/// doubling intervals.
async fn join_workers(
    life: &Lifecycle,
    clock: Clock,
    deadline: Option<Instant>,
    stages: &[Stage],
) -> bool {
    let is_running = |stage| life.hooks.is_running(stage);
    let is_empty =
        || !HookStage::BEFORE_THE_END.into_iter().any(is_running) && life.close_if_empty(stages);
    let begun = life.budget().map_or_else(Instant::now, Budget::asked);
    let mut patience = PATIENCE;
    while begun + patience <= Instant::now() {
        patience *= 2;
    }
    loop {
        let say_at = begun + patience;
        let next = deadline.map_or(say_at, |deadline| deadline.min(say_at));
        if until(life, clock, Some(next), is_empty).await {
            return true;
        }
        if deadline.is_some_and(|deadline| deadline <= next) {
            return false;
        }
        let mut left = Stuck::find(life, &[]);
        if !left.iter().all(Stuck::is_untold) {
            left.retain(|stuck| !stuck.is_untold());
        }
        life.scribe.say(message::still_waiting(&left, patience));
        patience = patience.saturating_mul(2);
    }
}

/// Waits until `reached`, which the bell announces, or `deadline`. Whoever gets there at the very deadline has
/// made it: there is one more look after it.
async fn until(
    life: &Lifecycle,
    clock: Clock,
    deadline: Option<Instant>,
    reached: impl Fn() -> bool,
) -> bool {
    loop {
        if reached() {
            return true;
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            clock.let_others_run().await;
            return reached();
        }
        clock.sleep(deadline, life.rung()).await;
        life.pass_news_on();
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
