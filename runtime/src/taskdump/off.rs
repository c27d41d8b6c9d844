//! Where there are no task dumps: nobody is looked at, and nothing is said. In place of `taskdump.rs`.
#![allow(clippy::unused_self)] // as if there were something

// Its tests need no task dumps.
#[cfg(test)]
#[allow(dead_code)]
#[path = "lines.rs"]
mod lines;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::Lifecycle;
use crate::line::Line;
use crate::rows::RowId;
use crate::stuck::Stuck;

/// Whoever asks for the feature, and has no such build, is told so.
const NOT_KNOWN: &str =
    "where they wait is not known: that takes RUSTFLAGS=\"--cfg tokio_unstable\", and Linux";

#[derive(Debug, Default)]
pub(crate) struct Taskdump {}

#[inline]
pub(crate) fn asked(_: &Arc<Lifecycle>, _: RowId, _: bool) -> Asked {
    Asked
}

pub(crate) struct Asked;

impl Asked {
    #[inline]
    pub(crate) fn poll<F: Future>(
        self,
        future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        future.poll(context)
    }
}

#[inline]
pub(crate) fn leaf(_: &mut Context<'_>) {}

pub(crate) fn ask_at_last(life: &Lifecycle) {
    let Taskdump {} = life.taskdump;
}

pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if cfg!(feature = "taskdump") {
        life.scribe.say(Line::report(NOT_KNOWN.to_owned()));
    }
}

pub(crate) fn prepare(_: &Arc<Lifecycle>, deadline: Option<Instant>) -> Option<Instant> {
    deadline
}

#[allow(dead_code)] // nobody makes one
#[derive(Clone, Debug)]
pub(crate) struct Await {
    pub(crate) stack: Vec<String>,
    pub(crate) count: usize,
    pub(crate) looked_at: usize,
    pub(crate) is_earlier: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Awaits {}

impl Awaits {
    pub(crate) fn of(_: &Lifecycle) -> Self {
        Self {}
    }

    pub(crate) fn wait(&self, _: Duration) {}

    pub(crate) fn of_those(&self, _: &Stuck) -> Vec<Await> {
        Vec::new()
    }
}
