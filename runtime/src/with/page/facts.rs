//! What the page and the picture say beside a status: how it ended, and what had to be aborted.

use crate::life::lifecycle::Lifecycle;
use crate::model::awaits::Awaits;
use crate::model::failure;
use crate::model::still_running::{StopFacts, Stuck};
use crate::report::facts::Facts;

/// So many lines are shown under the picture.
const NOTES: usize = 8;

/// How a lifecycle ended.
#[derive(Debug)]
pub(crate) struct End {
    /// The service's name.
    pub(crate) service: Option<String>,
    /// The exit code and, unless that is 0, why. `None` as long as it is not known.
    pub(crate) code: Option<(u8, String)>,
    /// What went wrong, as the report has it.
    pub(crate) notes: Vec<String>,
}

impl End {
    /// `is_over`: nothing follows.
    pub(crate) fn of(life: &Lifecycle, is_over: bool) -> Self {
        let nothing = nothing();
        let stop = life.diagnostics.report.get().unwrap_or(&nothing);
        let code = life.diagnostics.failures.code();
        let facts = Facts::new(life, stop, code, 0);
        let has_reason = facts.first().is_some() || matches!(code, failure::OUT_OF_TIME | failure::FORCED);
        let reason = if code != 0 && has_reason { facts.reason() } else { String::new() };
        let failures = facts.failures.iter().filter(|failure| !failure.is_mains()).map(ToString::to_string);
        let waits = facts.waits.iter().map(ToString::to_string);
        // Those that block their thread come first: the others may only have waited for it.
        let (blocking, others): (Vec<_>, Vec<_>) = facts.stuck.iter().partition(|stuck| !stuck.blocking.is_empty());
        let hints = facts.hints.iter().cloned();
        let mut notes: Vec<_> =
            aborted(&blocking).chain(failures).chain(hints).chain(waits).chain(aborted(&others)).collect();
        if notes.len() > NOTES {
            let more = notes.len() - NOTES;
            notes.truncate(NOTES);
            notes.push(format!("and {more} more"));
        }
        Self { service: life.settings.name.clone(), code: is_over.then_some((code, reason)), notes }
    }
}

fn aborted(stuck: &[&Stuck]) -> impl Iterator<Item = String> {
    stuck.iter().map(|stuck| format!("at the abort: {stuck}"))
}

fn nothing() -> StopFacts {
    let (stuck, waits, mains_hints) = (Vec::new(), Vec::new(), Vec::new());
    StopFacts { stuck, waits, awaits: Awaits::default(), mains_hints, is_held_up: false }
}
