//! Where those who change something leave word of it for systemd's thread (feature `systemd`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::state::State;

/// Where those who change something leave word of it.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    news: Mutex<News>,
    rung: Condvar,
    /// Set while a task of ours is to answer a ping: it is nobody's untracked one.
    is_asking: AtomicBool,
}

/// What happened since the teller looked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct News {
    pub(crate) has_changed: bool,
    /// Set when the service was ready, be it for a moment.
    pub(crate) was_ready: bool,
    /// Set when the runtime has answered a ping.
    pub(crate) has_answered: bool,
    pub(crate) teller: Presence,
}

/// What the thread does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Presence {
    /// There is none.
    #[default]
    Absent,
    Busy,
    Waiting,
}

impl Doorbell {
    /// The lifecycle has come to this state.
    pub(crate) fn ring(&self, state: State) {
        self.leave(|news| news.was_ready |= state == State::Ready);
    }

    /// Waits until everything was told, for `limit` at the most.
    pub(crate) fn finish(&self, limit: Duration) {
        let is_telling = |news: &mut News| match news.teller {
            Presence::Absent => false,
            Presence::Busy => true,
            Presence::Waiting => news.has_changed,
        };
        drop(self.rung.wait_timeout_while(self.lock(), limit, is_telling));
    }

    /// How many tasks on the runtime are ours.
    pub(crate) fn tasks(&self) -> usize {
        usize::from(self.is_asking.load(Ordering::Acquire))
    }

    /// Whether the runtime is to be asked for an answer: it owes none yet.
    pub(crate) fn ask(&self) -> bool {
        !self.is_asking.swap(true, Ordering::AcqRel)
    }

    /// The runtime has run our task.
    pub(crate) fn answer(&self) {
        self.is_asking.store(false, Ordering::Release);
        self.leave(|news| news.has_answered = true);
    }

    pub(crate) fn leave(&self, word: impl FnOnce(&mut News)) {
        let mut news = self.lock();
        news.has_changed = true;
        word(&mut news);
        drop(news);
        self.rung.notify_all();
    }

    /// Waits for news, for `limit` at the most, and takes it.
    pub(crate) fn wait(&self, limit: Duration) -> News {
        let mut news = self.lock();
        news.teller = Presence::Waiting;
        self.rung.notify_all();
        let has_none = |news: &mut News| !news.has_changed;
        let waited = self.rung.wait_timeout_while(news, limit, has_none);
        let (mut news, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let taken = *news;
        news.has_changed = false;
        news.has_answered = false;
        news.teller = Presence::Busy;
        taken
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
