//! Results that workers have left behind, whose destructors run code: held by a handle, or about to be dropped.

use crate::os::loom::atomic::{AtomicUsize, Ordering};

/// How many there are.
#[derive(Debug, Default)]
pub(crate) struct Results {
    left: AtomicUsize,
    /// How many of them are being dropped at this moment.
    dropping: AtomicUsize,
}

impl Results {
    pub(crate) fn leave(&self) {
        self.left.fetch_add(1, Ordering::AcqRel);
    }

    /// A result that had been left was taken.
    pub(crate) fn take(&self) {
        self.left.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn begin_dropping(&self) {
        self.dropping.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns whether it was the last one being dropped. Code that asked `are_dropping` before that waits since, and
    /// all that it had written is visible from here on.
    pub(crate) fn end_dropping(&self) -> bool {
        self.left.fetch_sub(1, Ordering::AcqRel);
        self.dropping.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Asks by writing: a plain load could come too early, before `end_dropping`, and be seen by it too late.
    pub(crate) fn are_dropping(&self) -> bool {
        self.dropping.fetch_add(0, Ordering::AcqRel) > 0
    }

    pub(crate) fn are_gone(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }
}
