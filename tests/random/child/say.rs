//! The lines that the model reads.

use std::fmt::Display;
use std::io::{Write, stdout};
use std::sync::OnceLock;
use std::time::Instant;

use graceful::State;

/// A line. Time and state are taken under the lock of standard output, so that lines come in the order of their times.
pub(crate) fn say(who: impl Display, what: impl Display) {
    static BORN: OnceLock<Instant> = OnceLock::new();
    let mut out = stdout().lock();
    let time = BORN.get_or_init(Instant::now).elapsed().as_micros();
    let state = match graceful::state() {
        State::Starting => 0,
        State::Ready => 1,
        State::Draining => 2,
        State::Stopping => 3,
        _ => 4,
    };
    let _ = writeln!(out, "{time} {state} {who} {what}");
}
