//! The whole stop, from the first cause to the moment main's thread may leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::coordinator::Clock;
use crate::exit;
use crate::lifecycle::Lifecycle;
use crate::message;
use crate::report::Report;
use crate::state::Cause;
use crate::stuck::{Sample, Stuck};

/// Two looks this far apart that see the same poll see a poll that blocks.
const APART: Duration = Duration::from_millis(10);

/// The first of the lines that say for whom the stop waits; each later one takes twice as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs beside the user's code, never among it: on the coordinator's thread, or as a task of a test.
pub(crate) async fn conduct(life: Arc<Lifecycle>, clock: Clock) {
    let life = &*life;

    // Wait for the first cause. State and cause have changed when it rings.
    until(life, clock, None, || life.budget().is_some()).await;
    let Some(budget) = life.budget() else {
        return;
    };
    life.watch_alive();

    // Tell everybody. Workers that live when main has ended by itself are worth a word.
    if matches!(life.cause(), Some(Cause::MainEnded)) && life.workers_alive() > 0 {
        life.scribe
            .say(message::main_ended_first(&Stuck::workers(life, &[])));
    }
    let _ = life.first_look.set(Sample::take(life));
    life.cancel();

    // Wait for them, up to the abort, and have another look at who is inside a poll just before it.
    let look_at = budget
        .abort_at()
        .map(|at| budget.asked().max(at.checked_sub(APART).unwrap_or(at)));
    if !join(life, clock, look_at).await {
        let second_look = Sample::take(life);
        if !join(life, clock, budget.abort_at()).await {
            // Out of time. First the facts, then the abort that destroys them; destructors get what is left.
            let _ = life.report.set(Report::take(life, Some(&second_look)));
            life.failures.settle(exit::OUT_OF_TIME);
            life.begin_abort();
            until(life, clock, budget.report_at(), || life.close_if_empty()).await;
        }
    }

    // Joined, or beyond waiting for: main's thread may go.
    life.set_stopped();
}

/// Waits until nobody is left, and says for whom it waits: after a second, then at doubling intervals.
async fn join(life: &Lifecycle, clock: Clock, deadline: Option<Instant>) -> bool {
    let begun = life.budget().map_or_else(Instant::now, Budget::asked);
    let mut patience = PATIENCE;
    while begun + patience <= Instant::now() {
        patience *= 2;
    }
    loop {
        let say_at = begun + patience;
        let next = deadline.map_or(say_at, |deadline| deadline.min(say_at));
        if until(life, clock, Some(next), || life.close_if_empty()).await {
            return true;
        }
        if deadline.is_some_and(|deadline| deadline <= next) {
            return false;
        }
        life.scribe
            .say(message::still_waiting(&Stuck::find(life, &[]), patience));
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
    }
}
