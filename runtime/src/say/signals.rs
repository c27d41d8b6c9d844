//! The lines about signals.

use crate::model::text::listed;
use crate::os::signal::Signal;
use crate::say::line::Line;

pub(crate) fn held_at_exec(signal: Signal) -> Line {
    Line::warn(format!("{signal} was blocked when the process started; it is unblocked from now on")).signal(signal)
}

pub(crate) fn drain_ended(signal: Signal) -> Line {
    Line::info(format!("{signal} received; the drain ends")).signal(signal)
}

pub(crate) fn already_stopping(signal: Signal) -> Line {
    Line::info(format!("{signal} received; already stopping")).signal(signal)
}

/// The status follows.
pub(crate) fn aborted() -> Line {
    Line::error("SIGABRT received: the process ends; its status is").signal(Signal::Abort)
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
    fn replaced_handlers_are_named_by_their_signals() {
        let text = replaced(&[Signal::Terminate, Signal::Interrupt]);
        let start = "other code has replaced the handler for SIGTERM, SIGINT: these signals ask for no stop any more";
        assert!(text.starts_with(start), "{text}");
    }
}
