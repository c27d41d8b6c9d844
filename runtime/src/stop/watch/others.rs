//! What other folders have the watch do.

use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;

/// What the watch does for optional features. None of it blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Others {
    /// Once a second while something happens, and when the state has changed.
    pub(crate) record: fn(&Arc<Lifecycle>),
    /// Before the process is ended.
    pub(crate) kill_children: fn(),
    /// Once a second while something happens, and at the end of the lifecycle. Returns whether some have yet to end.
    pub(crate) reap_children: fn() -> bool,
    /// When a signal asks for an upgrade in place.
    pub(crate) upgrade: fn(&Arc<Lifecycle>),
}
