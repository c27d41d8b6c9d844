//! Finds the file and line of each pending `.await`, using tokio's task dumps where available.
//!
//! Nothing is noted beforehand. On request the parked workers are woken, and each is polled once within tokio's
//! `trace_with`: tokio's futures then report the stack they are polled from, and return `Pending` whether they are
//! ready or not. An ordinary poll follows at once, so that no wake-up is lost. A worker that blocks its thread is not
//! polled and yields no stack.
//!
//! A stack is a few addresses. A thread of its own looks up their lines: that reads the debug info of the program,
//! which may take longer than a stop has left.

mod frames;
mod symbols;

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use crate::life::lifecycle::Lifecycle;
use crate::life::probes::{LOOKING_UP, MOST_TRACED, Round, Stack};
use crate::model::awaits::{Await, Awaits, LookedUp};
use crate::model::budget::ANSWERS_WITHIN;
use crate::model::label::Label;
use crate::model::text;
use crate::os::threads;
use crate::say::line::Line;

/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(5);
/// How long before the abort the slow lookup begins.
const PREPARING: Duration = Duration::from_secs(2);

/// Traces the workers that are about to be aborted. [`of`] collects their stacks.
pub(crate) fn ask_at_last(life: &Lifecycle) {
    ask(life, true);
}

/// Wakes parked workers, so that their next poll is traced. Returns how many were woken.
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
    life.slots.wake_those(&mut |entry, _| {
        let of_entry = woken.entry(entry).or_default();
        let is_wanted = *of_entry < MOST_TRACED.0 && total < MOST_TRACED.1;
        *of_entry += usize::from(is_wanted);
        total += usize::from(is_wanted);
        is_wanted
    });
    total
}

/// The stacks, as addresses, in which the workers of each function wait, and how many wait there; no label is main.
type Collected = Vec<(Option<Label>, Vec<Stack>, usize)>;

/// The stacks collected since they were asked for.
fn collect(life: &Lifecycle) -> Collected {
    let mut round = life.diagnostics.probes.round();
    round.askers = round.askers.saturating_sub(1);
    let collected = if round.askers == 0 {
        life.diagnostics.probes.is_asking.store(false, Ordering::Relaxed);
        std::mem::take(&mut *round).waiting
    } else {
        round.waiting.clone()
    };
    drop(round);
    let labelled = |((entry, stacks), count)| (life.registry.get(entry).label(), stacks, count);
    collected.into_iter().map(labelled).collect()
}

/// The same in files and lines. Slow: reads debug info.
fn look_up(collected: Collected) -> Vec<Await> {
    LOOKING_UP.fetch_add(1, Ordering::Relaxed);
    let awaits = read(collected);
    LOOKING_UP.fetch_sub(1, Ordering::Relaxed);
    awaits
}

fn read(collected: Collected) -> Vec<Await> {
    let mut symbols = symbols::Cache::default();
    let mut awaits: Vec<Await> = Vec::new();
    let mut totals = HashMap::<_, usize>::new();
    for (label, stacks, count) in collected {
        *totals.entry(label.clone()).or_default() += count;
        // Two arms of a `select!` are one place.
        let stacks: HashSet<_> = stacks.iter().map(|stack| symbols.read(stack)).collect();
        for stack in stacks.into_iter().filter(|stack| !stack.is_empty()) {
            let same = |other: &&mut Await| other.label == label && other.stack == stack;
            match awaits.iter_mut().find(same) {
                Some(other) => other.count += count,
                None => awaits.push(Await { label: label.clone(), stack, count, looked_at: 0, is_earlier: false }),
            }
        }
    }
    let labels: Vec<_> = awaits.iter().filter_map(|one| one.label.as_ref()).map(|label| label.file).collect();
    let roots = symbols.roots(&labels);
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

/// The lines that a dump prints.
fn lines(awaits: &[Await]) -> String {
    if awaits.is_empty() {
        return "where they wait: nobody has said so: their threads are blocked, or it is nothing of tokio's"
            .to_owned();
    }
    let mut text = "where they wait:".to_owned();
    for one in awaits {
        let name = one.label.as_ref().map_or("main", |label| &label.name);
        let _ = write!(text, "\n  {}", text::name(name));
        if one.count > 1 {
            let _ = write!(text, " ×{}", one.count);
        }
        if one.looked_at == MOST_TRACED.0 {
            let _ = write!(text, " of the {} looked at", one.looked_at);
        }
        let _ = write!(text, " at {}", one.stack.join(" <- "));
    }
    text
}

/// Takes the stacks collected since [`ask_at_last`], and starts looking up their lines.
pub(crate) fn of(life: &Lifecycle) -> Awaits {
    let collected = collect(life);
    let awaits = Awaits::default();
    *awaits.lock() = LookedUp { is_under_way: true, awaits: life.diagnostics.probes.earlier().clone() };
    let result = awaits.clone();
    let look_up = move || {
        let found = look_up(collected);
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

/// Writes the lines that say in which await workers wait. A stuck worker or slow debug info holds up only the thread
/// that does this; a dump requested meanwhile has no such lines.
pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if life.diagnostics.probes.is_dumping.swap(true, Ordering::AcqRel) {
        return;
    }
    let dumped = Arc::clone(life);
    let dump = move || {
        dumped.writer.say(Line::dump(lines(&find_out(&dumped))));
        dumped.diagnostics.probes.is_dumping.store(false, Ordering::Release);
    };
    if threads::start("graceful-dump", Box::new(dump)).is_err() {
        life.diagnostics.probes.is_dumping.store(false, Ordering::Release);
    }
}

/// Waits until the lines of a dump that was asked for are with the writer, for `limit` at the most.
pub(crate) fn finish(life: &Lifecycle, limit: Duration) {
    let began = Instant::now();
    while life.diagnostics.probes.is_dumping.load(Ordering::Acquire) && began.elapsed() < limit {
        sleep(PAUSE);
    }
}

/// Traces every worker, waits for the answers and looks up their lines. Slow: not for the watch.
fn find_out(life: &Lifecycle) -> Vec<Await> {
    let woken = ask(life, false);
    let asked = Instant::now();
    while life.diagnostics.probes.answered() < woken && asked.elapsed() < ANSWERS_WITHIN {
        sleep(PAUSE);
    }
    // Each worker is polled once more after its answer: that poll belongs to the dump as well.
    sleep(PAUSE);
    look_up(collect(life))
}

/// Traces and looks up beforehand, once, when a stop has taken half of its budget and the abort is near: the first
/// lookup takes a hundred times as long as later ones. Returns when the driver, which waits until `deadline`, should
/// call this again.
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
        // If the system grants no thread, the report has no earlier stacks to fall back on.
        let _ = threads::start("graceful-lookup", Box::new(prepare));
    }
    deadline
}
