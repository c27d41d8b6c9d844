//! Who is alive: main, workers and holds by stage, and the results they leave behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};

use super::{Lifecycle, STATE};
use crate::life::entry::Entry;
use crate::life::poll_record::{LifeId, Poll, Sample, ThreadRecord};
use crate::life::tracker::Tracker;
use crate::model::label::EntryId;
use crate::model::state::{Stage, State};

impl Lifecycle {
    /// Counts one more alive; `false` when newcomers are refused.
    #[inline]
    pub(crate) fn arrive(&self, stage: Stage) -> bool {
        let welcome = self.alive[stage.index()].arrive();
        if !welcome {
            self.leave(stage);
        }
        welcome
    }

    /// Counts one less.
    #[inline]
    pub(crate) fn leave(&self, stage: Stage) {
        if self.alive[stage.index()].leave() {
            self.note_change();
        }
    }

    /// Notes when a worker of this entry ended, in a stop.
    #[cold]
    pub(crate) fn note_end(&self, entry: &Entry) {
        if let Some(budget) = self.budget() {
            let after = u32::try_from((self.now() - budget.asked()).as_millis()).unwrap_or(u32::MAX);
            entry.ended_at.fetch_max(after.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Has the coordinator tell those who wait for something to change: a waker of theirs may block, and must not
    /// do so on the thread of a worker, of main or of the watch.
    #[cold]
    pub(crate) fn note_change(&self) {
        self.has_news.store(true, Ordering::Release);
        self.wake_driver();
    }

    /// Tells those who wait, if there is news. For whoever drives the stop.
    pub(crate) fn announce_changes(self: &Arc<Self>) {
        if self.has_news.swap(false, Ordering::AcqRel) {
            self.notify_waiters();
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> LifeId {
        LifeId::of(self)
    }

    /// The polls under way, by thread.
    pub(crate) fn polls(&self) -> Vec<(Arc<ThreadRecord>, Poll)> {
        self.threads.polls(self.id())
    }

    /// The same, to be looked at later.
    pub(crate) fn sample(&self) -> Sample {
        Sample::of(self.polls())
    }

    /// In which tick a worker of this entry was last polled, as far as the threads remember.
    pub(crate) fn last_polled(&self, entry: EntryId) -> Option<u32> {
        self.threads.last_polled(self.id(), entry)
    }

    /// How many are alive: workers, holds, and main.
    pub(crate) fn alive(&self) -> usize {
        self.alive.iter().map(Tracker::count).sum()
    }

    /// How many workers and holds are alive.
    pub(crate) fn workers_alive(&self) -> usize {
        self.alive().saturating_sub(usize::from(self.is_main_alive()))
    }

    /// Whether nobody is left in these stages, no result of anybody, and everybody has been told who is to be. From then on
    /// newcomers to them are refused.
    pub(crate) fn close_if_empty(&self, stages: &[Stage]) -> bool {
        let alive = |stage: &Stage| &self.alive[stage.index()];
        !self.is_dropping()
            && !self.runs_wakers()
            && stages.iter().all(|stage| alive(stage).count() == 0)
            && stages.iter().rev().all(|stage| alive(stage).close_if_empty())
    }

    /// From now on, a count that becomes small rings the bell.
    pub(crate) fn watch_alive(&self) {
        self.alive.iter().for_each(Tracker::watch);
    }

    /// Resolves when no worker is left but `me`.
    pub(crate) async fn idle(&self, me: usize) {
        self.watch_alive();
        self.until(|| self.workers_alive() <= me).await;
    }

    /// Whether everybody is gone, and no result of anybody is being dropped.
    pub(crate) fn is_deserted(&self) -> bool {
        self.alive() == 0 && !self.is_dropping()
    }

    pub(crate) fn is_main_alive(&self) -> bool {
        self.main_alive.load(Ordering::Acquire)
    }

    /// Main waits, and this wakes it.
    pub(crate) fn main_waits(&self, waker: &Waker) {
        let _ = self.main_waker.set(waker.clone());
    }

    /// Has main polled once more, if it waits.
    pub(crate) fn wake_main(&self) {
        if let Some(waker) = self.main_waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn main_gone(&self) {
        self.main_alive.store(false, Ordering::Release);
        self.leave(Stage::Main);
        self.end_drain();
    }

    pub(crate) fn result_left(&self, entry: EntryId) {
        self.registry.get(entry).results.fetch_add(1, Ordering::AcqRel);
        self.results.leave();
    }

    /// Somebody took a result that had been left.
    pub(crate) fn result_taken(&self, entry: EntryId) {
        self.registry.get(entry).results.fetch_sub(1, Ordering::AcqRel);
        self.results.take();
    }

    pub(crate) fn result_dropping(&self) {
        self.results.begin_dropping();
    }

    pub(crate) fn result_dropped(&self, entry: EntryId) {
        self.registry.get(entry).results.fetch_sub(1, Ordering::AcqRel);
        // The other half is in `close_if_empty`: one of the two sees what the other has written.
        let is_stopping = || self.word.load(Ordering::SeqCst) & STATE >= State::Draining as u32;
        if self.results.end_dropping() && is_stopping() {
            self.wake_driver();
        }
    }

    pub(crate) fn is_dropping(&self) -> bool {
        self.results.are_dropping()
    }

    /// Whether no result can still be on its way from its worker to its end: none was left behind, no task is alive that
    /// could be dropping one, or no thread is at a task.
    pub(crate) fn is_settled(&self) -> bool {
        self.results.are_gone() || self.tasks_alive() == 0 || self.is_asleep()
    }

    /// Whether the threads that run tasks are at none, but for the one that asks. A thread that has run a worker to its
    /// end is done with the result before it goes to sleep.
    fn is_asleep(&self) -> bool {
        let Some(runtime) = self.built_runtime() else {
            return true;
        };
        let is_here = Handle::try_current().is_ok_and(|here| here.id() == runtime.id());
        if is_here && runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return true;
        }
        let me = usize::from(is_here && tokio::task::try_id().is_some());
        awake(&runtime.metrics()) <= me
    }

    /// How many tasks are alive on the runtime, workers or not; ours aside.
    pub(crate) fn tasks_alive(&self) -> usize {
        let runtime = self.built_runtime();
        let tasks = runtime.map_or(0, |runtime| runtime.metrics().num_alive_tasks());
        #[cfg(all(unix, feature = "systemd"))]
        let tasks = tasks.saturating_sub(self.systemd.tasks());
        tasks
    }

    /// Waits for something that `changed` announces.
    pub(crate) async fn until(&self, reached: impl Fn() -> bool) {
        self.has_waiters.store(true, Ordering::SeqCst);
        loop {
            let changed = self.changed.notified();
            if reached() {
                return;
            }
            changed.await;
        }
    }

    /// Wakes whoever drives the stop.
    pub(crate) fn wake_driver(&self) {
        if self.settings.is_test {
            self.test_driver.notify_one();
        } else {
            self.wakeup.wake();
        }
    }

    /// Tells those who wait for something to change.
    pub(crate) fn notify_waiters(self: &Arc<Self>) {
        if self.has_waiters.load(Ordering::SeqCst) {
            self.call_wakers(|life| life.changed.notify_waiters());
        }
    }

    /// The wake-up call of whoever drives the stop of a test.
    pub(crate) async fn driver_woken(&self) {
        self.test_driver.notified().await;
    }
}

/// How many threads of a runtime are not parked. Each counts a park and the end of one.
#[cfg(target_has_atomic = "64")]
fn awake(runtime: &RuntimeMetrics) -> usize {
    (0..runtime.num_workers()).filter(|worker| runtime.worker_park_unpark_count(*worker).is_multiple_of(2)).count()
}

/// Where that cannot be counted, all of them may be.
#[cfg(not(target_has_atomic = "64"))]
fn awake(runtime: &RuntimeMetrics) -> usize {
    runtime.num_workers() + 1
}
