//! The lines about signals.

use std::time::Duration;

use crate::model::text::{listed, span};
use crate::os::signal::{Closing, Signal};
use crate::say::line::Line;
use crate::say::lines::limit;

pub(crate) fn held_at_exec(signal: Signal) -> Line {
    Line::warn(format!("{signal} was blocked when the process started; it is unblocked from now on")).signal(signal)
}

pub(crate) fn drain_ended(signal: Signal) -> Line {
    Line::info(format!("{signal} received; the drain ends{}", next(signal))).signal(signal)
}

pub(crate) fn already_stopping(signal: Signal) -> Line {
    Line::info(format!("{signal} received; already stopping{}", next(signal))).signal(signal)
}

/// What the next one does.
fn next(signal: Signal) -> &'static str {
    if signal == Signal::Interrupt { "; another one quits now" } else { "" }
}

/// The status follows.
pub(crate) fn aborted() -> Line {
    Line::error("SIGABRT received: the process ends; its status is").signal(Signal::Abort)
}

/// The system does not wait as long as the budget lasts.
pub(crate) fn closing(closing: &Closing, stop_timeout: Duration) -> Option<Line> {
    let Closing { what, grace } = closing;
    let line = || {
        let (grace, budget) = (span(*grace), limit(stop_timeout));
        Line::warn(format!(
            "Windows ends the process {grace} after {what}, and stop_timeout is {budget}: set GRACEFUL_STOP_TIMEOUT to \
             less than that"
        ))
    };
    (stop_timeout >= *grace).then(line)
}

/// Written when it is noticed, a second or so after it has happened: a signal that does not arrive cannot say so.
pub(crate) fn handlers_replaced(signals: &[Signal]) -> Line {
    Line::warn(format!("{}; leave the signal to graceful, or call graceful::stop() in that handler", replaced(signals)))
}

/// The same for a report.
pub(crate) fn replaced(signals: &[Signal]) -> String {
    let list = listed(signals.iter().map(ToString::to_string));
    let these = if signals.len() == 1 { "the signal asks" } else { "these signals ask" };
    format!(
        "other code has replaced the handler for {list}: {these} for no stop any more, unless the new handler calls the \
         one before it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_does_not_wait_as_long_as_the_budget_is_said() {
        let (what, seconds) = ("its console is closed", Duration::from_secs);
        let said = |budget| closing(&Closing { what, grace: seconds(5) }, budget).map(|line| line.text);
        assert_eq!(said(seconds(4)), None);
        let text = said(seconds(25)).unwrap_or_default();
        assert!(
            text.starts_with("Windows ends the process 5 s after its console is closed, and stop_timeout is 25 s: ")
        );
    }

    #[test]
    fn replaced_handlers_are_named_by_their_signals() {
        let text = replaced(&[Signal::Terminate, Signal::Interrupt]);
        let start = "other code has replaced the handler for SIGTERM, SIGINT: these signals ask for no stop any more";
        assert!(text.starts_with(start), "{text}");
    }
}
