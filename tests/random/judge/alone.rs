//! Workers that stop apart from all others: by their handle, their token or a budget of their own.

use super::Verdict;
use super::times::{heard, ms, told_by};
use crate::course::Course;
use crate::facts::{Actor, Facts};
use crate::run::Time;

/// A worker that is stopped or aborted alone is told to stop, and so are its children.
pub(super) fn deeds(facts: &Facts<'_>, course: &Course) -> Verdict {
    if facts.blocks || course.forced.is_some() {
        return Ok(());
    }
    for actor in facts.actors.iter().filter(|actor| actor.is_worker()) {
        if let Some(mark) = actor.stopped_alone.filter(|_| actor.looks()) {
            hears(facts, actor, mark.at)?;
        }
        let Some(mark) = actor.aborted_alone.filter(|_| !actor.is_detached()) else {
            continue;
        };
        let late = mark.at + facts.slack;
        for run in actor.runs.iter().filter(|run| run.begun.is_some_and(|begun| begun.at < mark.at)) {
            if run.gone.map_or(facts.run.gone, |gone| gone.at) > late {
                return Err(format!("{} outlived its abort", actor.name));
            }
        }
    }
    Ok(())
}

/// A worker with a budget of its own is gone when that is over.
pub(super) fn own_budgets(facts: &Facts<'_>, course: &Course) -> Verdict {
    let are_late = facts.blocks || course.forced.is_some();
    for actor in facts.actors.iter().filter(|actor| !are_late && !actor.is_detached()) {
        let Some(own) = actor.worker.and_then(|worker| worker.own) else {
            continue;
        };
        for run in &actor.runs {
            // One of the first turn that does not check is told to stop with the others.
            let is_counted = actor.turn() == 0 && run.begun.is_some_and(|begun| begun.state < 2);
            let told_at = run.told.map(|told| told.at);
            let Some(told) = told_at.or(is_counted.then(|| told_by(facts, course))) else {
                continue;
            };
            let gone = run.gone.map_or(facts.run.gone, |gone| gone.at);
            if gone > told + ms(own) + facts.slack {
                return Err(format!("{} outlived its own budget", actor.name));
            }
        }
    }
    Ok(())
}

fn hears(facts: &Facts<'_>, actor: &Actor, at: Time) -> Verdict {
    let Some((run, begun)) = actor.last().and_then(|run| Some((run, run.begun?.at))) else {
        return Ok(());
    };
    let heard = heard(facts, run);
    if heard > at.max(begun) + facts.slack {
        return Err(format!("{} was stopped and did not hear of it in time", actor.name));
    }
    Ok(())
}
