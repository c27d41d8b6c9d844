//! The plan of a stop: decides the next step from what its `World` shows. It waits for nothing, changes nothing and
//! reads no clock but the world's.
//!
//! ```text
//! Asked ─▶ Draining ─▶ Told(0) ─▶ Joining(0) ─▶ Told(1) ─▶ … ─▶ Joining(2) ─▶ Closing ─▶ Left
//!                                      └───────────────┬───────────┘             ▲
//!                                        out of time   └────────▶ Aborting ──────┘
//! ```

use crate::model::budget::{FIRST_LINE, LAST_SAMPLE, SETTLING, SETTLING_POLL};

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use crate::model::budget::Budget;
use crate::model::hook::HookStage;
use crate::model::stall::Grace;
use crate::model::state::Stage;

/// The stages that are told to stop together, in order. Each turn is joined before the next one begins.
const TURNS: [&[Stage]; 3] = [&[Stage::Early, Stage::Main], &[Stage::Late], &[Stage::Last]];

/// The stages whose turn has come by then, and the others.
fn by_turn(turn: usize) -> (&'static [Stage], &'static [Stage]) {
    let all: &'static [Stage] = &Stage::ALL;
    all.split_at(TURNS[..=turn].iter().map(|stages| stages.len()).sum())
}

/// What the plan sees of a lifecycle.
pub(crate) trait World {
    fn now(&self) -> Instant;
    /// This moment, or a later one if the process stood still meanwhile.
    fn put_off(&self, moment: Instant, grace: Grace) -> Instant;
    /// Whether the drain was ended before its time.
    fn is_drained(&self) -> bool;
    /// Whether a hook of this stage is running.
    fn runs_hooks(&self, stage: HookStage) -> bool;
    /// How many `after_stop` hooks have not been started.
    fn after_stop_hooks(&self) -> usize;
    /// Whether these stages are empty. From then on they refuse newcomers.
    fn close_if_empty(&self, stages: &[Stage]) -> bool;
    /// Whether a worker's result is being dropped.
    fn is_dropping(&self) -> bool;
    /// Whether no result can still be about to be dropped.
    fn is_settled(&self) -> bool;
}

