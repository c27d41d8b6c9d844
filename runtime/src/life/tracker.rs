//! The count of those who are alive in one stage.

use crate::os::loom::atomic::{AtomicUsize, Ordering};

/// The count refuses newcomers.
const CLOSED: usize = 1;
/// Somebody waits for the count to fall.
const WATCHED: usize = 1 << 1;
/// One more alive.
const ONE: usize = 1 << 2;
/// Whoever waits hears of the count from here on down: main, the one that waits, nobody.
const FEW: usize = 2;

/// How many are alive, with two flags in the same word: newcomers and the wait for the last one never miss
/// each other.
#[derive(Debug, Default)]
pub(crate) struct Tracker(AtomicUsize);

impl Tracker {
    /// Counts one more; `false` when newcomers are refused. Then it is to be taken back with `leave`.
    #[inline]
    pub(crate) fn arrive(&self) -> bool {
        self.0.fetch_add(ONE, Ordering::AcqRel) & CLOSED == 0
    }

    /// Counts one less, and says whether somebody waits to hear of it.
    #[inline]
    pub(crate) fn leave(&self) -> bool {
        let before = self.0.fetch_sub(ONE, Ordering::AcqRel);
        before & WATCHED != 0 && before / ONE <= FEW + 1
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire) / ONE
    }

    /// From now on `leave` says when the count is small.
    pub(crate) fn watch(&self) {
        self.0.fetch_or(WATCHED, Ordering::SeqCst);
    }

    /// Refuses newcomers from now on.
    pub(crate) fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::SeqCst);
    }

    /// Whether nobody is left. From then on newcomers are refused: nobody would wait for them.
    pub(crate) fn close_if_empty(&self) -> bool {
        let closed =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| (word < ONE).then_some(word | CLOSED));
        closed.is_ok()
    }
}
