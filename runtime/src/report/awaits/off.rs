//! Stands in for `awaits.rs` in builds without task dumps: traces nothing, finds nothing.
#![allow(clippy::unused_self)] // the signatures of `awaits.rs`

// Its tests need no task dumps.
#[cfg(test)]
#[allow(dead_code)]
#[path = "frames.rs"]
mod frames;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::life::lifecycle::Lifecycle;
use crate::model::awaits::Awaits;
use crate::say::line::Line;

/// The line for a program that enables the feature in a build without task dumps.
const NOT_KNOWN: &str = "where they wait is not known: that takes RUSTFLAGS=\"--cfg tokio_unstable\", and Linux";

pub(crate) fn ask_at_last(_: &Lifecycle) {}

pub(crate) fn of(_: &Lifecycle) -> Awaits {
    Awaits::default()
}

pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if cfg!(feature = "taskdump") {
        life.writer.say(Line::dump(NOT_KNOWN.to_owned()));
    }
}

pub(crate) fn finish(_: &Lifecycle, _: Duration) {}

pub(crate) fn prepare(_: &Arc<Lifecycle>, deadline: Option<Instant>) -> Option<Instant> {
    deadline
}
