//! Results that workers have left behind, whose destructors run code: held by a handle, or about to be dropped.

use crate::os::loom::atomic::{AtomicUsize, Ordering};

/// How many there are.
#[derive(Debug, Default)]
pub(crate) struct Results {
    left: AtomicUsize,
    /// Those of them that are being dropped at this moment.
    dropping: AtomicUsize,
}

impl Results {
    pub(crate) fn leave(&self) {
        self.left.fetch_add(1, Ordering::AcqRel);
    }

    /// Somebody took a result that had been left.
    pub(crate) fn take(&self) {
        self.left.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn begin_dropping(&self) {
        self.dropping.fetch_add(1, Ordering::AcqRel);
    }

    /// Says whether it was the last that was being dropped. Whoever asked before that has been waiting since, and all
    /// that it had written is seen from here on.
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
