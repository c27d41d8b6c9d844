//! The report: the facts, taken before the abort destroys them, and what is printed at a bad end.

#[cfg(feature = "serde")]
mod json;
mod text;

use std::sync::Arc;
use std::time::Duration;

use crate::exit::{self, Failure};
use crate::hooks;
use crate::lifecycle::Lifecycle;
use crate::line::Line;
use crate::message;
use crate::signal;
use crate::state::{Cause, State};
use crate::status::Timings;
use crate::stuck::{Sample, Stuck};
use crate::taskdump::Awaits;
use crate::waits::Found;

/// The most a report takes, summary and prefixes included. Kubernetes keeps the last 2 KiB of a container's
/// output.
const LONGEST: usize = 2048;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    /// One line of JSON.
    #[cfg(feature = "serde")]
    Json,
}

/// The facts about those who had to be aborted.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) stuck: Vec<Stuck>,
    waits: Vec<Found>,
    awaits: Awaits,
    /// Main was among them and has never asked about the stop.
    main_never_looked: bool,
    /// The stop itself had not got beyond telling everybody.
    is_held_up: bool,
}

impl Report {
    /// Takes the facts. The look from when the stop began, and a `later` one, tell a poll that blocks from one
    /// that happens to be under way.
    pub(crate) fn take(life: &Lifecycle, later: Option<&Sample>) -> Self {
        let looks: Vec<_> = life.first_look.get().into_iter().chain(later).collect();
        let stuck = Stuck::find(life, &looks);
        let main_never_looked = stuck.iter().any(Stuck::is_main) && !life.has_main_looked();
        Self {
            stuck,
            waits: life.waits.found(),
            // They were asked when the later look was taken.
            awaits: later.map_or_else(Awaits::default, |_| Awaits::of(life)),
            main_never_looked,
            is_held_up: life.is_telling(),
        }
    }
}

/// All that a report says.
struct Facts<'a> {
    code: u8,
    cause: Option<&'a Cause>,
    timings: Timings,
    /// The first failure is the reason of the exit code: nothing else came before it.
    is_decided_by_a_failure: bool,
    failures: Vec<Failure>,
    /// How many more there were.
    more_failures: usize,
    hints: Vec<String>,
    waits: &'a [Found],
    awaits: &'a Awaits,
    stuck: &'a [Stuck],
    /// How many untracked tasks were dropped.
    untracked: usize,
}

impl<'a> Facts<'a> {
    fn new(life: &'a Lifecycle, report: &'a Report, code: u8, untracked: usize) -> Self {
        let (failures, more_failures) = life.failures.list();
        let is_decided_by_a_failure = life.failures.decisive().is_some();
        let is_late_at_the_end = !is_decided_by_a_failure
            && code == exit::OUT_OF_TIME
            && life.state() == State::Stopped
            && report.stuck.is_empty();
        let mut hints = Vec::new();
        for (holds, hint) in [
            (report.is_held_up, message::HELD_UP),
            (report.main_never_looked, message::MAIN_NEVER_LOOKED),
            (is_late_at_the_end, message::HELD_UP_AT_THE_END),
        ] {
            if holds {
                hints.push(hint.to_owned());
            }
        }
        hints.extend(handlers_replaced(life));
        Self {
            code,
            cause: life.cause(),
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

    /// The failure that is the reason of the exit code.
    fn first(&self) -> Option<&Failure> {
        self.failures
            .first()
            .filter(|_| self.is_decided_by_a_failure)
    }

    /// The whole report.
    fn line(&self, format: Format, prefix: &str) -> Line {
        match format {
            Format::Text => Line::report(text::text(self, LONGEST, prefix.len())),
            #[cfg(feature = "serde")]
            Format::Json => Line::report(json::json(self, LONGEST)).to(crate::line::To::Raw),
        }
    }

    /// Why the exit code is what it is.
    fn reason(&self) -> String {
        match self.first() {
            Some(first) => first.reason(),
            None => message::reason_of(self.code).to_owned(),
        }
    }

    /// How the time went, by what it went to.
    fn parts(&self) -> [(&'static str, Duration); 3] {
        [
            ("draining", self.timings.draining),
            ("stopping", self.timings.stopping),
            ("closing", self.timings.closing),
        ]
    }
}

/// Our handlers have been replaced by somebody else's.
fn handlers_replaced(life: &Lifecycle) -> Option<String> {
    let replaced = if life.settings.is_test {
        Vec::new()
    } else {
        signal::replaced()
    };
    (!replaced.is_empty()).then(|| message::handlers_replaced(&replaced))
}

/// Waits for what the report would be the better for, as long as there is time for it. For main's thread.
pub(crate) fn settle(life: &Lifecycle) {
    if let (Some(report), Some(budget)) = (life.report.get(), life.budget()) {
        let until = budget.report_at().unwrap_or_else(|| life.now());
        let left = until.saturating_duration_since(life.now());
        report.awaits.wait(left);
    }
}

/// Has the report written, once, whoever asks first. The facts are taken now where nobody took them before. When
/// this returns the report is in the scribe's hands, even if somebody else gave it.
pub(crate) fn publish(life: &Arc<Lifecycle>, code: u8, untracked: usize) {
    life.report_once(|| {
        hooks::give_up_those_that_wait(life);
        let report = life.report.get_or_init(|| Report::take(life, None));
        let facts = Facts::new(life, report, code, untracked);
        let took = facts.timings.since_asked();
        life.scribe.say(message::ended(code, &facts.reason(), took));
        life.scribe
            .say_report(facts.line(life.settings.report, life.scribe.prefix()));
    });
}
