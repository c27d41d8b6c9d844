//! What the page shows, as JSON: counts by function, so that its size does not depend on how many workers there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::life::lifecycle::Lifecycle;
use crate::model::hook::{HookStage, Progress};
use crate::model::state::State;
use crate::model::still_running::Blocking;
use crate::model::text::{millis, name, span};
use crate::report::rows::HookStatus;
use crate::report::status::Status;
use crate::with::page::chart::{Bar, Chart};
use crate::with::page::facts::End;
use crate::with::page::kinds::{ROWS, Row, path, rows};
use crate::with::page::svg::svg;

/// The time from an event to the sample for the next one.
const PAUSE: Duration = Duration::from_millis(900);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Viewers that ask within this time get the same snapshot.
const SHARED_FOR: Duration = Duration::from_millis(300);

/// A sample of the polls under way serves other viewers as well for so long.
const SAMPLE_LASTS: Duration = Duration::from_millis(500);

/// All times are in milliseconds.
#[derive(Serialize)]
struct View {
    name: Option<String>,
    state: String,
    /// For how long.
    since: u64,
    up: u64,
    is_ready: bool,
    /// What a stop changes.
    stop: Option<Stop>,
    blocked: Vec<Blocked>,
    workers: Vec<Row>,
    /// How many rows are not shown.
    more: usize,
    hooks: Vec<Hook>,
    holds: Vec<Hold>,
    untracked: usize,
    /// How long ago, and how many were alive, oldest first.
    past: Vec<(u64, usize)>,
    /// The exit code and why, once it is over.
    end: Option<(u8, String)>,
    is_last: bool,
}

#[derive(Serialize)]
struct Stop {
    cause: String,
    spent: u64,
    /// The whole budget, and when what still runs is aborted. `None` without a deadline.
    budget: Option<[u64; 2]>,
    held_up_by: Option<(String, String)>,
    notes: Vec<String>,
    events: Vec<(String, u64)>,
    bars: Vec<Span>,
    picture: String,
}

/// A bar of the picture, for those who do not see it.
#[derive(Serialize)]
struct Span {
    name: String,
    at: String,
    from: u64,
    to: u64,
    note: String,
    waited_for: u64,
}

/// A thread that a worker blocks.
#[derive(Serialize)]
struct Blocked {
    name: String,
    at: String,
    thread: String,
    /// At least.
    #[serde(rename = "for")]
    long: u64,
}

#[derive(Serialize)]
struct Hook {
    name: String,
    stage: HookStage,
    progress: String,
    is_bad: bool,
    began: Option<u64>,
    took: Option<u64>,
}

#[derive(Serialize)]
struct Hold {
    name: String,
    at: String,
    live: u64,
    taken: u64,
}

/// How long to pause after a snapshot, so that viewers cost less than a hundredth of a core: more than a second only where
/// there are thousands of names.
pub(crate) fn pause(life: &Lifecycle) -> Duration {
    (life.listeners.viewers.latest.lock().took * 150).clamp(PAUSE, LONGEST_PAUSE)
}

/// Notes which polls are under way: those that still are at the next snapshot block their threads.
pub(crate) fn sample(life: &Lifecycle) {
    let mut latest = life.listeners.viewers.latest.lock();
    if latest.sample.as_ref().is_none_or(|sample| sample.age() >= SAMPLE_LASTS) {
        latest.sample = Some(life.sample());
    }
}

/// The snapshot of now, or the one that another viewer has just got.
pub(crate) fn snapshot(life: &Lifecycle) -> Arc<str> {
    let mut latest = life.listeners.viewers.latest.lock();
    let now = Instant::now();
    let is_recent = latest.at.is_some_and(|at| now - at < SHARED_FOR);
    let is_sampled = latest.sample().is_some();
    if !is_recent || is_sampled && !latest.is_sampled {
        let status = Status::take(life, latest.sample());
        latest.is_sampled = is_sampled;
        latest.text = text(&View::of(life, &status, false)).into();
        (latest.at, latest.took) = (Some(now), now.elapsed());
    }
    Arc::clone(&latest.text)
}

/// The last snapshot of a viewer. `is_over`: nothing follows for anyone, and the exit code is known.
pub(crate) fn last(life: &Lifecycle, is_over: bool) -> String {
    let status = Status::take(life, life.listeners.viewers.latest.lock().sample());
    of_end(life, &status, is_over)
}

