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

/// How many of those who are aborted a subscriber hears of, one by one.
const ABORTS_SAID: usize = 32;

/// What is to be done after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another step.
    Step,
    /// Wait until the lifecycle wakes whoever drives the stop, or until this moment.
    Wait(Option<Instant>),
    /// Nothing: the stop is over.
    Nothing,
}

/// How far a stop has come: it waits for its cause, sees main off, and follows its plan.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    phase: Phase,
    /// Who was inside a poll shortly before the abort.
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
    /// Does the next step that is due. Nothing in here blocks: what may is left to the lifecycle's helper.
    pub(crate) fn advance(&mut self, life: &Arc<Lifecycle>) -> Next {
        transitions::announce_changes(life);
        match &mut self.phase {
            Phase::NotAsked => self.begin(life),
            Phase::MainLeaves(budget) => {
                let budget = *budget;
                self.see_main_off(life, budget)
            }
            Phase::Runs(plan) => {
                let step = plan.next(&**life);
                self.take(life, step)
            }
            Phase::Over => Next::Nothing,
        }
    }

    /// State and cause have changed when whoever asked for the stop wakes the driver.
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

    /// Waits for a moment until main's future is dropped, then warns of workers that are still running.
    fn see_main_off(&mut self, life: &Arc<Lifecycle>, budget: Budget) -> Next {
        let latest = budget.asked().checked_add(LEAVING);
        if life.members.is_main_alive() && latest.is_none_or(|latest| latest > life.now()) {
            return Next::Wait(latest);
        }
        let left = census::workers(life, &[]);
        if !left.is_empty() {
            life.writer.say(lines::main_ended_first(&left));
        }
        self.phase = Phase::Runs(Plan::new(budget, life.settings.drain));
        Next::Step
    }

    fn take(&mut self, life: &Arc<Lifecycle>, step: Step) -> Next {
        match step {
            Step::Wait(deadline) => return Next::Wait(awaits::prepare(life, deadline)),

            // Consumers stop pulling and the first hooks run, while everything else is served; unless there is nothing
            // to drain: then main and its workers have been told already.
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

            // Main and its workers are told, then those whom they depend on, then those who watch. Each is joined
            // before the next is told.
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
                transitions::begin_abort(life, &told);
                hook::abort_running(life);
                transitions::cancel(life, &rest);
            }
            Step::AbortRest(rest) => transitions::begin_abort(life, &rest),

            // Joined, or beyond waiting for. What all others used is closed now, one after the other; then main's
            // thread may go.
            Step::Close => {
                life.phase.timeline.note(life.now(), Event::Joined);
                transitions::set_stopped(life);
            }
            Step::RunLastHook => drop(hook::start_last(life, HookStage::AfterStop)),
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

/// Those whose turn has come; all of them, where none has.
fn say_still_waiting(life: &Lifecycle, waited: Duration) {
    let mut left = census::find(life, &[]);
    if !left.iter().all(Stuck::is_untold) {
        left.retain(|stuck| !stuck.is_untold());
    }
    if !left.is_empty() {
        let remaining = remaining(life);
        life.writer.say(lines::still_waiting(&left, waited, remaining));
    }
}

/// What is left until the process is gone.
fn remaining(life: &Lifecycle) -> Option<Duration> {
    let budget = life.phase.budget().filter(|budget| budget.total().is_some())?;
    Some(budget.left(life.now()))
}
