//! How many are alive in one stage.

use crate::os::loom::atomic::{AtomicUsize, Ordering};

/// The count refuses newcomers.
const CLOSED: usize = 1;
/// Code waits for the count to fall.
const WATCHED: usize = 1 << 1;
/// Code waits for each change of the count.
const EACH: usize = 1 << 2;
/// One more alive.
const ONE: usize = 1 << 3;
/// From this count down, code that waits is notified: main and a worker that waits may be left.
const FEW: usize = 2;

/// How many are alive, with flags in the same word, so that newcomers and the wait for the last one never miss
/// each other.
#[derive(Debug, Default)]
pub(crate) struct Tracker(AtomicUsize);

impl Tracker {
    /// Counts one more; `false` when newcomers are refused: then the caller takes it back with `leave`.
    #[inline]
    pub(crate) fn arrive(&self) -> bool {
        self.0.fetch_add(ONE, Ordering::AcqRel) & CLOSED == 0
    }

    /// Counts one less, and returns whether to notify code that waits.
    #[inline]
    pub(crate) fn leave(&self) -> bool {
        let before = self.0.fetch_sub(ONE, Ordering::AcqRel);
        before & EACH != 0 || before & WATCHED != 0 && before / ONE <= FEW + 1
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire) / ONE
    }

    /// From now on `leave` returns true when the count is small.
    pub(crate) fn watch(&self) {
        self.0.fetch_or(WATCHED, Ordering::SeqCst);
    }

    /// From now on `leave` always returns true.
    pub(crate) fn watch_each(&self) {
        self.0.fetch_or(EACH, Ordering::SeqCst);
    }

    pub(crate) fn is_each_watched(&self) -> bool {
        self.0.load(Ordering::SeqCst) & EACH != 0
    }

    /// Refuses newcomers from now on.
    pub(crate) fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::SeqCst);
    }

    /// Whether none is left. From then on newcomers are refused: nothing would wait for them.
    pub(crate) fn close_if_empty(&self) -> bool {
        let closed =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| (word < ONE).then_some(word | CLOSED));
        closed.is_ok()
    }
}
