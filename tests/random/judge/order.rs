//! The order of events. Lines are written one at a time, so their order is the order of their events.

use super::Verdict;
use crate::course::Course;
use crate::facts::{Actor, Facts, Hooked, MS, Mark};
use crate::program::{Kind, Moment, Outcome, Policy, Stage};

/// Only early workers are told to stop in the drain; all others from `Stopping` on.
pub(super) fn told_in_turn(facts: &Facts<'_>, _: &Course) -> Verdict {
    for actor in &facts.actors {
        let is_aside = matches!(actor.kind(), Kind::Hold | Kind::Untracked);
        let least = if actor.stage == Stage::Early && !is_aside { 2 } else { 3 };
        for told in actor.runs.iter().filter_map(|run| run.told) {
            let is_alone = actor.is_alone_by(told) || has_deed(facts, actor, told);
            if told.state < least && !is_alone {
                return Err(format!("{} was told in state {}", actor.name, told.state));
            }
        }
    }
    Ok(())
}

/// A deed was being done to it, or to one of its ancestors.
fn has_deed(facts: &Facts<'_>, actor: &Actor, told: Mark) -> bool {
    let mut names: Vec<_> = facts.ancestors(actor).iter().map(|one| one.name.clone()).collect();
    names.push(actor.name.clone());
    let deeds = &facts.run.events[..told.place];
    deeds.iter().any(|event| names.contains(&event.who) && event.what.starts_with("deed "))
}

/// Before the abort, no worker of a later stage is told to stop while one of an earlier stage is alive.
pub(super) fn stages(facts: &Facts<'_>, course: &Course) -> Verdict {
    for later in facts.actors.iter().filter(|actor| actor.turn() > 0 && actor.is_worker()) {
        for told in later.runs.iter().filter_map(|run| run.told) {
            let is_alone = later.is_alone_by(told) || has_deed(facts, later, told);
            if is_alone || told.at >= course.abort.from - MS {
                continue;
            }
            for earlier in facts.actors.iter().filter(|one| one.turn() < later.turn()) {
                if let Some(why) = is_there(earlier, told) {
                    return Err(format!("{} was told while {} {why}", later.name, earlier.name));
                }
            }
            for hook in facts.hooks.iter().filter(|hook| hook.hook.moment != Moment::After) {
                let begun = hook.begun().filter(|begun| begun.place < told.place);
                let over = hook.end().filter(|(mark, _)| hook.is_over() && mark.place < told.place);
                let is_given_up = hook.hook.moment == Moment::Before && course.half.from <= told.at;
                if begun.is_some() && over.is_none() && !is_given_up {
                    return Err(format!("{} was told while {} ran", later.name, hook.name));
                }
            }
        }
    }
    Ok(())
}

/// Whether it was alive at this moment, and what it did.
fn is_there(actor: &Actor, at: Mark) -> Option<&'static str> {
    if !actor.is_tracked() || actor.is_thread_left() {
        return None;
    }
    for run in &actor.runs {
        let begun = run.begun?;
        if begun.place > at.place {
            return Some("began later");
        }
        if run.gone.is_none_or(|gone| gone.place > at.place) {
            return Some("was there");
        }
    }
    None
}

/// After all workers have ended, one by one, the last registered first.
pub(super) fn hooks_of_the_end(facts: &Facts<'_>, course: &Course) -> Verdict {
    let is_after = |hook: &&Hooked| hook.hook.moment == Moment::After;
    let mut hooks: Vec<_> = facts.hooks.iter().filter(is_after).collect();
    hooks.sort_by_key(|hook| std::cmp::Reverse(hook.registered.map(|mark| mark.place)));
    let begun: Vec<_> = hooks.iter().filter_map(|hook| Some((hook, hook.begun()?))).collect();
    for pair in begun.windows(2) {
        let [(first, first_begun), (second, second_begun)] = pair else {
            continue;
        };
        if first_begun.place > second_begun.place {
            return Err(format!("{} began before {}", second.name, first.name));
        }
        let ended = first.end();
        if ended.is_some_and(|(mark, _)| mark.place > second_begun.place) && !facts.blocks {
            return Err(format!("{} began before {} had ended", second.name, first.name));
        }
    }
    let Some((hook, first)) = begun.first() else {
        return Ok(());
    };
    if first.state < 4 {
        return Err(format!("{} began in state {}", hook.name, first.state));
    }
    for actor in facts.actors.iter().filter(|_| !course.may_abort) {
        if let Some(why) = is_there(actor, *first) {
            return Err(format!("{} began while {} {why}", hook.name, actor.name));
        }
    }
    Ok(())
}

