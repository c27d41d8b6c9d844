//! Workers that stop apart from all others: by their handle, their token or a budget of their own.

use super::Verdict;
use super::times::{heard, told_by};
use crate::course::Course;
use crate::facts::{Actor, Facts};
use crate::run::Time;

/// A worker that is stopped or aborted alone is told to stop, and so are its children. Nothing below an aborted one
/// outlives it.
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

/// A worker with a budget of its own is gone when that is over, and so is what it has started.
pub(super) fn own_budgets(facts: &Facts<'_>, course: &Course) -> Verdict {
    let are_late = facts.blocks || course.forced.is_some();
    for actor in facts.actors.iter().filter(|_| !are_late) {
        let Some((own, last)) = actor.own().zip(actor.last()) else {
            continue;
        };
        // One of the first turn that does not check is told to stop with the others.
        let is_counted = actor.turn() == 0 && last.begun.is_some_and(|begun| begun.state < 2);
        let counted = is_counted.then(|| told_by(facts, course));
        let told = [last.told, actor.stopped_alone].into_iter().flatten().map(|mark| mark.at);
        let Some(told) = told.chain(counted).min() else {
            continue;
        };
        for one in facts.part_of(actor).filter(|one| !one.is_detached()) {
            for run in &one.runs {
                let begun = run.begun.map_or(told, |begun| begun.at);
                let gone = run.gone.map_or(facts.run.gone, |gone| gone.at);
                if gone > told.max(begun) + own + facts.slack {
                    return Err(format!("{} outlived the own budget of {}", one.name, actor.name));
                }
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
