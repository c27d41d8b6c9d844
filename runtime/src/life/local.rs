//! A thread's own reference to its lifecycle.

use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;

/// A worker, and its handle, hold that of the thread that has spawned it. So two threads that spawn do not share a count of
/// references, nor a part of the other counts.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) life: Arc<Lifecycle>,
    /// The thread's number: its part of what is counted by thread.
    pub(crate) thread: u32,
}
