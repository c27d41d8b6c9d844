//! Arriving and leaving.

use std::sync::atomic::Ordering;

use super::Lifecycle;
use crate::life::entry::Entry;
use crate::life::members::MAIN;
use crate::model::label::EntryId;
use crate::model::state::Stage;

impl Lifecycle {
    /// Counts one more alive, in this thread's part; `false` when newcomers are refused.
    #[inline]
    pub(crate) fn arrive(&self, thread: u32, stage: Stage) -> bool {
        let welcome = self.members.alive.arrive(thread, stage);
        if !welcome {
            self.leave(thread, stage);
        }
        welcome
    }

    /// Counts one less.
    #[inline]
    pub(crate) fn leave(&self, thread: u32, stage: Stage) {
        if self.members.alive.leave(thread, stage) {
            self.notifier.note_change();
        }
    }

    pub(crate) fn main_gone(&self) {
        self.members.main.left();
        #[cfg(feature = "page")]
        self.listeners.viewers.note_mains_end();
        self.leave(MAIN, Stage::Main);
        self.end_drain();
    }

    /// Notes when a worker of this entry ended, in a stop.
    #[cold]
    pub(crate) fn note_end(&self, entry: &Entry) {
        if let Some(budget) = self.phase.budget() {
            let after = u32::try_from((self.now() - budget.asked()).as_millis()).unwrap_or(u32::MAX);
            entry.ended_at.fetch_max(after.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// A worker has left a result behind.
    pub(crate) fn result_left(&self, entry: EntryId) {
        self.registry.get(entry).results.fetch_add(1, Ordering::AcqRel);
        self.members.results.leave();
    }

    /// A result that had been left was taken.
    pub(crate) fn result_taken(&self, entry: EntryId) {
        self.registry.get(entry).results.fetch_sub(1, Ordering::AcqRel);
        self.members.results.take();
    }

    pub(crate) fn result_dropped(&self, entry: EntryId) {
        self.registry.get(entry).results.fetch_sub(1, Ordering::AcqRel);
        // The other half is `close_if_empty` of the plan's world: one of the two sees what the other has written.
        if self.members.results.end_dropping() && self.phase.is_stop_begun() {
            self.notifier.wake_driver();
        }
    }

    /// How many tasks are alive on the runtime, workers or not; ours aside.
    pub(crate) fn tasks_alive(&self) -> usize {
        let tasks = self.runtime.get().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
        #[cfg(all(unix, feature = "systemd"))]
        let tasks = tasks.saturating_sub(self.listeners.systemd.tasks());
        tasks.saturating_sub(self.tokens.watchers())
    }
}