/// One step of the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Tell the early stage to stop and run the first hooks, while everything else goes on serving.
    Drain,
    /// Wait for a change, until this moment at the latest.
    Wait(Option<Instant>),
    /// Abort the hooks that are running: their time is up.
    GiveUpHooks,
    /// The drain is over: run the hooks of the stop.
    Stop,
    /// Tell these stages to stop.
    Tell(&'static [Stage]),
    /// Write a line that names what the stop has been waiting for this long.
    SayStillWaiting(Duration),
    /// Sample the polls under way: time is running out.
    Sample,
    /// Out of time: note what is left, then abort the stages that were told to stop, and tell the rest to stop.
    Abort { told: &'static [Stage], rest: &'static [Stage] },
    /// Abort the stages as well whose turn had not come.
    AbortRest(&'static [Stage]),
    /// Everything was joined, or cannot be waited for any longer.
    Close,
    /// Run the `after_stop` hook that was registered last, until its share ends.
    RunLastHook(Option<Instant>),
    /// Give up the hooks that have not been started, and let main's thread go.
    Leave,
}

/// How far a stop has come.
#[derive(Debug)]
pub(crate) struct Plan {
    budget: Budget,
    /// How long the service goes on serving.
    drain: Duration,
    phase: Phase,
    /// After how long the next line names what the stop waits for.
    line_after: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Asked,
    Draining,
    /// The drain is over; its hooks have ended or were aborted.
    Drained,
    /// The stages of this turn come next.
    Told(usize),
    Joining {
        turn: usize,
        /// Set once all workers are gone: until when their results may take to be dropped.
        settled_by: Option<Instant>,
        has_sampled: bool,
    },
    /// The stages whose turn had not come, until they are aborted too.
    Aborting(Option<&'static [Stage]>),
    /// When the share of the running hook ends.
    Closing(Option<Instant>),
    Left,
}

impl Plan {
    pub(crate) fn new(budget: Budget, drain: Duration) -> Self {
        Self { budget, drain, phase: Phase::Asked, line_after: FIRST_LINE }
    }

    /// The next step. The caller does it before it calls again.
    pub(crate) fn next(&mut self, world: &dyn World) -> Step {
        match self.phase {
            Phase::Asked => self.enter(Phase::Draining, Step::Drain),
            Phase::Draining => self.drain(world),
            Phase::Drained => self.enter(Phase::Told(0), Step::Stop),
            Phase::Told(turn) => {
                self.line_due(world);
                let joining = Phase::Joining { turn, settled_by: None, has_sampled: false };
                self.enter(joining, Step::Tell(TURNS[turn]))
            }
            Phase::Joining { turn, settled_by, has_sampled } => self.join(world, turn, settled_by, has_sampled),
            Phase::Aborting(rest) => self.wait_for_the_aborted(world, rest),
            Phase::Closing(share_ends) => self.close(world, share_ends),
            Phase::Left => Step::Leave,
        }
    }

    fn enter(&mut self, phase: Phase, step: Step) -> Step {
        self.phase = phase;
        step
    }

    /// The drain lasts as long as was asked for, and until its hooks are done, but no longer than half the budget.
    fn drain(&mut self, world: &dyn World) -> Step {
        let served_at = due(self.budget.asked().checked_add(self.drain), world);
        let is_served = world.is_drained() || served_at.is_some_and(|at| at <= world.now());
        let is_over = is_served && !world.runs_hooks(HookStage::BeforeStop);
        let half = due(self.budget.half(), world);
        if is_over || has_come(half, world) {
            return self.enter(Phase::Drained, Step::GiveUpHooks);
        }
        if !is_served {
            return Step::Wait(earliest([served_at, half]));
        }
        match self.line_due(world) {
            Some(waited) => Step::SayStillWaiting(waited),
            None => Step::Wait(earliest([half, self.say_at()])),
        }
    }

    fn join(&mut self, world: &dyn World, turn: usize, settled_by: Option<Instant>, has_sampled: bool) -> Step {
        let now = world.now();
        let is_empty = !world.runs_hooks(HookStage::BeforeStop)
            && !world.runs_hooks(HookStage::OnStop)
            && world.close_if_empty(by_turn(turn).0);
        // A worker's count drops slightly before its output is dropped; outputs held by a handle are not waited for.
        let settled_by = (is_empty && !world.is_dropping()).then(|| settled_by.unwrap_or(now + SETTLING));
        if settled_by.is_some_and(|at| world.is_settled() || at <= now) {
            if turn + 1 == TURNS.len() {
                return self.enter(Phase::Closing(None), Step::Close);
            }
            self.phase = Phase::Told(turn + 1);
            return self.next(world);
        }

        let (asked, abort_at) = (self.budget.asked(), self.budget.abort_at());
        let sample_at = abort_at.map(|at| at.checked_sub(LAST_SAMPLE).unwrap_or(at).max(asked));
        let sample_at = due(sample_at.filter(|_| !has_sampled), world);
        let abort_at = due(abort_at, world);
        let must_sample = has_come(sample_at, world);
        self.phase = Phase::Joining { turn, settled_by, has_sampled: has_sampled || must_sample };
        if must_sample {
            return Step::Sample;
        }
        if has_come(abort_at, world) {
            let (told, rest) = by_turn(turn);
            return self.enter(Phase::Aborting(Some(rest)), Step::Abort { told, rest });
        }
        if let Some(waited) = self.line_due(world) {
            return Step::SayStillWaiting(waited);
        }
        let settling = settled_by.map(|at| at.min(now + SETTLING_POLL));
        Step::Wait(earliest([settling, sample_at, abort_at, self.say_at()]))
    }

    /// How long the stop has waited by the line that is due, if one is. Of several, the last.
    fn line_due(&mut self, world: &dyn World) -> Option<Duration> {
        let mut due = None;
        while has_come(self.say_at(), world) {
            due = Some(self.line_after);
            self.line_after = self.line_after.saturating_mul(2);
        }
        due
    }

    /// When the next line names what the stop waits for.
    fn say_at(&self) -> Option<Instant> {
        self.budget.asked().checked_add(self.line_after)
    }

    /// Destructors get what is left, less the share of the `after_stop` hooks; stages whose turn had not come may run
    /// until half the reserve is gone.
    fn wait_for_the_aborted(&mut self, world: &dyn World, rest: Option<&'static [Stage]>) -> Step {
        let given_up = match world.after_stop_hooks() {
            0 => self.budget.report_at(),
            _ => self.budget.closing_at(),
        };
        let given_up = put_off(given_up, Grace::Abort, world);
        if world.close_if_empty(&Stage::ALL) {
            return self.enter(Phase::Closing(None), Step::Close);
        }
        let rest_at = put_off(rest.and(self.budget.half_reserve()), Grace::Abort, world);
        if let Some(rest) = rest.filter(|_| has_come(rest_at, world)) {
            return self.enter(Phase::Aborting(None), Step::AbortRest(rest));
        }
        if has_come(given_up, world) {
            return self.enter(Phase::Closing(None), Step::Close);
        }
        Step::Wait(earliest([rest_at, given_up]))
    }

    /// The `after_stop` hooks, one by one, each with its share of what is left.
    fn close(&mut self, world: &dyn World, share_ends: Option<Instant>) -> Step {
        if world.runs_hooks(HookStage::AfterStop) {
            return if has_come(share_ends, world) { Step::GiveUpHooks } else { Step::Wait(share_ends) };
        }
        let waiting = u32::try_from(world.after_stop_hooks()).unwrap_or(u32::MAX);
        let now = world.now();
        let left = due(self.budget.closed_at(), world).map(|at| at.saturating_duration_since(now));
        if waiting == 0 || left.is_some_and(|left| left.is_zero()) {
            return self.enter(Phase::Left, Step::Leave);
        }
        let share_ends = left.map(|left| now + left / waiting);
        self.enter(Phase::Closing(share_ends), Step::RunLastHook(share_ends))
    }
}

fn due(moment: Option<Instant>, world: &dyn World) -> Option<Instant> {
    put_off(moment, Grace::Due, world)
}

fn put_off(moment: Option<Instant>, grace: Grace, world: &dyn World) -> Option<Instant> {
    moment.map(|moment| world.put_off(moment, grace))
}

fn has_come(at: Option<Instant>, world: &dyn World) -> bool {
    at.is_some_and(|at| at <= world.now())
}

fn earliest(moments: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    moments.into_iter().flatten().min()
}
