//! When things happen. An overloaded machine is allowed more time: see `Facts::slack`.

use super::Verdict;
use crate::course::Course;
use crate::facts::{Facts, MS, Stretch};
use crate::program::{Kind, Moment, Sent, Stage};
use crate::run::Time;

/// How much later than its budget's end a process may be gone.
const LATE: Time = 50 * MS;

/// How long after its last worker a process that nothing holds up may stay.
const PROMPTLY: Time = 250 * MS;

/// The delay that kept results may cause.
const KEPT: Time = 150 * MS;

pub(super) fn ms(time: u64) -> Time {
    Time::try_from(time).unwrap_or_default() * MS
}

/// The budget holds whatever happens.
pub(super) fn deadline(facts: &Facts<'_>, course: &Course) -> Verdict {
    if facts.run.gone > course.end.to + LATE.max(facts.slack) {
        let over = (facts.run.gone - course.end.to) / MS;
        return Err(format!("gone {over} ms after the deadline"));
    }
    if let Some((at, true)) = course.forced
        && facts.run.gone > at + 100 * MS + facts.slack
    {
        return Err(format!("gone {} ms after the second SIGINT", (facts.run.gone - at) / MS));
    }
    Ok(())
}

/// The end follows the drain and the last worker promptly.
pub(super) fn promptly(facts: &Facts<'_>, course: &Course) -> Verdict {
    let tracked = facts.actors.iter().filter(|actor| actor.is_tracked() && actor.spawned.is_some());
    let all_gone = tracked.clone().all(|actor| actor.end().is_some());
    let hooks_over = facts.hooks.iter().all(|hook| hook.registered.is_none() || hook.is_over());
    if !all_gone || !hooks_over || facts.blocks {
        return Ok(());
    }
    let last = facts.run.events.iter().map(|event| event.at).max().unwrap_or_default();
    let drained = course.asked.to + ms(facts.run.program.drain);
    let due = last.max(drained.min(course.half.to)).max(course.asked.to);
    let kept = if facts.run.program.actions.is_empty() { 0 } else { KEPT };
    if facts.run.gone > due + PROMPTLY + kept + facts.slack {
        return Err(format!("gone {} ms after everybody had ended", (facts.run.gone - due) / MS));
    }
    Ok(())
}

/// The state follows the first cause.
pub(super) fn begins(facts: &Facts<'_>, course: &Course) -> Verdict {
    let late = facts.run.events.iter().find(|event| event.state < 2 && event.at > course.asked.to);
    match late {
        // Once all is over there is no lifecycle to query.
        Some(event) if facts.run.events.iter().any(|one| one.state >= 2 && one.at <= event.at) => Ok(()),
        Some(event) => Err(format!("{} {} when the stop had a cause", event.who, event.what)),
        None => Ok(()),
    }
}

/// The latest moment at which main and its workers are told to stop.
pub(super) fn told_by(facts: &Facts<'_>, course: &Course) -> Time {
    let has_hooks = facts.hooks.iter().any(|hook| hook.hook.moment == Moment::Before);
    if has_hooks {
        return course.half.to;
    }
    (course.asked.to + ms(facts.run.program.drain)).min(course.half.to)
}

/// When the actors of earlier turns have ended.
fn clear_of(facts: &Facts<'_>, turn: usize) -> Option<Time> {
    let before = facts.actors.iter().filter(|one| one.turn() < turn && one.is_tracked());
    let there = before.filter(|one| one.is_main() || one.spawned.is_some());
    let hooks = facts.hooks.iter().filter(|hook| hook.hook.moment != Moment::After && hook.registered.is_some());
    let ends = there.map(|actor| actor.end().map(|mark| mark.at));
    let hooks = hooks.map(|hook| hook.end().filter(|_| hook.is_over()).map(|(mark, _)| mark.at));
    let all: Option<Vec<_>> = ends.chain(hooks).collect();
    Some(all?.into_iter().max().unwrap_or_default())
}

/// An `.await` on the stop resolves when the stop reaches its stage.
pub(super) fn told_in_time(facts: &Facts<'_>, course: &Course) -> Verdict {
    if facts.blocks {
        return Ok(());
    }
    let turn_takes = if facts.run.program.actions.is_empty() { 0 } else { 60 * MS };
    for actor in facts.actors.iter().filter(|actor| actor.looks()) {
        let is_aside = matches!(actor.kind(), Kind::Hold | Kind::Untracked);
        let turn = if is_aside { 0 } else { actor.turn() };
        let Some((run, begun)) = actor.last().and_then(|run| Some((run, run.begun?.at))) else {
            continue;
        };
        let Some(clear) = (if turn == 0 { Some(0) } else { clear_of(facts, turn) }) else {
            continue;
        };
        let is_early = actor.is_worker() && actor.stage == Stage::Early;
        let begins = if is_early { course.asked.to } else { told_by(facts, course) };
        let due = begins.max(clear).max(begun);
        let due = due + facts.slack + turn_takes * Time::try_from(turn).unwrap_or_default();
        let heard = heard(facts, run);
        let waits = run.gone.is_some() || !is_aside;
        if waits && heard > due && course.forced.is_none_or(|(at, _)| due < at) {
            return Err(format!("{} heard of the stop {} ms too late", actor.name, (heard - due) / MS));
        }
    }
    Ok(())
}

/// Hooks begin with the drain, and with the stop of main.
pub(super) fn hooks_in_time(facts: &Facts<'_>, course: &Course) -> Verdict {
    if facts.blocks || course.forced.is_some() {
        return Ok(());
    }
    for hook in &facts.hooks {
        let Some(registered) = hook.registered else {
            continue;
        };
        let due = match hook.hook.moment {
            Moment::Before => course.asked.to,
            Moment::On => told_by(facts, course),
            Moment::After => continue,
        };
        let due = due.max(registered.at) + facts.slack;
        let begun = hook.begun().map_or(facts.run.gone, |mark| mark.at);
        if begun > due {
            return Err(format!("{} began {} ms too late", hook.name, (begun - due) / MS));
        }
    }
    Ok(())
}

/// Only early workers are told to stop before the drain is over; main's end and an interrupt end it.
pub(super) fn drain(facts: &Facts<'_>, course: &Course) -> Verdict {
    let main_ended = facts.actors[0].last().and_then(|run| run.ends).map(|(mark, _)| mark.at);
    let interrupt = facts.run.sent.iter().find(|(_, signal)| *signal == Sent::Int).map(|(at, _)| *at);
    let first = course.asked.from;
    let ended = main_ended.into_iter().chain(interrupt).min();
    let served = (first + ms(facts.run.program.drain)).min(course.half.from);
    let served = served.min(ended.unwrap_or(Time::MAX)) - 2 * MS;
    let early = facts.run.events.iter().find(|event| event.state >= 3 && event.at < served);
    early.map_or(Ok(()), |event| {
        Err(format!("the drain ended {} ms too early, at {} {}", (served - event.at) / MS, event.who, event.what))
    })
}

/// When it waited no longer.
pub(super) fn heard(facts: &Facts<'_>, run: &Stretch) -> Time {
    let heard = run.told.or(run.waited).or(run.gone);
    heard.map_or(facts.run.gone, |mark| mark.at)
}
