//! The failures of a run, as far as its lines show them.

use crate::course::{Course, Failure, Span};
use crate::facts::{Actor, Facts, Hooked, MS, Stretch};
use crate::program::{HookEnd, Kind, Moment, Outcome, Policy};
use crate::run::Time;

/// The attribute's `max_restarts`.
const RESTARTS: usize = 3;

impl Course {
    /// Everything that bears on the exit code.
    pub(crate) fn add_failures(&mut self, facts: &Facts<'_>) {
        for actor in &facts.actors {
            self.add_failures_of(facts, actor);
        }
        for hook in &facts.hooks {
            self.add_failures_of_hook(facts, hook);
        }
        self.add_abort(facts);
        if let Some((at, is_certain)) = self.forced {
            let to = at + facts.slack;
            self.fail(Span { from: at, to }, 130, is_certain, "a second SIGINT");
        }
    }

    fn fail(&mut self, when: Span, code: i32, is_certain: bool, what: impl Into<String>) {
        let what = what.into();
        self.failures.push(Failure { when, code, is_certain, what });
    }

    fn add_failures_of(&mut self, facts: &Facts<'_>, actor: &Actor) {
        let name = &actor.name;
        for (number, run) in actor.runs.iter().enumerate() {
            if let Some((mark, how)) = run.ends
                && how != Outcome::Good
                && let Some(is_certain) = counts(facts, actor, number, run)
            {
                let code = if how == Outcome::Panic { 101 } else { 1 };
                self.fail(at_once(facts, mark.at), code, is_certain, format!("{name} failed"));
            }
            if let Some(mark) = run.bomb
                && !is_aside(actor)
                && may_be_failure(actor)
            {
                let is_certain = !actor.repeats();
                self.fail(at_once(facts, mark.at), 101, is_certain, format!("a destructor of {name}"));
            }
        }
        self.add_overrun(facts, actor);
    }

    /// In a stop of the process it is a failure; outside of one it is what the policy says.
    fn add_overrun(&mut self, facts: &Facts<'_>, actor: &Actor) {
        let told = actor.stopped_alone.map_or(self.asked.from, |mark| mark.at.min(self.asked.from));
        let Some((at, is_seen)) = overrun(facts, actor, told) else {
            return;
        };
        let always = actor.policy() == Policy::Stop;
        if !always && !facts.blocks && at + facts.slack < self.asked.from {
            return;
        }
        let is_certain = is_seen && at < self.abort.from - MS && (always || at > self.asked.to);
        let to = if is_seen { at + facts.slack } else { self.end.to };
        self.fail(Span { from: at, to }, 124, is_certain, format!("{}'s own budget", actor.name));
    }

    fn add_failures_of_hook(&mut self, facts: &Facts<'_>, hook: &Hooked) {
        let name = &hook.name;
        let to_the_end = Span { from: self.asked.from, to: self.end.to };
        let Some(begun) = hook.begun() else {
            if hook.registered.is_some() && hook.hook.moment != Moment::Before {
                self.fail(to_the_end, 1, false, format!("{name} was not run"));
            }
            return;
        };
        let is_over = hook.is_over();
        let has_to_end = self.forced.is_none();
        let blocks = hook.hook.end == HookEnd::Block;
        match hook.hook.moment {
            Moment::Before => {
                let half = Span { from: self.half.from.max(begun.at), to: self.end.to };
                let ended = hook.end().map(|(mark, _)| mark.at);
                if ended.is_none_or(|at| at + facts.slack > half.from) {
                    self.fail(half, 124, ended.is_none() && has_to_end, format!("{name} hangs"));
                }
            }
            Moment::On | Moment::After if is_over && !blocks => {
                if let Some((mark, how)) = hook.end().filter(|(_, how)| *how != Outcome::Good) {
                    let what = format!("{name} failed: {how}");
                    self.fail(at_once(facts, mark.at), 1, true, what);
                }
            }
            // The abort at the deadline ends it.
            Moment::On => {}
            Moment::After => {
                let span = Span { from: begun.at, to: self.end.to };
                self.fail(span, 124, hook.end().is_none() && has_to_end, format!("{name} hangs"));
                if blocks {
                    self.fail(span, 1, false, format!("{name} was not run"));
                }
            }
        }
    }

