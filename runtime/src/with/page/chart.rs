//! A stop as bars on a time axis, and what held it up: made of a status.

use std::cmp::Reverse;
use std::time::Duration;

use crate::model::event::Event;
use crate::model::hook::Progress;
use crate::model::state::{Stage, State};
use crate::model::text::{listed, name};
use crate::report::rows::{HookStatus, WorkerStatus};
use crate::report::status::Status;
use crate::with::page::kinds::path;

/// So many kinds of workers have a bar: those that ended last.
const WORKERS: usize = 24;

/// Two bars that touch are less than this apart: ends of workers are noted to the millisecond.
const TOUCH: Duration = Duration::from_millis(2);

/// Everything there is to draw. All times are since the stop was asked for.
#[derive(Debug)]
pub(crate) struct Chart {
    /// Why it stopped.
    pub(crate) cause: String,
    pub(crate) is_over: bool,
    /// How long it took, or has taken.
    pub(crate) total: Duration,
    /// The states, the hooks, and what was told to stop, in this order.
    pub(crate) bars: Vec<Bar>,
    /// What happened to the stop itself.
    pub(crate) marks: Vec<Mark>,
    /// How many kinds of workers have no bar.
    pub(crate) more: usize,
    /// What the stop waited for longest, and for how long.
    pub(crate) held_up_by: Option<(String, Duration)>,
}

/// Something that took time.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    /// A remark on how it ended.
    pub(crate) note: String,
    /// Where it is written.
    pub(crate) place: String,
    /// It blocks a thread, and others may wait for that.
    pub(crate) is_blocking: bool,
    /// For how long the stop waited for nothing else that ended later.
    pub(crate) waited_for: Duration,
    /// Nothing was waited for longer.
    pub(crate) is_longest: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    State,
    Hook,
    Worker,
}

/// A moment.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) at: Duration,
}

impl Chart {
    /// `None` where no stop was asked for. When main ended is not in a status.
    pub(crate) fn of(status: &Status, main_ended: Option<Duration>) -> Option<Self> {
        let cause = status.cause.clone()?;
        let total = status.timings.since_asked();
        let mut bars = states(status);
        bars.extend(status.hooks.iter().filter_map(hook));
        bars.extend(main(status, main_ended, total));
        let mut workers: Vec<_> = status.workers.iter().filter_map(|kind| worker(status, kind, total)).collect();
        workers.sort_by_key(|bar| Reverse(bar.to));
        let more = workers.len().saturating_sub(WORKERS);
        workers.truncate(WORKERS);
        workers.sort_by_key(|bar| (bar.from, bar.to));
        bars.extend(workers);
        let held_up_by = find_what_held_it_up(&mut bars, status.timings.draining);
        let marks = status.trace.iter().map(|moment| Mark { name: event(moment.event), at: moment.after }).collect();
        Some(Self { cause, is_over: status.state == State::Stopped, total, bars, marks, more, held_up_by })
    }
}

fn states(status: &Status) -> Vec<Bar> {
    let timings = status.timings;
    let parts = [("draining", timings.draining), ("stopping", timings.stopping), ("closing", timings.closing)];
    let mut from = Duration::ZERO;
    let mut bars = Vec::new();
    for (part, took) in parts {
        let to = from + took;
        if !took.is_zero() {
            bars.push(Bar::new(part.to_owned(), Kind::State, from, to));
        }
        from = to;
    }
    bars
}

fn hook(hook: &HookStatus) -> Option<Bar> {
    let began = hook.began?;
    let bar = Bar::new(name(&hook.name), Kind::Hook, began, began + hook.took.unwrap_or_default());
    let how = match hook.progress {
        Progress::Done => String::new(),
        other => other.to_string(),
    };
    Some(Bar { note: how, place: hook.stage.to_string(), ..bar })
}

/// Main, from when it was told to stop until it had ended.
fn main(status: &Status, ended: Option<Duration>, total: Duration) -> Option<Bar> {
    let told = told(status, Stage::Main, !status.main.activity.blocking.is_empty())?;
    let to = match ended {
        Some(ended) => ended,
        None if status.main.is_alive => total,
        None => return None,
    };
    // Where its end is the cause of the stop, nothing waited for it.
    let bar = Bar::new("main".to_owned(), Kind::Worker, told.min(to), to);
    let is_blocking = !status.main.activity.blocking.is_empty();
    let note = if status.main.is_alive { doing(1, is_blocking) } else { String::new() };
    (!to.is_zero()).then_some(Bar { note, is_blocking, ..bar })
}

/// The workers of one function, from when they were told to stop until the last of them had ended.
fn worker(status: &Status, worker: &WorkerStatus, total: Duration) -> Option<Bar> {
    let to = if worker.live > 0 { total } else { worker.ended?.min(total) };
    let is_blocking = !worker.activity.blocking.is_empty();
    let told = told(status, worker.stage.unwrap_or_default(), is_blocking)?;
    let mut notes = Vec::new();
    for (count, how) in [(worker.failed, "failed"), (worker.panicked, "panicked"), (worker.aborted, "aborted")] {
        if count > 0 {
            notes.push(format!("{count} {how}"));
        }
    }
    if worker.live > 0 {
        notes.push(doing(worker.live, is_blocking));
    }
    let bar = Bar::new(path(worker), Kind::Worker, told.min(to), to);
    Some(Bar { note: listed(notes.into_iter()), place: worker.location.clone(), is_blocking, ..bar })
}

