//! Lines about systemd, and what it shows (feature `systemd`).

use std::ffi::OsStr;
use std::io;
use std::time::Duration;

use crate::model::state::{Cause, State};
use crate::model::still_running::{Blocking, Stuck};
use crate::model::text::{cut, listed, span};
use crate::say::line::Line;

/// What `systemctl status` shows.
pub(crate) fn status(state: State, cause: Option<&Cause>) -> String {
    cause.map_or_else(|| state.to_string(), |cause| format!("{state}: {cause}"))
}

/// The same with what the stop waits for, as the line says it, and what is left until the process is gone.
pub(crate) fn status_waiting(status: &str, waits_for: &str, left: Option<Duration>) -> String {
    let left = left.map_or_else(String::new, |left| format!("; gone in {} at the latest", span(left)));
    format!("{status}; {waits_for}{left}")
}

/// The status while a reload is under way.
pub(crate) const RELOADING: &str = "reloading";

/// The status while an upgrade in place is under way.
#[cfg(feature = "upgrade")]
pub(crate) const UPGRADING: &str = "upgrading";

/// Who keeps the runtime from running tasks. `silent`: it has run none for so long; `left`: until systemd loses patience.
pub(crate) fn watchdog_not_fed(stuck: &[Stuck], silent: Duration, left: Duration) -> Line {
    let mut blocking = Vec::new();
    for one in stuck {
        let who = match (one.label(), one.is_main()) {
            (Some(label), _) => format!("worker {label}"),
            (None, true) => "main".to_owned(),
            (None, false) => format!("hook `{}`", one.name()),
        };
        let thread = |thread: &Blocking| format!("{who} has blocked {thread}");
        blocking.extend(one.blocking.iter().map(thread));
    }
    let why = if blocking.is_empty() {
        let silent = span(silent);
        format!("the runtime has run no task for {silent}, and it is no worker that blocks it")
    } else {
        listed(blocking.into_iter())
    };
    let line = Line::error(format!("{why}: the watchdog is not fed; systemd ends the process in {}", span(left)));
    let mut labels = stuck.iter().filter(|one| !one.blocking.is_empty()).filter_map(Stuck::label);
    match (labels.next(), labels.next()) {
        (Some(label), None) => line.of(label),
        _ => line,
    }
}

pub(crate) fn not_notified(socket: &OsStr, error: &io::Error) -> Line {
    let socket = cut(&socket.to_string_lossy());
    Line::warn(format!("could not notify systemd: NOTIFY_SOCKET={socket}: {error}"))
}
