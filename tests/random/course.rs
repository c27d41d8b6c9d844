//! The expected course of the stop: when it was asked for, when the abort came, what failed and in which order. The
//! lines give no exact moments, so each moment is a span.

use crate::facts::{Facts, MS};
use crate::failures::{counts, is_aside, overrun};
use crate::program::{Kind, Outcome, Policy, Sent};
use crate::run::Time;

/// The same signal twice within this is one.
const SAME: Time = 100 * MS;

/// It happened between these two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

impl Span {
    fn later(self, by: Time) -> Self {
        Self { from: self.from + by, to: self.to + by }
    }
}

/// Something that bears on the exit code. `is_certain`: it did happen.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) when: Span,
    pub(crate) code: i32,
    pub(crate) is_certain: bool,
    pub(crate) what: String,
}

pub(crate) struct Course {
    /// When the stop was asked for.
    pub(crate) asked: Span,
    /// Half the budget later.
    pub(crate) half: Span,
    /// A tenth of the budget before its end.
    pub(crate) abort: Span,
    pub(crate) end: Span,
    pub(crate) failures: Vec<Failure>,
    /// When a second interrupt was sent that may have ended the process, and whether it has to have.
    pub(crate) forced: Option<(Time, bool)>,
    /// The abort may have come. It has, where an actor is known to have been alive.
    pub(crate) may_abort: bool,
}

impl Course {
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let asked = asked(facts);
        let budget = Time::try_from(facts.run.program.budget).unwrap_or_default() * MS;
        let abort = asked.later(budget - budget / 10);
        let forced = forced(facts);
        let mut course = Self {
            asked,
            half: asked.later(budget / 2),
            abort,
            end: asked.later(budget),
            failures: Vec::new(),
            forced,
            may_abort: false,
        };
        course.add_failures(facts);
        course
    }

    /// The codes that the rules allow: that of any failure that may have been the first.
    pub(crate) fn codes(&self) -> Vec<i32> {
        let certain = self.failures.iter().filter(|failure| failure.is_certain);
        let first = certain.map(|failure| failure.when.to).min();
        let may_be_first = |failure: &&Failure| first.is_none_or(|first| failure.when.from <= first);
        let mut codes: Vec<_> = self.failures.iter().filter(may_be_first).map(|failure| failure.code).collect();
        if first.is_none() {
            codes.push(0);
        }
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// When the stop was asked for.
fn asked(facts: &Facts<'_>) -> Span {
    let mut causes = Vec::new();
    let slack = facts.slack;
    for (at, signal) in &facts.run.sent {
        if *signal != Sent::Hup {
            causes.push((*at, at + slack, true));
        }
    }
    for event in facts.run.events.iter().filter(|event| event.what == "deed stop") {
        causes.push((event.at, event.at + slack, true));
    }
    for actor in facts.actors.iter().filter(|actor| !is_aside(actor)) {
        for (number, run) in actor.runs.iter().enumerate() {
            let Some((mark, how)) = run.ends else {
                continue;
            };
            let is_failure = how != Outcome::Good;
            if let Some(is_certain) = counts(facts, actor, number, run).filter(|_| is_failure) {
                causes.push((mark.at, mark.at + slack, is_certain));
            }
            // One that is stopped through its handle stops nothing else.
            if actor.is_main() || actor.kind() == Kind::Essential {
                let is_certain = actor.stopped_alone.is_none_or(|stopped| stopped.at > mark.at);
                causes.push((mark.at, mark.at + slack, is_certain));
            }
        }
        for run in &actor.runs {
            let is_lost = actor.kind() == Kind::Essential && actor.aborted_alone.is_some() && run.ends.is_none();
            if let Some(mark) = run.bomb.or(run.gone.filter(|_| is_lost)) {
                causes.push((mark.at, mark.at + slack, is_lost && actor.stopped_alone.is_none()));
            }
        }
        if let Some(stopped) = actor.stopped_alone.filter(|_| actor.policy() == Policy::Stop)
            && let Some((at, is_seen)) = overrun(facts, actor, stopped.at)
        {
            causes.push((at, at + slack, is_seen));
        }
    }
    let seen = facts.run.events.iter().find(|event| event.state >= 2).map(|event| event.at);
    let certain = causes.iter().filter(|(.., is_certain)| *is_certain).map(|(_, to, _)| *to);
    let from = causes.iter().map(|(from, ..)| *from).min();
    let to = certain.chain(seen).min();
    let from = from.or(seen).unwrap_or_default();
    Span { from, to: to.unwrap_or(facts.run.gone).max(from) }
}

/// The second interrupt, if there may have been one.
fn forced(facts: &Facts<'_>) -> Option<(Time, bool)> {
    let interrupts = facts.run.sent.iter().filter(|(_, signal)| *signal == Sent::Int);
    let interrupts: Vec<_> = interrupts.map(|(at, _)| *at).collect();
    let (first, rest) = interrupts.split_first()?;
    let far = |at: &&Time| **at - first >= SAME - facts.slack;
    let second = rest.iter().find(far)?;
    let is_far = second - first >= SAME + facts.slack;
    let is_there = facts.run.gone > second + facts.slack;
    Some((*second, is_far && is_there))
}
