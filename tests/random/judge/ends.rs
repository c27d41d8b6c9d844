//! How a run ends: its exit code, and that no actor is lost.

use super::Verdict;
use crate::course::Course;
use crate::facts::{Actor, Facts};
use crate::program::{Kind, Runtime};

/// The first failure decides.
pub(super) fn code(facts: &Facts<'_>, course: &Course) -> Verdict {
    let codes = course.codes();
    let Some(code) = facts.run.end.code else {
        // After a builder's lifecycle signals have their default action again.
        let is_builders = matches!(facts.run.program.runtime, Runtime::CurrentBuilder | Runtime::One);
        let late = facts.run.sent.iter().any(|(at, _)| at + facts.slack > facts.run.gone);
        return if is_builders && late { Ok(()) } else { Err("a signal killed it".to_owned()) };
    };
    if codes.contains(&code) {
        return Ok(());
    }
    let failures: Vec<_> = course
        .failures
        .iter()
        .map(|failure| {
            let is_certain = if failure.is_certain { "" } else { " perhaps" };
            let (from, to) = (failure.when.from / 1000, failure.when.to / 1000);
            format!("{}{is_certain}: {} at {from} to {to} ms", failure.code, failure.what)
        })
        .collect();
    Err(format!("exit code {code} is none of {codes:?}: {}", failures.join("; ")))
}

/// Whether the process may have ended before all of its actors.
fn may_be_cut_short(facts: &Facts<'_>, course: &Course) -> bool {
    let is_held = |actor: &Actor| actor.kind() == Kind::Hold && actor.end().is_none();
    let goes_on = |actor: &Actor| actor.is_detached() && actor.end().is_none();
    course.forced.is_some()
        || facts.blocks
        || facts.run.is_overloaded()
        || course.may_abort && facts.actors.iter().any(|actor| is_held(actor) || goes_on(actor))
}

/// Every spawned worker begins and ends, unless it had to be aborted; and is dropped in any case.
pub(super) fn nobody_lost(facts: &Facts<'_>, course: &Course) -> Verdict {
    let is_cut_short = may_be_cut_short(facts, course);
    for actor in &facts.actors {
        let name = &actor.name;
        // The abort of a blocking one that has begun has no effect.
        let is_given_up =
            actor.is_given_up() && (!actor.is_detached() || actor.is_thread_left() || actor.begun().is_none());
        let may_be_cut = course.may_abort || course.forced.is_some() || !actor.is_tracked();
        let is_dropped = actor.runs.iter().all(|run| run.gone.is_some());
        if !is_cut_short && !is_dropped && actor.is_tracked() && !actor.is_thread_left() {
            return Err(format!("{name} was not dropped"));
        }
        if may_be_cut || is_given_up {
            continue;
        }
        if actor.runs.iter().any(|run| run.ends.is_none() && run.begun.is_some()) {
            return Err(format!("{name} did not end"));
        }
        if surely_runs(facts, course, actor) && actor.begun().is_none() {
            return Err(format!("{name} was spawned and did not run"));
        }
    }
    Ok(())
}

/// Whether it was spawned by an actor that keeps its stage open.
fn surely_runs(facts: &Facts<'_>, course: &Course, actor: &Actor) -> bool {
    let Some((worker, spawned)) = actor.worker.zip(actor.spawned) else {
        return actor.is_main();
    };
    let parent_turn = facts.actor(worker.parent).map_or(0, Actor::turn);
    let is_refused = worker.kind == Kind::Refuses && spawned.state >= 2;
    // A run that is due after a stop was asked for does not begin.
    let is_late = spawned.state >= 2 || course.asked.from <= spawned.at + facts.slack;
    let has_no_run = worker.kind == Kind::Every && is_late;
    actor.turn() >= parent_turn && !is_refused && !has_no_run
}

/// Every hook has begun, or the report says that it was not run.
pub(super) fn hooks_run(facts: &Facts<'_>, course: &Course) -> Verdict {
    if course.forced.is_some() || facts.run.is_overloaded() {
        return Ok(());
    }
    for hook in &facts.hooks {
        let said = format!("hook `{}` ", hook.name);
        if hook.registered.is_some() && hook.begun().is_none() && !facts.run.end.has_said(&said) {
            return Err(format!("{} did not run, and nothing says so", hook.name));
        }
    }
    Ok(())
}
