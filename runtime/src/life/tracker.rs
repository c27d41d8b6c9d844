//! How many are alive in each stage.
//!
//! Most of the time nothing waits for the counts, and each thread counts in a part of its own: two threads that spawn share
//! no cache line. Code that is about to wait for them gathers the parts first; from then on the totals are exact, and all
//! threads count in them. It is the idea of the Linux kernel's `percpu_ref`.
//!
//! The rules that this relies on:
//!
//! 1. A part is counted in until it is marked as moved, by the operation that reads its count. So each arrival and each
//!    leave is either in what was moved, or in the total.
//! 2. While parts are moved a total may be too small, for one may leave by the total before its arrival has come there. Code
//!    that decides by a total waits until all parts are moved.

use std::sync::PoisonError;

use crate::life::by_thread::Padded;
use crate::life::slot_key::SHARDS;
use crate::model::state::Stage;
use crate::os::loom::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::os::loom::{Mutex, MutexGuard};

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

/// In a part: the total is counted in instead.
const MOVED: usize = 1;

/// How many are alive, by stage, with flags in the same word, so that newcomers and the wait for the last one never miss
/// each other. It has as many parts as the slots have shards.
#[derive(Debug)]
pub(crate) struct Tracker<const PARTS: usize = { SHARDS as usize }> {
    totals: [AtomicUsize; 4],
    parts: [Padded<[AtomicUsize; 4]>; PARTS],
    /// Whether all parts are moved.
    is_gathered: AtomicBool,
    gathering: Mutex<()>,
}

impl<const PARTS: usize> Default for Tracker<PARTS> {
    fn default() -> Self {
        Self {
            totals: Default::default(),
            parts: std::array::from_fn(|_| Padded::default()),
            is_gathered: AtomicBool::default(),
            gathering: Mutex::default(),
        }
    }
}

impl<const PARTS: usize> Tracker<PARTS> {
    /// Counts one more, in this thread's part; `false` when newcomers are refused: then the caller takes it back with
    /// `leave`.
    #[inline]
    pub(crate) fn arrive(&self, thread: u32, stage: Stage) -> bool {
        // Rule 1.
        let before = self.part(thread, stage).fetch_add(ONE, Ordering::AcqRel);
        before & MOVED == 0 || self.arrive_in_total(stage)
    }

    /// Counts one less that this thread's part has, and returns whether to notify code that waits.
    #[inline]
    pub(crate) fn leave(&self, thread: u32, stage: Stage) -> bool {
        // Rule 1.
        let before = self.part(thread, stage).fetch_sub(ONE, Ordering::AcqRel);
        before & MOVED != 0 && self.leave_total(stage)
    }

    #[inline]
    fn part(&self, thread: u32, stage: Stage) -> &AtomicUsize {
        &self.parts[thread as usize % PARTS].0[stage.index()]
    }

    #[cold]
    fn arrive_in_total(&self, stage: Stage) -> bool {
        self.totals[stage.index()].fetch_add(ONE, Ordering::AcqRel) & CLOSED == 0
    }

    #[cold]
    fn leave_total(&self, stage: Stage) -> bool {
        let before = self.totals[stage.index()].fetch_sub(ONE, Ordering::AcqRel);
        before & EACH != 0 || before & WATCHED != 0 && before / ONE <= FEW + 1
    }

    /// How many there are: exact once code waits for them, before that a moment out of date.
    pub(crate) fn count(&self, stage: Stage) -> usize {
        let total = &self.totals[stage.index()];
        if self.is_gathered.load(Ordering::Acquire) {
            return total.load(Ordering::Acquire) / ONE;
        }
        // Rule 2.
        let _gathering = self.lock();
        let parts = self.parts.iter().map(|part| part.0[stage.index()].load(Ordering::Acquire));
        let parts = parts.filter(|part| part & MOVED == 0).map(|part| part / ONE);
        parts.sum::<usize>() + total.load(Ordering::Acquire) / ONE
    }

    /// From now on `leave` returns true when the count is small.
    pub(crate) fn watch(&self) {
        self.set(WATCHED);
    }

    /// From now on `leave` always returns true.
    pub(crate) fn watch_each(&self) {
        self.set(EACH);
    }

    pub(crate) fn is_each_watched(&self, stage: Stage) -> bool {
        self.totals[stage.index()].load(Ordering::SeqCst) & EACH != 0
    }

    /// Refuses newcomers from now on.
    pub(crate) fn close(&self) {
        self.set(CLOSED);
    }

    /// Whether none is left. From then on newcomers are refused: nothing would wait for them.
    pub(crate) fn close_if_empty(&self, stage: Stage) -> bool {
        self.gather();
        let closed = |word| (word < ONE).then_some(word | CLOSED);
        self.totals[stage.index()].fetch_update(Ordering::SeqCst, Ordering::SeqCst, closed).is_ok()
    }

    fn set(&self, flag: usize) {
        self.gather();
        for total in &self.totals {
            total.fetch_or(flag, Ordering::SeqCst);
        }
    }

    /// From now on all count in the totals.
    fn gather(&self) {
        // Rule 2: a second one waits for the first.
        let _gathering = self.lock();
        if self.is_gathered.load(Ordering::Acquire) {
            return;
        }
        for part in &self.parts {
            for (part, total) in part.0.iter().zip(&self.totals) {
                total.fetch_add(part.fetch_or(MOVED, Ordering::SeqCst), Ordering::SeqCst);
            }
        }
        self.is_gathered.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
