//! The lines on standard error.

use super::Verdict;
use crate::course::Course;
use crate::facts::{Actor, Facts};
use crate::program::Moment;
use crate::run::Time;

/// The most a report takes.
const LONGEST: usize = 2048;

/// How many workers a summary names.
const NAMED: usize = 6;

const SUMMARY: &str = "graceful: exit code ";

/// A code other than 0 comes with a report, its summary last.
pub(super) fn summary(facts: &Facts<'_>, course: &Course) -> Verdict {
    let Some(code) = facts.run.end.code else {
        return Ok(());
    };
    // The lines of std's panic hook are not part of it.
    let lines = facts.run.end.stderr.iter().map(|line| line.text.as_str()).filter(|line| line.starts_with("graceful"));
    let lines: Vec<_> = lines.collect();
    let summaries = lines.iter().filter(|line| line.starts_with(SUMMARY)).count();
    let Some(last) = lines.last().filter(|_| code != 0) else {
        return if summaries == 0 { Ok(()) } else { Err("code 0 has a report".to_owned()) };
    };
    // Main's own code needs no report.
    let is_mains = |what: &str| what == "main failed";
    let may_be_mains = course.failures.iter().any(|failure| is_mains(&failure.what) && failure.code == code)
        && !course.failures.iter().any(|failure| failure.is_certain && !is_mains(&failure.what));
    if summaries == 0 && may_be_mains {
        return Ok(());
    }
    if !last.starts_with(&format!("{SUMMARY}{code}: ")) {
        return Err(format!("the last line is no summary: {last}"));
    }
    if summaries != 1 {
        return Err(format!("{summaries} summaries"));
    }
    // From the line about the stop on, or all lines.
    let is_of_report = |line: &&&str| line.starts_with("graceful:   ") || line.starts_with("graceful: stop: ");
    let report = lines.iter().rev().skip(1).take_while(is_of_report);
    let length: usize = report.chain([last]).map(|line| line.len() + 1).sum();
    if length > LONGEST {
        return Err(format!("the report takes {length} bytes"));
    }
    Ok(())
}

/// A worker that is alive at the abort is named; one that had ended by then is not.
pub(super) fn stuck(facts: &Facts<'_>, course: &Course) -> Verdict {
    let Some(summary) = facts.run.end.stderr.iter().rev().find(|line| line.text.starts_with(SUMMARY)) else {
        return Ok(());
    };
    let names = summary.text.split_once(", still running: ").map_or("", |(_, names)| names);
    let listed: Vec<_> = names.split(", ").filter(|name| !name.is_empty()).collect();
    let is_forced = course.forced.is_some();
    let noted = course.forced.map_or(course.abort.from, |(at, _)| at.min(course.abort.from)) - facts.slack;
    // A hook of the end that hangs may be alive when the watch has the report written, and so may the thread of a
    // worker that was aborted.
    let is_hanging = |name: &&str| {
        let mut hooks = facts.hooks.iter().filter(|hook| hook.hook.moment == Moment::After);
        let mut threads = facts.actors.iter().filter(|actor| actor.is_thread_left());
        hooks.any(|hook| hook.name == *name && hook.begun().is_some() && hook.end().is_none())
            || threads.any(|actor| actor.name == *name)
    };
    if !listed.iter().all(is_hanging) && !course.may_abort && !is_forced {
        return Err(format!("named although everybody ended: {names}"));
    }
    for name in &listed {
        let actor = facts.actors.iter().find(|actor| actor.name == *name);
        let hook = facts.hooks.iter().find(|hook| hook.name == *name);
        let ended = match (actor, hook) {
            (Some(actor), _) => actor.end().map(|mark| mark.at).filter(|_| is_seen(facts, actor)),
            (_, Some(hook)) => hook.end().filter(|_| hook.is_over()).map(|(mark, _)| mark.at),
            _ if name.contains(" and ") => None,
            _ => return Err(format!("named, and nobody's name: {name}")),
        };
        if ended.is_some_and(|at| at < noted) {
            return Err(format!("{name} had ended and was named"));
        }
    }
    let is_whole = listed.len() < NAMED;
    if is_forced || !is_whole || facts.run.is_overloaded() {
        return Ok(());
    }
    let there = |begun: Option<Time>, end: Option<Time>| {
        begun.is_some_and(|at| at < noted) && end.is_none_or(|at| at > course.abort.to + facts.slack)
    };
    for actor in facts.actors.iter().filter(|actor| actor.is_tracked() && !actor.is_given_up()) {
        let last = actor.last();
        let is_told = actor.turn() == 0 || last.is_some_and(|run| run.told.is_some_and(|told| told.at < noted));
        let begun = last.and_then(|run| run.begun).map(|mark| mark.at);
        if is_told && there(begun, actor.end().map(|mark| mark.at)) && !listed.contains(&actor.name.as_str()) {
            return Err(format!("{} was there at the abort and is not named", actor.name));
        }
    }
    for hook in facts.hooks.iter().filter(|hook| hook.hook.moment == Moment::On) {
        let end = hook.end().filter(|_| hook.is_over()).map(|(mark, _)| mark.at);
        if there(hook.begun().map(|mark| mark.at), end) && !listed.contains(&hook.name.as_str()) {
            return Err(format!("{} was there at the abort and is not named", hook.name));
        }
    }
    Ok(())
}

/// Whether it is gone when its end is seen: a blocking one with a supervisor goes when its runtime polls it, and one
/// that runs again is not gone.
fn is_seen(facts: &Facts<'_>, actor: &Actor) -> bool {
    !actor.repeats() && (!facts.blocks || !actor.is_detached())
}

/// Each panic is one that the program announced.
pub(super) fn panics(facts: &Facts<'_>, course: &Course) -> Verdict {
    let said = facts.run.end.stderr.iter().filter(|line| line.text.contains("panicked at")).count();
    let events = facts.run.events.iter();
    let made = events.filter(|event| event.what == "ends panic" || event.what == "bomb").count();
    let may_be_cut = course.may_abort || course.forced.is_some();
    if said > made || said < made && !may_be_cut {
        return Err(format!("{said} panics where the program made {made}"));
    }
    Ok(())
}
