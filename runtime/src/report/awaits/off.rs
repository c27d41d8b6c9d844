//! Where there are no task dumps: nobody is looked at, and nothing is said. In place of `taskdump.rs`.
#![allow(clippy::unused_self)] // as if there were something

// Its tests need no task dumps.
#[cfg(test)]
#[allow(dead_code)]
#[path = "frames.rs"]
mod frames;

use std::sync::Arc;

use tokio::time::Instant;

use crate::life::lifecycle::Lifecycle;
use crate::model::awaits::Awaits;
use crate::say::line::Line;

/// Whoever asks for the feature, and has no such build, is told so.
const NOT_KNOWN: &str = "where they wait is not known: that takes RUSTFLAGS=\"--cfg tokio_unstable\", and Linux";

pub(crate) fn ask_at_last(_: &Lifecycle) {}

pub(crate) fn of(_: &Lifecycle) -> Awaits {
    Awaits::default()
}

pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if cfg!(feature = "taskdump") {
        life.writer.say(Line::report(NOT_KNOWN.to_owned()));
    }
}

pub(crate) fn prepare(_: &Arc<Lifecycle>, deadline: Option<Instant>) -> Option<Instant> {
    deadline
}
