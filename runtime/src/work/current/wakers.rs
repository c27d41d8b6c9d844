//! Which waker the worker being polled on this thread, or main, is polled with.

use std::task::Waker;

use super::look;
use crate::work::polled::WakerId;

/// Whether `waker` is the one the current worker itself is polled with.
#[inline]
pub(crate) fn is_workers_own(waker: &Waker) -> bool {
    let id = WakerId::of(waker);
    id != WakerId::NONE && look(|here| here.waker.get() == id).unwrap_or(false)
}

/// Notes which waker main is polled with.
pub(crate) fn polls_main_with(waker: &Waker) {
    look(|here| here.mains.set(WakerId::of(waker)));
}

/// Whether `waker` is the one main is polled with, which is the runtime's.
pub(crate) fn is_mains(waker: &Waker) -> bool {
    look(|here| here.mains.get() == WakerId::of(waker)).unwrap_or(false)
}
