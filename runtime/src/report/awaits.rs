//! Where those who wait do so, by file and line: with tokio's task dumps, where these are to be had.
//!
//! Nobody notes where he waits. When it is asked for, those who sit are woken, and each is polled once within
//! tokio's `trace_with`: futures of tokio's then say where they are polled from and that they are not ready, whether they are
//! or not. A poll like any other follows at once, so that nothing is lost by it. Whoever blocks his thread is not
//! polled, and says nothing.
//!
//! A stack is a few addresses. What these mean is looked up by a thread of its own: that reads the debug info of the
//! program, which may take longer than a stop has left.

mod frames;
mod symbols;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use crate::life::lifecycle::Lifecycle;
use crate::life::probes::{LOOKED_AT, LOOKING_UP, Round, Stack};
use crate::model::awaits::{Await, Awaits, LookedUp};
use crate::model::label::Label;
use crate::model::text;
use crate::os::threads;
use crate::say::line::Line;

/// How long a dump waits for those it has woken.
const PATIENCE: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_millis(5);
/// How long before the abort what takes long is begun.
const PREPARING: Duration = Duration::from_secs(2);

/// Asks those who will be aborted next. [`of`] has their answers.
pub(crate) fn ask_at_last(life: &Lifecycle) {
    ask(life, true);
}

/// Has those who sit polled once more, so that they say where they wait. Returns how many were woken.
fn ask(life: &Lifecycle, is_the_last: bool) -> usize {
    let mut round = life.diagnostics.probes.round();
    if round.askers == 0 {
        *round = Round::default();
    }
    round.askers += 1;
    round.is_the_last |= is_the_last;
    life.diagnostics.probes.is_asking.store(true, Ordering::Release);
    drop(round);
    let mut woken = HashMap::<_, usize>::new();
    let mut total = 0;
    life.slots.wake_those(|entry, _| {
        let of_row = woken.entry(entry).or_default();
        let is_wanted = *of_row < LOOKED_AT.0 && total < LOOKED_AT.1;
        *of_row += usize::from(is_wanted);
        total += usize::from(is_wanted);
        is_wanted
    });
    total
}

/// What was said since it was asked.
fn collect(life: &Lifecycle) -> Said {
    let mut round = life.diagnostics.probes.round();
    round.askers = round.askers.saturating_sub(1);
    let said = if round.askers == 0 {
        life.diagnostics.probes.is_asking.store(false, Ordering::Relaxed);
        std::mem::take(&mut *round).waiting
    } else {
        round.waiting.clone()
    };
    drop(round);
    let said = said.into_iter();
    Said(said.map(|((entry, stacks), count)| (life.registry.get(entry).label(), stacks, count)).collect())
}

/// Which functions' workers (main's, where there is none) wait where, and how many: in addresses.
struct Said(Vec<(Option<Label>, Vec<Stack>, usize)>);

impl Said {
    /// The same in file and line. Takes its time.
    fn look_up(self) -> Vec<Await> {
        LOOKING_UP.fetch_add(1, Ordering::Relaxed);
        let awaits = self.read();
        LOOKING_UP.fetch_sub(1, Ordering::Relaxed);
        awaits
    }

    fn read(self) -> Vec<Await> {
        let mut book = symbols::Book::default();
        let mut awaits: Vec<Await> = Vec::new();
        let mut totals = HashMap::<_, usize>::new();
        for (label, stacks, count) in self.0 {
            *totals.entry(label.clone()).or_default() += count;
            // Two arms of a `select!` are one place.
            let stacks: HashSet<_> = stacks.iter().map(|stack| book.read(stack)).collect();
            for stack in stacks.into_iter().filter(|stack| !stack.is_empty()) {
                let same = |other: &&mut Await| other.label == label && other.stack == stack;
                match awaits.iter_mut().find(same) {
                    Some(other) => other.count += count,
                    None => awaits.push(Await { label: label.clone(), stack, count, looked_at: 0, is_earlier: false }),
                }
            }
        }
        let labels: Vec<_> = awaits.iter().filter_map(|one| one.label.as_ref()).map(|label| label.file).collect();
        let roots = book.roots(&labels);
        for one in &mut awaits {
            one.looked_at = totals.get(&one.label).copied().unwrap_or(one.count);
            for frame in &mut one.stack {
                *frame = frames::shortened(frame, &roots);
            }
        }
        let name = |one: &Await| one.label.as_ref().map(|label| label.name.clone());
        awaits.sort_by_cached_key(|one| (name(one), usize::MAX - one.count, one.stack.clone()));
        awaits
    }
}

