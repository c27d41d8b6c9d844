//! The rows of workers on the page: one for each kind, whatever their number.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::model::text::{millis, name, span};
use crate::report::rows::{Activity, LastFailure, WorkerStatus};
use crate::report::status::Status;

/// So many rows of workers are shown; the others are counted.
pub(super) const ROWS: usize = 100;

/// Workers with names given at run time are one row if they are more than so many from the same place.
const NAMES: usize = 8;

#[derive(Default, Serialize)]
pub(super) struct Row {
    /// The names of those that have started them, the outermost first.
    parents: Vec<String>,
    name: String,
    at: String,
    stage: String,
    live: u64,
    is_blocked: bool,
    doing: String,
    oldest: Option<u64>,
    polled: Option<u64>,
    restarts: u64,
    restarts_lately: u64,
    /// How they ended, as far as they have.
    ended: Vec<(u64, &'static str)>,
    failure: Option<(String, u64)>,
}

/// Main, then a row for each kind of workers, those of a parent below it.
pub(super) fn rows(status: &Status) -> Vec<Row> {
    let mut rows = Vec::new();
    if status.main.is_alive {
        rows.push(main(status));
    }
    let mut kinds = grouped(&status.workers);
    // A kind that is gone and did nothing wrong comes last, if there are too many.
    if kinds.len() > ROWS {
        kinds.sort_by_key(|kind| kind.live == 0);
    }
    let shown = kinds.len().min(ROWS);
    kinds[..shown].sort_by_cached_key(|kind| [&kind.parents[..], std::slice::from_ref(&kind.name)].concat());
    // Those beyond are counted, not shown.
    rows.extend(kinds.iter().map(row));
    rows
}

/// Names given at run time at one place are one row, if there are many: connections, say, by address.
fn grouped(workers: &[WorkerStatus]) -> Vec<WorkerStatus> {
    let mut places = BTreeMap::<_, Vec<&WorkerStatus>>::new();
    for worker in workers {
        places.entry((&worker.location, &worker.parents)).or_default().push(worker);
    }
    let mut grouped = Vec::new();
    for kinds in places.into_values() {
        if kinds.len() <= NAMES {
            grouped.extend(kinds.into_iter().cloned());
            continue;
        }
        let mut sum = kinds[0].clone();
        for kind in &kinds[1..] {
            add(&mut sum, kind);
        }
        sum.name = format!("{} and {} other names", name(&sum.name), kinds.len() - 1);
        grouped.push(sum);
    }
    grouped
}

fn add(sum: &mut WorkerStatus, kind: &WorkerStatus) {
    sum.live += kind.live;
    sum.restarted += kind.restarted;
    sum.restarted_lately += kind.restarted_lately;
    sum.restarting += kind.restarting;
    sum.next_restart = sum.next_restart.into_iter().chain(kind.next_restart).min();
    sum.finished += kind.finished;
    sum.failed += kind.failed;
    sum.panicked += kind.panicked;
    sum.aborted += kind.aborted;
    sum.refused += kind.refused;
    sum.oldest = sum.oldest.max(kind.oldest);
    sum.activity.in_poll += kind.activity.in_poll;
    sum.activity.blocking.extend(kind.activity.blocking.iter().cloned());
    sum.activity.last_polled = sum.activity.last_polled.into_iter().chain(kind.activity.last_polled).min();
    sum.activity.longest_unpolled = sum.activity.longest_unpolled.max(kind.activity.longest_unpolled);
    sum.activity.since_progress = sum.activity.since_progress.max(kind.activity.since_progress);
    let newer = |failure: &LastFailure| sum.last_failure.as_ref().is_none_or(|known| failure.ago < known.ago);
    if let Some(failure) = kind.last_failure.as_ref().filter(|failure| newer(failure)) {
        sum.last_failure = Some(failure.clone());
    }
}

fn main(status: &Status) -> Row {
    Row {
        name: "main".to_owned(),
        stage: "main".to_owned(),
        live: 1,
        is_blocked: !status.main.activity.blocking.is_empty(),
        doing: doing(&status.main.activity),
        oldest: Some(millis(status.uptime)),
        polled: status.main.activity.last_polled.map(millis),
        ..Row::default()
    }
}

fn row(kind: &WorkerStatus) -> Row {
    let mut ended = vec![
        (kind.finished, "ok"),
        (kind.failed, "failed"),
        (kind.panicked, "panicked"),
        (kind.aborted, "aborted"),
        (kind.refused, "refused"),
    ];
    ended.retain(|(count, _)| *count > 0);
    let mut now = if kind.live > kind.restarting { doing(&kind.activity) } else { String::new() };
    if let Some(next) = kind.next_restart {
        let comma = if now.is_empty() { "" } else { ", " };
        let _ = write!(now, "{comma}{} restarting, the next in {}", kind.restarting, span(next));
    }
    if kind.waiting > 0 && kind.waiting == kind.live {
        "waiting for what they have started".clone_into(&mut now);
    } else if kind.waiting > 0 {
        let _ = write!(now, ", {} of them for what they have started", kind.waiting);
    }
    Row {
        parents: kind.parents.clone(),
        name: name(&kind.name),
        at: kind.location.clone(),
        stage: kind.stage.unwrap_or_default().to_string(),
        live: kind.live,
        is_blocked: !kind.activity.blocking.is_empty(),
        doing: now,
        oldest: kind.oldest.map(millis),
        polled: kind.activity.last_polled.filter(|_| kind.live > 0).map(millis),
        restarts: kind.restarted,
        restarts_lately: kind.restarted_lately,
        ended,
        failure: kind.last_failure.as_ref().map(|failure| (failure.text.clone(), millis(failure.ago))),
    }
}

/// In a few words; when they were last polled has a column of its own.
fn doing(activity: &Activity) -> String {
    let mut doing = match (activity.blocking.len(), activity.in_poll) {
        (0, 0) => "waiting".to_owned(),
        (0, polled) => format!("{polled} running"),
        (1, _) => format!("blocks {}", activity.blocking[0].thread),
        (threads, _) => format!("block {threads} threads"),
    };
    if let Some(since) = activity.since_progress {
        let _ = write!(doing, ", one without progress for {}", span(since));
    }
    doing
}

/// `serve > connection`: what they were started by, and their name.
pub(super) fn path(kind: &WorkerStatus) -> String {
    let parents = kind.parents.iter().map(String::as_str);
    parents.chain([&*name(&kind.name)]).collect::<Vec<_>>().join(" > ")
}
