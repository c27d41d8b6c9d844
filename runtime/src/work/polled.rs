//! Which worker is being polled, and with which waker.

use std::ptr;
use std::task::Waker;

use crate::life::phase::Interest;
use crate::life::slot_key::SlotKey;
use crate::model::label::EntryId;
use crate::model::state::Stage;

/// Which waker a poll was made with, by its data: a pointer to the task, where it is tokio's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct WakerId(*const ());

impl WakerId {
    /// No waker: the code of a blocking worker.
    pub(crate) const NONE: Self = Self(ptr::null());

    #[inline]
    pub(crate) fn of(waker: &Waker) -> Self {
        Self(waker.data())
    }
}

/// The worker being polled on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    pub(crate) entry: EntryId,
    pub(crate) slot: Option<SlotKey>,
    /// Its stage, and whether it may have a token of its own, which stops it apart from its stage.
    pub(crate) interest: Interest,
}

impl Current {
    pub(crate) fn stage(&self) -> Stage {
        self.interest.stage()
    }
}
