//! The whole stop, from the first cause to the moment main's thread may leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::Sample;
use crate::model::budget::{Budget, LEAVING};
use crate::model::event::Event;
use crate::model::failure;
use crate::model::hook::HookStage;
use crate::model::state::{Cause, Stage, State};
use crate::model::still_running::Stuck;
use crate::report::awaits;
use crate::report::{census, facts};
use crate::say::lines;
use crate::stop::plan::{Plan, Step};
use crate::stop::transitions;
use crate::work::hook;

/// How many aborts get a line of their own for the subscriber.
const ABORTS_SAID: usize = 32;

/// What follows a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another step.
    Step,
    /// Wait until the lifecycle wakes the driver, or until this moment.
    Wait(Option<Instant>),
    /// Nothing: the stop is over.
    Nothing,
}

/// How far a stop has come: it waits for its cause, lets main leave, and follows its plan.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    phase: Phase,
    /// The polls that were under way shortly before the abort.
    last_sample: Option<Sample>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    NotAsked,
    MainLeaves(Budget),
    Runs(Plan),
    Over,
}

impl Stop {
    /// Does the next step that is due. Nothing in here blocks: what may block runs on the lifecycle's helper.
    pub(crate) fn advance(&mut self, life: &Arc<Lifecycle>) -> Next {
        if life.notifier.take_change() {
            life.notify_waiters();
        }
        match &mut self.phase {
            Phase::NotAsked => self.begin(life),
            &mut Phase::MainLeaves(budget) => self.let_main_leave(life, budget),
            Phase::Runs(plan) => {
                let step = plan.next(&**life);
                self.take(life, step)
            }
            Phase::Over => Next::Nothing,
        }
    }

    /// State and cause have already changed when a request for the stop wakes the driver.
    fn begin(&mut self, life: &Arc<Lifecycle>) -> Next {
        let Some(&budget) = life.phase.budget().filter(|_| life.phase.state() >= State::Draining) else {
            return Next::Wait(None);
        };
        life.members.watch();
        let _ = life.diagnostics.first_sample.set(life.sample());
        self.phase = if matches!(life.phase.cause(), Some(Cause::MainEnded)) {
            Phase::MainLeaves(budget)
        } else {
            Phase::Runs(Plan::new(budget, life.settings.drain))
        };
        Next::Step
    }

    /// Waits up to 20 ms for main's future to be dropped, then warns about workers that are still running.
    fn let_main_leave(&mut self, life: &Arc<Lifecycle>, budget: Budget) -> Next {
        let latest = budget.asked().checked_add(LEAVING);
        if life.members.main.is_alive() && latest.is_none_or(|latest| latest > life.now()) {
            return Next::Wait(latest);
        }
        let left = census::workers(life);
        if !left.is_empty() {
            life.writer.say(lines::main_ended_first(&left, life.members.main.has_failed()));
        }
        self.phase = Phase::Runs(Plan::new(budget, life.settings.drain));
        Next::Step
    }

    fn take(&mut self, life: &Arc<Lifecycle>, step: Step) -> Next {
        match step {
            Step::Wait(deadline) => return Next::Wait(awaits::prepare(life, deadline)),

            // Consumers stop pulling and the first hooks run, while everything else goes on serving. If there is
            // nothing to drain, main and its workers have been told to stop already.
            Step::Drain => {
                if life.phase.state() >= State::Stopping {
                    transitions::cancel(life, &[Stage::Early, Stage::Main]);
                } else {
                    transitions::cancel(life, &[Stage::Early]);
                }
                life.hooks.open(HookStage::BeforeStop);
                hook::start(life, HookStage::BeforeStop);
            }
            Step::GiveUpHooks => hook::abort_running(life),

            // Main and its workers are told to stop, then what they depend on, then health endpoints. Each stage is
            // joined before the next is told to stop.
            Step::Stop => {
                transitions::set_stopping(life);
                life.hooks.open(HookStage::OnStop);
                hook::start(life, HookStage::OnStop);
            }
            Step::Tell(stages) => transitions::cancel(life, stages),
            Step::SayStillWaiting(waited) => say_still_waiting(life, waited),

            // Out of time. The facts are taken first; then comes the abort that destroys them.
            Step::Sample => {
                census::ask_waiters(life);
                self.last_sample = Some(life.sample());
            }
            Step::Abort { told, rest } => {
                let report = facts::take(life, self.last_sample.as_ref());
                for stuck in report.stuck.iter().take(ABORTS_SAID) {
                    life.writer.say(lines::aborting(stuck, remaining(life)));
                }
                let _ = life.diagnostics.report.set(report);
                life.phase.timeline.note(life.now(), Event::Aborted);
                life.diagnostics.failures.settle(failure::OUT_OF_TIME);
                transitions::begin_abort(life, told);
                hook::abort_running(life);
                transitions::cancel(life, rest);
            }
            Step::AbortRest(rest) => transitions::begin_abort(life, rest),

            // Everything was joined or given up. Hooks close what all others used, one after the other; then main's
            // thread may go.
            Step::Close => {
                life.phase.timeline.note(life.now(), Event::Joined);
                transitions::set_stopped(life);
            }
            Step::RunLastHook(until) => drop(hook::start_last(life, HookStage::AfterStop, until)),
            Step::Leave => {
                hook::give_up_waiting(life);
                life.notifier.let_main_go();
                self.phase = Phase::Over;
                return Next::Nothing;
            }
        }
        Next::Step
    }
}

/// Names the workers that were told to stop; all of them, if none was.
fn say_still_waiting(life: &Lifecycle, waited: Duration) {
    let mut left = census::find(life, &[]);
    if !left.iter().all(Stuck::is_untold) {
        left.retain(|stuck| !stuck.is_untold());
    }
    if !left.is_empty() {
        let waiting = lines::still_waiting(&left, waited, remaining(life));
        life.listeners.note_waiting(&waiting.text);
        life.writer.say(waiting);
    }
}

/// What is left until the process is gone.
fn remaining(life: &Lifecycle) -> Option<Duration> {
    let budget = life.phase.budget().filter(|budget| budget.total().is_some())?;
    Some(budget.left(life.now()))
}
