//! What happened in a tree, in order.

use std::fmt;

/// How a body came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Well,
    Failed,
    Panicked,
    /// From outside, at an await.
    Dropped,
}

/// What is done to a worker from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Stop,
    Abort,
    Drop,
    /// Its own token is cancelled.
    Cancel,
}

/// What a handle gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Well,
    Failed,
    Panicked,
    ChildFailed,
    Aborted,
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// By this plan, by this run of that worker.
    Spawned(usize, Option<(usize, u32)>),
    Begun,
    /// What `is_stopping()` said.
    Asked(u32, bool),
    /// Its wait ended because it is to stop.
    Told(u32),
    Gone(u32, How),
    Resolved(Given),
    Done(Deed),
    /// `graceful::stop()` was called.
    StopCalled,
    /// The process stops.
    Process,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// Virtual milliseconds.
    pub(crate) at: u64,
    /// Which worker, in order of their spawning.
    pub(crate) of: usize,
    pub(crate) what: What,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5} ms  #{} {:?}", self.at, self.of, self.what)
    }
}
