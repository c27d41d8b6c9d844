//! How the thread that notifies systemd learns of changes (feature `systemd`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::state::State;

/// Wakes the thread that notifies systemd, and keeps what changed until it takes it.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    changes: Mutex<Changes>,
    more: Condvar,
    /// Set while a task of ours has yet to answer a ping: it does not count as untracked.
    is_asking: AtomicBool,
}

/// What happened since the thread last took the changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) has_changed: bool,
    /// Set when the service was ready, be it for a moment.
    pub(crate) was_ready: bool,
    /// Set when the runtime has answered a ping.
    pub(crate) has_answered: bool,
    /// What the stop waits for, when a line has said it.
    pub(crate) waits_for: Option<String>,
    pub(crate) thread: ThreadState,
}

/// What the thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ThreadState {
    /// It was not started.
    #[default]
    Absent,
    Busy,
    Waiting,
}

impl Doorbell {
    /// The lifecycle has come to this state.
    pub(crate) fn note_state(&self, state: State) {
        self.leave(|changes| changes.was_ready |= state == State::Ready);
    }

    /// Waits until systemd was notified of everything, for `limit` at the most.
    pub(crate) fn finish(&self, limit: Duration) {
        let is_notifying = |changes: &mut Changes| match changes.thread {
            ThreadState::Absent => false,
            ThreadState::Busy => true,
            ThreadState::Waiting => changes.has_changed,
        };
        drop(self.more.wait_timeout_while(self.lock(), limit, is_notifying));
    }

    /// How many tasks on the runtime are ours.
    pub(crate) fn tasks(&self) -> usize {
        usize::from(self.is_asking.load(Ordering::Acquire))
    }

    /// Whether to ping the runtime: no earlier ping is unanswered.
    pub(crate) fn ask(&self) -> bool {
        !self.is_asking.swap(true, Ordering::AcqRel)
    }

    /// The runtime has run our task.
    pub(crate) fn answer(&self) {
        self.is_asking.store(false, Ordering::Release);
        self.leave(|changes| changes.has_answered = true);
    }

    pub(crate) fn leave(&self, change: impl FnOnce(&mut Changes)) {
        let mut changes = self.lock();
        changes.has_changed = true;
        change(&mut changes);
        drop(changes);
        self.more.notify_all();
    }

    /// Waits for changes, for `limit` at the most, and takes them.
    pub(crate) fn wait(&self, limit: Duration) -> Changes {
        let mut changes = self.lock();
        changes.thread = ThreadState::Waiting;
        self.more.notify_all();
        let has_none = |changes: &mut Changes| !changes.has_changed;
        let waited = self.more.wait_timeout_while(changes, limit, has_none);
        let (mut changes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *changes);
        changes.thread = ThreadState::Busy;
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
