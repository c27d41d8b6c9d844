//! The whole stop, from the first cause to the moment main's thread may leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::life::lifecycle::Lifecycle;
use crate::model::budget::LEAVING;
use crate::model::event::Event;
use crate::model::failure;
use crate::model::failure::How;
use crate::model::hook::{HookStage, Progress};
use crate::model::stall::Turn;
use crate::model::state::{Cause, Stage, State};
use crate::model::still_running::Stuck;
use crate::report::awaits;
use crate::report::{census, facts};
use crate::say::lines;
use crate::stop::clock::Clock;
use crate::stop::plan::{Course, Scene, Step};
use crate::work::hook;

/// How many of those who are aborted a subscriber hears of, one by one.
const ABORTS_SAID: usize = 32;

/// Runs beside the user's code, never among it: on the coordinator's thread, or as a task of a test. What is to be
/// done when is the [`Course`]'s to say.
pub(crate) async fn conduct(life: Arc<Lifecycle>, clock: Clock) {
    // Wait for the first cause. State and cause have changed when it rings.
    until(&life, clock, None, || life.state() >= State::Draining).await;
    let Some(&budget) = life.budget() else { return };
    life.watch_alive();
    let _ = life.first_look.set(life.sample());
    if matches!(life.cause(), Some(Cause::MainEnded)) {
        see_main_off(&life, clock).await;
    }

    let mut course = Course::new(budget, life.settings.drain);
    let mut last_look = None;
    loop {
        match course.next(&*life) {
            Step::Wait(deadline) => wait(&life, clock, awaits::prepare(&life, deadline)).await,

            // Consumers stop pulling and the first hooks run, while everything else is served; unless there is nothing
            // to drain: then main and its workers have been told already.
            Step::Drain => {
                if life.state() >= State::Stopping {
                    life.cancel(&[Stage::Early, Stage::Main]);
                } else {
                    life.cancel(&[Stage::Early]);
                }
                life.hooks.open(HookStage::BeforeStop);
                hook::start(&life, HookStage::BeforeStop);
            }
            Step::GiveUpHooks => give_up_hooks(&life),

            // Main and its workers are told, then those whom they depend on, then those who watch. Each is joined
            // before the next is told.
            Step::Stop => {
                life.set_stopping();
                life.hooks.open(HookStage::OnStop);
                hook::start(&life, HookStage::OnStop);
            }
            Step::Tell(stages) => life.cancel(stages),
            Step::SayWhoIsLeft(waited) => say_who_is_left(&life, waited),

            // Out of time. The facts are taken first; then comes the abort that destroys them.
            Step::Look => {
                census::ask_who_waits(&life);
                last_look = Some(life.sample());
            }
            Step::Abort { told, rest } => {
                let report = facts::take(&life, last_look.as_ref());
                for stuck in report.stuck.iter().take(ABORTS_SAID) {
                    life.scribe.say(lines::aborting(stuck, remaining(&life)));
                }
                let _ = life.report.set(report);
                life.trace.note(life.now(), Event::Aborted);
                life.failures.settle(failure::OUT_OF_TIME);
                life.begin_abort(&told);
                give_up_hooks(&life);
                life.cancel(&rest);
            }
            Step::AbortRest(rest) => life.begin_abort(&rest),

            // Joined, or beyond waiting for. What all others used is closed now, one after the other; then main's
            // thread may go.
            Step::Close => {
                life.trace.note(life.now(), Event::Joined);
                life.set_stopped();
            }
            Step::RunLastHook => drop(hook::start_last(&life, HookStage::AfterStop)),
            Step::Leave => {
                hook::give_up_those_that_wait(&life);
                return life.let_go();
            }
        }
        clock.let_others_run().await;
    }
}

/// A main that has ended is gone in a moment, unless a destructor of its holds it up. Names the workers it leaves.
async fn see_main_off(life: &Lifecycle, clock: Clock) {
    let soon = life.budget().and_then(|budget| budget.asked().checked_add(LEAVING));
    until(life, clock, soon, || !life.is_main_alive()).await;
    let left = census::workers(life, &[]);
    if !left.is_empty() {
        life.scribe.say(lines::main_ended_first(&left));
    }
}

/// Aborts the hooks that are running, and says so.
fn give_up_hooks(life: &Lifecycle) {
    for hook in life.hooks.abort(life.now()) {
        let how = match hook.progress {
            Progress::NotRun => How::NotRun,
            _ => How::Overrun(hook.took.unwrap_or_default()),
        };
        hook::note(life, hook.stage, hook.name, how);
    }
}

/// Those whose turn has come; all of them, where none has.
fn say_who_is_left(life: &Lifecycle, waited: Duration) {
    let mut left = census::find(life, &[]);
    if !left.iter().all(Stuck::is_untold) {
        left.retain(|stuck| !stuck.is_untold());
    }
    if !left.is_empty() {
        let remaining = remaining(life);
        life.scribe.say(lines::still_waiting(&left, waited, remaining));
    }
}

/// What is left until the process is gone.
fn remaining(life: &Lifecycle) -> Option<Duration> {
    let budget = life.budget().filter(|budget| budget.total().is_some())?;
    Some(budget.left(life.now()))
}

/// Waits until `reached`, which the bell announces, or `deadline`.
async fn until(life: &Lifecycle, clock: Clock, deadline: Option<Instant>, reached: impl Fn() -> bool) {
    while !reached() && deadline.is_none_or(|deadline| deadline > life.now()) {
        wait(life, clock, deadline).await;
    }
}

/// Waits until the bell rings, or `deadline`.
async fn wait(life: &Lifecycle, clock: Clock, deadline: Option<Instant>) {
    clock.sleep(deadline, life.rung()).await;
    // The clock of a test jumps.
    if let (Clock::Thread, Some(deadline)) = (clock, deadline) {
        life.woke(deadline);
    }
    life.pass_news_on();
}

impl Scene for Lifecycle {
    fn now(&self) -> Instant {
        self.now()
    }

    fn put_off(&self, moment: Instant, turn: Turn) -> Instant {
        self.thaw.put_off(moment, turn)
    }

    fn is_drained(&self) -> bool {
        self.is_drained()
    }

    fn runs_hooks(&self, stage: HookStage) -> bool {
        self.hooks.is_running(stage)
    }

    fn hooks_of_the_end(&self) -> usize {
        self.hooks.waiting(HookStage::AfterStop)
    }

    fn close_if_empty(&self, stages: &[Stage]) -> bool {
        self.close_if_empty(stages)
    }

    fn is_dropping(&self) -> bool {
        self.is_dropping()
    }

    fn is_settled(&self) -> bool {
        self.is_settled()
    }
}