/// The same of a status that is at hand.
pub(crate) fn of_end(life: &Lifecycle, status: &Status, is_over: bool) -> String {
    text(&View { is_last: true, ..View::of(life, status, is_over) })
}

/// The stop as it was, or as far as it is: as a picture of its own. `None` where none was asked for.
pub(crate) fn picture(life: &Lifecycle, status: &Status, is_over: bool) -> Option<String> {
    let chart = Chart::of(status, main_ended(life))?;
    Some(svg(&chart, &End::of(life, is_over), true))
}

fn text(view: &View) -> String {
    // Numbers and text: nothing in it can fail.
    serde_json::to_string(view).unwrap_or_default()
}

/// How long after the request for the stop.
fn main_ended(life: &Lifecycle) -> Option<Duration> {
    let asked = life.phase.budget()?.asked().into_std();
    Some(life.listeners.viewers.main_ended()?.saturating_duration_since(asked))
}

impl View {
    fn of(life: &Lifecycle, status: &Status, is_over: bool) -> Self {
        let viewers = &life.listeners.viewers;
        let rows = rows(status);
        let blocked = blocked(status);
        let alive = life.members.count();
        viewers.note_alive(alive);
        let noted = viewers.alive_lately().into_iter().map(|(ago, alive)| (millis(ago), alive));
        let end = End::of(life, is_over);
        Self {
            name: end.service.clone(),
            state: status.state.to_string(),
            since: viewers.entered().map_or_else(|| millis(status.uptime), |at| millis(at.elapsed())),
            up: millis(status.uptime),
            is_ready: status.state == State::Ready,
            stop: Stop::of(life, status, &end),
            blocked,
            more: rows.len().saturating_sub(ROWS),
            workers: rows.into_iter().take(ROWS).collect(),
            hooks: status.hooks.iter().map(Hook::of).collect(),
            holds: status
                .holds
                .iter()
                .map(|hold| Hold {
                    name: name(&hold.name),
                    at: hold.location.clone(),
                    live: hold.live,
                    taken: hold.taken,
                })
                .collect(),
            untracked: status.untracked,
            past: noted.chain([(0, alive)]).collect(),
            end: end.code,
            is_last: false,
        }
    }
}

impl Stop {
    fn of(life: &Lifecycle, status: &Status, end: &End) -> Option<Self> {
        let chart = Chart::of(status, main_ended(life))?;
        let budget = life.phase.budget()?;
        let since_asked = |at: tokio::time::Instant| millis(at.saturating_duration_since(budget.asked()));
        let budget = budget.total().zip(budget.abort_at()).map(|(total, abort)| [millis(total), since_asked(abort)]);
        let span_of = |bar: &Bar| Span {
            name: bar.name.clone(),
            at: bar.place.clone(),
            from: millis(bar.from),
            to: millis(bar.to),
            note: bar.note.clone(),
            waited_for: millis(bar.waited_for),
        };
        Some(Self {
            spent: millis(status.timings.since_asked()),
            budget,
            held_up_by: chart.held_up_by.as_ref().map(|(what, long)| (what.clone(), span(*long))),
            notes: end.notes.clone(),
            events: chart.marks.iter().map(|mark| (mark.name.clone(), millis(mark.at))).collect(),
            bars: chart.bars.iter().map(span_of).collect(),
            picture: svg(&chart, end, false),
            cause: chart.cause,
        })
    }
}

/// Main's thread and those that workers block.
fn blocked(status: &Status) -> Vec<Blocked> {
    let mut blocked = Vec::new();
    let mut add = |name: &str, at: &str, blocking: &Blocking| {
        let (name, at, thread) = (name.to_owned(), at.to_owned(), blocking.thread.clone());
        blocked.push(Blocked { name, at, thread, long: millis(blocking.at_least) });
    };
    status.main.activity.blocking.iter().for_each(|blocking| add("main", "", blocking));
    for worker in &status.workers {
        worker.activity.blocking.iter().for_each(|blocking| add(&path(worker), &worker.location, blocking));
    }
    blocked.sort_by_key(|blocked| std::cmp::Reverse(blocked.long));
    blocked
}

impl Hook {
    fn of(hook: &HookStatus) -> Self {
        Self {
            name: name(&hook.name),
            stage: hook.stage,
            progress: hook.progress.to_string(),
            is_bad: !matches!(hook.progress, Progress::Waiting | Progress::Running | Progress::Done),
            began: hook.began.map(millis),
            took: hook.took.map(millis),
        }
    }
}