/// What those are doing that have not ended.
fn doing(live: u64, is_blocking: bool) -> String {
    let blocks = if is_blocking { ", blocks its thread" } else { "" };
    match live {
        1 => format!("still runs{blocks}"),
        live => format!("{live} still run{blocks}"),
    }
}

/// When the workers of a stage were told to stop, or aborted since its turn had not come. `None` before that: nothing waits
/// for them yet. A thread that is blocked can hold the stop up from its beginning: hooks and other workers need it.
fn told(status: &Status, stage: Stage, is_blocking: bool) -> Option<Duration> {
    let is_it = |event| matches!(event, Event::Told(told) if told == stage) || event == Event::Aborted;
    let told = status.trace.iter().find(|moment| is_it(moment.event)).map(|moment| moment.after);
    told.or(is_blocking.then_some(Duration::ZERO))
}

fn event(event: Event) -> String {
    match event {
        Event::Told(stage) => format!("{stage} told to stop"),
        Event::Aborted => "aborted".to_owned(),
        Event::Joined => "all have ended".to_owned(),
    }
}

/// Goes back from the end: at each moment the stop waited for what ended there, since that began; then for what had ended
/// by then. What took the longest part held the stop up.
fn find_what_held_it_up(bars: &mut [Bar], drain: Duration) -> Option<(String, Duration)> {
    let mut at = bars.iter().map(|bar| bar.to).max()?;
    let mut waited_in_vain = Duration::ZERO;
    loop {
        let ended_by_then = |bar: &&mut Bar| bar.kind != Kind::State && bar.to <= at + TOUCH && bar.from + TOUCH < at;
        let last = bars.iter_mut().filter(ended_by_then).max_by_key(|bar| (bar.to, bar.is_blocking, Reverse(bar.from)));
        let next = last.as_ref().map_or(Duration::ZERO, |bar| bar.to.min(at));
        // Between two of them only the drain lets time pass.
        waited_in_vain += at.min(drain).saturating_sub(next);
        let Some(last) = last else { break };
        last.waited_for = next.saturating_sub(last.from);
        at = last.from;
    }
    let longest = bars.iter_mut().filter(|bar| !bar.waited_for.is_zero()).max_by_key(|bar| bar.waited_for);
    match longest {
        Some(bar) if bar.waited_for >= waited_in_vain => {
            bar.is_longest = true;
            Some((bar.name.clone(), bar.waited_for))
        }
        _ if !waited_in_vain.is_zero() => Some(("the drain".to_owned(), waited_in_vain)),
        _ => None,
    }
}

impl Bar {
    fn new(name: String, kind: Kind, from: Duration, to: Duration) -> Self {
        let (note, place) = (String::new(), String::new());
        Self { name, kind, from, to, note, place, is_blocking: false, waited_for: Duration::ZERO, is_longest: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hook::HookStage;
    use crate::report::status::{Moment, Timings};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What is told at these times, and hooks from here to there.
    fn status(told: &[(Stage, u64)], draining: u64, stopping: u64, hooks: &[(&str, HookStage, u64, u64)]) -> Status {
        let event = |(stage, at): &(Stage, u64)| Moment { after: ms(*at), event: Event::Told(*stage) };
        let hook = |(name, stage, from, to): &(&str, HookStage, u64, u64)| HookStatus {
            name: (*name).to_owned(),
            stage: *stage,
            progress: Progress::Done,
            began: Some(ms(*from)),
            took: Some(ms(to - from)),
        };
        let timings = Timings { running: ms(9), draining: ms(draining), stopping: ms(stopping), closing: ms(0) };
        Status {
            cause: Some("SIGTERM".to_owned()),
            timings,
            trace: told.iter().map(event).collect(),
            hooks: hooks.iter().map(hook).collect(),
            ..Status::empty()
        }
    }

    #[test]
    fn without_a_stop_there_is_nothing_to_draw() {
        assert!(Chart::of(&Status::empty(), None).is_none());
    }

    #[test]
    fn what_ended_last_did_not_hold_the_stop_up_if_it_was_short() {
        let hooks = [("deregister", HookStage::BeforeStop, 0, 300), ("close", HookStage::AfterStop, 1300, 1301)];
        let status = status(&[(Stage::Early, 0), (Stage::Main, 300)], 300, 1001, &hooks);
        let chart = Chart::of(&status, Some(ms(1300))).expect("a stop");
        assert_eq!(chart.held_up_by, Some(("main".to_owned(), ms(1000))));
        let waited: Vec<_> = chart.bars.iter().map(|bar| (&*bar.name, bar.waited_for)).collect();
        let first = [("draining", ms(0)), ("stopping", ms(0))];
        let rest = [("deregister", ms(300)), ("close", ms(0)), ("main", ms(1000))];
        assert_eq!(waited, [&first[..], &rest].concat());
    }

    #[test]
    fn a_drain_in_which_nothing_ran_held_the_stop_up() {
        let told = [(Stage::Early, 0), (Stage::Main, 5000)];
        let hooks = [("deregister", HookStage::BeforeStop, 0, 200)];
        let chart = Chart::of(&status(&told, 5000, 100, &hooks), Some(ms(5100))).expect("a stop");
        assert_eq!(chart.held_up_by, Some(("the drain".to_owned(), ms(4800))));
    }

    #[test]
    fn a_stop_that_took_no_time_was_held_up_by_nothing() {
        let chart = Chart::of(&status(&[(Stage::Main, 0)], 0, 1, &[]), Some(ms(0))).expect("a stop");
        assert_eq!(chart.held_up_by, None);
        assert_eq!(chart.bars.len(), 1, "{chart:?}");
    }
}
