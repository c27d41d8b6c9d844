//! The report, given to the writer once, by the first caller.

use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::model::settings::Format;
use crate::report::facts::{self, Facts};
#[cfg(feature = "serde")]
use crate::report::json;
use crate::report::text;
use crate::say::line::Line;
#[cfg(feature = "serde")]
use crate::say::line::To;
use crate::say::lines;
use crate::work::hook;

/// The most a report takes, summary and prefixes included. Kubernetes keeps the last 2 KiB of a container's
/// output.
pub(crate) const LONGEST: usize = 2048;

/// Whether there is more to say than main's own exit code. A machine that asked for JSON gets its line for that too.
pub(crate) fn is_needed(life: &Lifecycle) -> bool {
    let diagnostics = &life.diagnostics;
    let is_plain = diagnostics.failures.are_mains_alone() && diagnostics.report.get().is_none();
    diagnostics.failures.code() != 0 && !(is_plain && life.settings.report == Format::Text)
}

/// Waits for lines that the report would gain from, while there is time. Called on main's thread.
pub(crate) fn settle(life: &Lifecycle) {
    if let (Some(report), Some(budget)) = (life.diagnostics.report.get(), life.phase.budget()) {
        let until = budget.report_at().unwrap_or_else(|| life.now());
        let left = until.saturating_duration_since(life.now());
        report.awaits.wait(left);
    }
}

/// Gives the report to the writer, once, for the first caller. The facts are taken now unless the abort took them. When
/// this returns, the writer has the report, even if another thread gave it.
pub(crate) fn publish(life: &Arc<Lifecycle>, code: u8, untracked: usize) {
    life.diagnostics.report_once(|| {
        if life.diagnostics.report.get().is_some() {
            // The facts are known; hooks that have begun since are given up as well.
            hook::abort_running(life);
        }
        hook::give_up_waiting(life);
        let report = life.diagnostics.report.get_or_init(|| facts::take(life, None));
        let facts = Facts::new(life, report, code, untracked);
        let took = facts.timings.since_asked();
        life.writer.say(lines::ended(code, &facts.reason(), took));
        life.writer.say_report(match life.settings.report {
            Format::Text => Line::report(text::text(&facts, LONGEST, life.writer.prefix().len())),
            #[cfg(feature = "serde")]
            Format::Json => Line::report(json::json(&facts, LONGEST)).to(To::Raw),
        });
        #[cfg(feature = "page")]
        life.listeners.viewers.begin();
    });
}