/// Once, in its moment; an error of `on_stop` is tried three times.
pub(super) fn hooks_once(facts: &Facts<'_>, _: &Course) -> Verdict {
    for hook in &facts.hooks {
        let (most, least) = match hook.hook.moment {
            Moment::Before => (1, 2),
            Moment::On => (3, 3),
            Moment::After => (1, 4),
        };
        if hook.tries.len() > most {
            return Err(format!("{} ran {} times", hook.name, hook.tries.len()));
        }
        for (number, run) in hook.tries.iter().enumerate() {
            if run.begun.is_some_and(|begun| begun.state < least) {
                return Err(format!("{} ran before its moment", hook.name));
            }
            let is_last = number + 1 == hook.tries.len();
            let has_failed = run.ends.is_some_and(|(_, how)| how == Outcome::Err);
            if !is_last && !has_failed {
                return Err(format!("{} was tried again after no error", hook.name));
            }
        }
    }
    Ok(())
}

/// Unless half the budget is gone.
pub(super) fn hooks_first(facts: &Facts<'_>, course: &Course) -> Verdict {
    let told = facts.actors.iter().filter(|actor| {
        let is_early = actor.stage == Stage::Early && actor.is_worker();
        !is_early && actor.stopped_alone.is_none()
    });
    let told = told.flat_map(|actor| actor.runs.iter().filter_map(|run| run.told));
    let Some(told) = told.filter(|told| told.state >= 3).min() else {
        return Ok(());
    };
    if told.at >= course.half.from - MS {
        return Ok(());
    }
    for hook in facts.hooks.iter().filter(|hook| hook.hook.moment == Moment::Before) {
        let is_registered = hook.registered.is_some_and(|mark| mark.at < course.asked.from);
        let is_over = hook.end().is_some_and(|(mark, _)| mark.place < told.place);
        if is_registered && !is_over {
            return Err(format!("somebody was told before {} had ended", hook.name));
        }
    }
    Ok(())
}

/// Runs of one worker follow each other, and none begins once it is told to stop.
pub(super) fn runs(facts: &Facts<'_>, course: &Course) -> Verdict {
    for actor in facts.actors.iter().filter(|actor| actor.is_worker()) {
        let name = &actor.name;
        if actor.runs.len() > 1 && !actor.repeats() {
            return Err(format!("{name} ran more than once"));
        }
        let begins = actor.begun().filter(|_| actor.kind() == Kind::Every);
        if begins.is_some_and(|begun| begun.state >= 2 && begun.at > course.asked.to) {
            return Err(format!("{name} began its first run during the stop"));
        }
        for pair in actor.runs.windows(2) {
            let [run, next] = pair else { continue };
            if run.gone.is_none() {
                return Err(format!("two runs of {name} overlap"));
            }
            let Some(begun) = next.begun else { continue };
            if run.told.is_some() {
                return Err(format!("{name} ran again after it was told"));
            }
            // A restarted worker of main's stage is told to stop at half the budget at the latest.
            let last = if actor.kind() == Kind::Every { course.asked.to } else { course.half.to };
            let is_late = actor.turn() == 0 || actor.kind() == Kind::Every;
            if is_late && begun.at > last + facts.slack {
                return Err(format!("{name} ran again when the stop had come"));
            }
            if actor.stopped_alone.is_some_and(|mark| begun.at > mark.at + facts.slack) {
                return Err(format!("{name} ran again after it was stopped"));
            }
            if actor.aborted_alone.is_some_and(|mark| begun.at > mark.at + facts.slack) {
                return Err(format!("{name} ran again after it was aborted"));
            }
        }
        comes_back(facts, course, actor)?;
    }
    Ok(())
}

/// One that failed long enough before the stop has been restarted; one with `every` has run again.
fn comes_back(facts: &Facts<'_>, course: &Course, actor: &Actor) -> Verdict {
    let longest = match actor.kind() {
        Kind::Every => 25 * MS,
        Kind::Restarts => 40 * MS,
        // 100 ms, doubled each time.
        _ => (100 * MS) << actor.runs.len().saturating_sub(1).min(6),
    };
    let Some(gone) = actor.last().and_then(|run| run.ends?.0.at.into()) else {
        return Ok(());
    };
    let comes = actor.kind() == Kind::Every && actor.policy() == Policy::Log
        || actor.policy() == Policy::Restart
            && actor.last().and_then(|run| run.ends).is_some_and(|(_, how)| how != Outcome::Good)
            && (actor.kind() != Kind::Restarts || actor.runs.len() <= 3);
    let is_free = actor.stopped_alone.is_none() && actor.aborted_alone.is_none() && !facts.blocks;
    if comes && is_free && gone + longest + facts.slack < course.asked.from {
        return Err(format!("{} did not run again", actor.name));
    }
    Ok(())
}