/// What a dump says of them.
struct Dump(Vec<Await>);

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(
                "where they wait: nobody has said so: their threads are blocked, or it is nothing of tokio's",
            );
        }
        f.write_str("where they wait:")?;
        for one in &self.0 {
            let name = one.label.as_ref().map_or("main", |label| &label.name);
            write!(f, "\n  {}", text::name(name))?;
            if one.count > 1 {
                write!(f, " ×{}", one.count)?;
            }
            if one.looked_at == LOOKED_AT.0 {
                write!(f, " of the {} looked at", one.looked_at)?;
            }
            write!(f, " at {}", one.stack.join(" <- "))?;
        }
        Ok(())
    }
}

/// Takes what was said since [`ask_at_last`], and has it looked up.
pub(crate) fn of(life: &Lifecycle) -> Awaits {
    let said = collect(life);
    let awaits = Awaits::default();
    *awaits.lock() = LookedUp { is_under_way: true, awaits: life.diagnostics.probes.earlier().clone() };
    let result = awaits.clone();
    let look_up = move || {
        let found = said.look_up();
        let mut looked_up = result.lock();
        let is_silent = |one: &Await| found.iter().all(|other| other.label != one.label);
        looked_up.awaits.retain(is_silent);
        looked_up.awaits.extend(found);
        looked_up.is_under_way = false;
        drop(looked_up);
        result.0.1.notify_all();
    };
    if threads::start("graceful-lookup", Box::new(look_up)).is_err() {
        awaits.lock().is_under_way = false;
    }
    awaits
}

/// Has said where those who wait do so. Nobody who is stuck, and no debug info, holds up anybody but a thread of its
/// own; a dump that is asked for meanwhile has no such lines.
pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if life.diagnostics.probes.is_dumping.swap(true, Ordering::AcqRel) {
        return;
    }
    let dumped = Arc::clone(life);
    let dump = move || {
        let dump = Dump(find_out(&dumped));
        dumped.writer.say(Line::report(dump.to_string()));
        dumped.diagnostics.probes.is_dumping.store(false, Ordering::Release);
    };
    if threads::start("graceful-dump", Box::new(dump)).is_err() {
        life.diagnostics.probes.is_dumping.store(false, Ordering::Release);
    }
}

/// Asks everybody, and waits for those who answer. For a thread that has time.
fn find_out(life: &Lifecycle) -> Vec<Await> {
    let woken = ask(life, false);
    let asked = Instant::now();
    while life.diagnostics.probes.answered() < woken && asked.elapsed() < PATIENCE {
        sleep(SOON);
    }
    // They are polled once more each, which is on account of this as well.
    sleep(SOON);
    collect(life).look_up()
}

/// Has it found out beforehand, once, when a stop has taken half of its budget and the abort is near: looking up for
/// the first time takes a hundred times as long as later. Returns when the coordinator is to be here again, which wants
/// to be woken at `deadline`.
pub(crate) fn prepare(life: &Arc<Lifecycle>, deadline: Option<Instant>) -> Option<Instant> {
    let moments = life.phase.budget().map(|budget| (budget.half(), budget.abort_at()));
    let Some((Some(half), Some(abort_at))) = moments else {
        return deadline;
    };
    let due = abort_at.checked_sub(PREPARING).map_or(half, |at| at.max(half));
    if due > life.now() {
        return Some(deadline.map_or(due, |deadline| deadline.min(due)));
    }
    if !life.diagnostics.probes.is_prepared.swap(true, Ordering::Relaxed) {
        let life = Arc::clone(life);
        let prepare = move || {
            let mut found = find_out(&life);
            for one in &mut found {
                one.is_earlier = true;
            }
            *life.diagnostics.probes.earlier() = found;
        };
        // Without a thread there is nothing earlier to fall back on.
        let _ = threads::start("graceful-lookup", Box::new(prepare));
    }
    deadline
}