    /// Any actor that is alive at the abort makes it a failure.
    fn add_abort(&mut self, facts: &Facts<'_>) {
        // A kept result may delay each stage for a moment.
        let kept = if facts.run.program.actions.is_empty() { 0 } else { 200 * MS };
        let from = self.abort.from - facts.slack - kept;
        let to = self.abort.to + facts.slack;
        let (mut may, mut must) = (None, None);
        let mut see = |name: &str, begun: Option<Time>, end: Option<Time>| {
            // A process that has ended before aborts nothing.
            if end.unwrap_or(facts.run.gone) >= from {
                may.get_or_insert_with(|| name.to_owned());
                if begun.is_some_and(|at| at < from) && end.is_none_or(|end| end > to) {
                    must.get_or_insert_with(|| name.to_owned());
                }
            }
        };
        for actor in facts.actors.iter().filter(|actor| actor.is_tracked()) {
            if actor.is_main() || actor.spawned.is_some() {
                // A repeated worker is not seen between its runs, nor is one that was aborted alone.
                let begun = actor.last().and_then(|run| run.begun).filter(|_| !actor.is_given_up());
                see(&actor.name, begun.map(|mark| mark.at), actor.end().map(|mark| mark.at));
            }
        }
        for hook in facts.hooks.iter().filter(|hook| hook.hook.moment != Moment::After) {
            if let Some(begun) = hook.begun() {
                let end = hook.end().map(|(mark, _)| mark.at).filter(|_| hook.is_over());
                let begun = Some(begun.at).filter(|_| hook.hook.moment == Moment::On);
                see(&hook.name, begun, end);
            }
        }
        self.may_abort = may.is_some();
        if let Some(name) = may {
            let is_certain = must.is_some() && self.forced.is_none();
            let what = format!("{} is there at the abort", must.unwrap_or(name));
            let when = Span { from: self.abort.from, to };
            self.fail(when, 124, is_certain, what);
        }
    }
}

/// Its own budget, from when it was told to stop, which covers what it has started: when it was over, at the earliest,
/// and whether that was seen.
pub(crate) fn overrun(facts: &Facts<'_>, actor: &Actor, told: Time) -> Option<(Time, bool)> {
    let due = told + actor.own()?;
    let mut cut = Vec::new();
    let mut is_over = true;
    for one in facts.part_of(actor).filter(|one| one.spawned.is_some()) {
        let was_there = |run: &Stretch| run.gone.is_none_or(|gone| gone.at >= due);
        is_over &= !one.runs.is_empty() && !one.runs.iter().any(was_there);
        // Another budget, or a deed, may have cut it short.
        let bounds = facts.ancestors(one).into_iter().chain([one]).filter(|above| above.own().is_some()).count();
        if bounds == 1 && !one.is_detached() && one.aborted_alone.is_none() {
            let is_cut = |run: &&Stretch| run.begun.is_some() && run.ends.is_none();
            cut.extend(one.runs.iter().filter(is_cut).filter_map(|run| Some(run.gone?.at)));
        }
    }
    cut.into_iter().min().map(|at| (at, true)).or((!is_over).then_some((due, false)))
}

/// Whether a panic in one of its destructors may be a failure of the process: by the policy, as any other panic.
fn may_be_failure(actor: &Actor) -> bool {
    match actor.policy() {
        Policy::Stop => true,
        Policy::Log => false,
        Policy::Restart => actor.kind() == Kind::Restarts,
    }
}

fn at_once(facts: &Facts<'_>, from: Time) -> Span {
    Span { from, to: from + facts.slack }
}

pub(crate) fn is_aside(actor: &Actor) -> bool {
    matches!(actor.kind(), Kind::Hold | Kind::Untracked)
}

/// Whether a failed run is a failure of the process: `None` if not, else whether that is certain.
pub(crate) fn counts(facts: &Facts<'_>, actor: &Actor, number: usize, run: &Stretch) -> Option<bool> {
    if is_aside(actor) {
        return None;
    }
    // The end of a thread that was aborted is not noticed.
    let is_heard = !actor.is_thread_left();
    match actor.policy() {
        Policy::Stop => Some(is_heard),
        Policy::Log => None,
        Policy::Restart if actor.kind() != Kind::Restarts || number < RESTARTS => None,
        // One that is told to stop is not restarted, and is no failure either.
        Policy::Restart => {
            let was_stopping = run.ends.is_none_or(|(mark, _)| mark.state >= 2);
            let _ = facts;
            Some(!was_stopping && actor.stopped_alone.is_none())
        }
    }
}
