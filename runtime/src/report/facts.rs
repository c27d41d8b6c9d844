//! The facts of a bad end, taken before the abort destroys them.

use std::time::Duration;

use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::Sample;
use crate::model::awaits::Awaits;
use crate::model::failure::{self, Failure};
use crate::model::state::{Cause, State};
use crate::model::still_running::{Found, StopFacts, Stuck};
use crate::os::signal;
use crate::report::status::Timings;
use crate::report::{awaits, census};
use crate::say::{lines, signals};

/// Takes the facts. The sample from the beginning of the stop, and a `later` one, distinguish a poll that blocks from
/// one that happens to be under way.
pub(crate) fn take(life: &Lifecycle, later: Option<&Sample>) -> StopFacts {
    let samples: Vec<_> = life.diagnostics.first_sample.get().into_iter().chain(later).collect();
    let stuck = census::find(life, &samples);
    let waits = life.diagnostics.waits.found();
    let mains_hints =
        stuck.iter().find(|stuck| stuck.is_main()).map_or_else(Vec::new, |main| hints(life, main, &waits));
    StopFacts {
        stuck,
        waits,
        // Their tracing began with the later sample.
        awaits: later.map_or_else(Awaits::default, |_| awaits::of(life)),
        mains_hints,
        is_held_up: life.notifier.is_calling(),
    }
}

/// What to say to a main that did not end.
fn hints(life: &Lifecycle, main: &Stuck, waits: &[Found]) -> Vec<&'static str> {
    let known = &life.members.main;
    if known.has_asked() {
        return Vec::new();
    }
    if known.may_have_been_told() {
        return vec![lines::MAIN_LEFT_IT_TO_OTHERS];
    }
    // A start-up that blocks its thread, or waits for a worker, needs other advice.
    let may_be_starting =
        !life.phase.has_been_ready() && main.blocking.is_empty() && !waits.iter().any(|wait| wait.is_of("main"));
    let starting = may_be_starting.then_some(lines::NEVER_READY);
    [lines::MAIN_NEVER_LOOKED].into_iter().chain(starting).collect()
}

/// What to say to workers that did not end.
fn workers_hint(life: &Lifecycle, report: &StopFacts) -> Option<String> {
    let only = life.runtime.only_thread();
    let blocks = |stuck: &&Stuck| stuck.blocking.iter().any(|blocking| Some(&*blocking.thread) == only);
    if let Some(blocking) = report.stuck.iter().find(blocks) {
        let others = report.stuck.iter().any(|stuck| stuck.waiting() > 0);
        return others.then(|| lines::blocks_the_only_thread(&blocking.name()));
    }
    // One that waits for a worker's handle, or that nothing could wake, needs other advice.
    if report.is_held_up || !report.waits.is_empty() {
        return None;
    }
    let waits = |stuck: &&Stuck| stuck.label().is_some_and(|label| !label.is_hold) && stuck.waiting() > 0;
    let workers: Vec<_> = report.stuck.iter().filter(waits).map(Stuck::name).collect();
    (!workers.is_empty()).then(|| lines::waited_on(&workers))
}

/// Everything a report says.
pub(crate) struct Facts<'a> {
    pub(crate) code: u8,
    pub(crate) cause: Option<&'a Cause>,
    pub(crate) timings: Timings,
    /// The first failure is the reason for the exit code: nothing else came before it.
    pub(crate) is_decided_by_a_failure: bool,
    pub(crate) failures: Vec<Failure>,
    /// How many more there were.
    pub(crate) more_failures: usize,
    pub(crate) hints: Vec<String>,
    pub(crate) waits: &'a [Found],
    pub(crate) awaits: &'a Awaits,
    pub(crate) stuck: &'a [Stuck],
    /// How many untracked tasks were dropped.
    pub(crate) untracked: usize,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(life: &'a Lifecycle, report: &'a StopFacts, code: u8, untracked: usize) -> Self {
        let (failures, more_failures) = life.diagnostics.failures.list();
        let is_decided_by_a_failure = life.diagnostics.failures.decisive().is_some();
        let is_late_at_the_end = !is_decided_by_a_failure
            && code == failure::OUT_OF_TIME
            && life.phase.state() == State::Stopped
            && report.stuck.is_empty()
            && !report.is_held_up;
        let mut hints = Vec::new();
        hints.extend(report.is_held_up.then_some(lines::HELD_UP));
        hints.extend(is_late_at_the_end.then_some(lines::HELD_UP_AT_THE_END));
        hints.extend(&report.mains_hints);
        let mut hints: Vec<_> = hints.into_iter().map(str::to_owned).collect();
        hints.extend(workers_hint(life, report));
        let replaced = if life.settings.is_test { Vec::new() } else { signal::replaced() };
        if !replaced.is_empty() {
            hints.push(signals::replaced(&replaced));
        }
        Self {
            code,
            cause: life.phase.cause(),
            timings: Timings::of(life, life.now()),
            is_decided_by_a_failure,
            failures,
            more_failures,
            hints,
            waits: &report.waits,
            awaits: &report.awaits,
            stuck: &report.stuck,
            untracked,
        }
    }

    /// Main's own exit code, if something else decided.
    pub(crate) fn outvoted(&self) -> Option<u8> {
        let mains = self.failures.iter().find(|failure| failure.is_mains())?;
        (!self.first().is_some_and(Failure::is_mains)).then_some(mains.code)
    }

    /// The failure that is the reason for the exit code.
    pub(crate) fn first(&self) -> Option<&Failure> {
        self.failures.first().filter(|_| self.is_decided_by_a_failure)
    }

    /// Why the exit code is what it is.
    pub(crate) fn reason(&self) -> String {
        self.first().map_or_else(|| lines::reason_of(self.code).to_owned(), Failure::reason)
    }

    /// How the time of the stop was spent.
    pub(crate) fn parts(&self) -> [(&'static str, Duration); 3] {
        [("draining", self.timings.draining), ("stopping", self.timings.stopping), ("closing", self.timings.closing)]
    }
}
