//! The last part of a lifecycle: whose code main's thread runs, and what is dropped last.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::life::exit_functions::ExitFunctions;
use crate::os::lock::Lock;

/// Whose code main's thread runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum MainsThread {
    /// The user's, or possibly the user's.
    #[default]
    Users,
    /// The user's, since then: all workers have ended, and only destructors and exit handlers are left.
    Leaving(Instant),
    /// Ours, on the way out. Only an overloaded machine can hold it up.
    Ours,
}

#[derive(Debug)]
pub(crate) struct Teardown {
    /// As main's thread last set it.
    mains_thread: Lock<MainsThread>,
    /// What is dropped last of all; `None` once that has happened.
    kept: Lock<Option<Vec<Box<dyn Any + Send>>>>,
    /// What runs last, on whatever way out.
    pub(crate) exit_functions: ExitFunctions,
    /// Set when the lifecycle is over and the watch ends.
    over: AtomicBool,
}

impl Default for Teardown {
    fn default() -> Self {
        Self {
            mains_thread: Lock::default(),
            kept: Lock::new(Some(Vec::new())),
            exit_functions: ExitFunctions::default(),
            over: AtomicBool::new(false),
        }
    }
}

impl Teardown {
    pub(crate) fn mains_thread_is_at(&self, code: MainsThread) {
        *self.mains_thread.lock() = code;
    }

    pub(super) fn mains_thread(&self) -> MainsThread {
        *self.mains_thread.lock()
    }

    /// Runs code of the user's on main's thread, once all workers have ended.
    pub(crate) fn leave_to_the_user<T>(&self, run: impl FnOnce() -> T) -> T {
        self.mains_thread_is_at(MainsThread::Leaving(Instant::now()));
        let result = run();
        self.mains_thread_is_at(MainsThread::Ours);
        result
    }

    /// Keeps a value, or drops it here when it is too late.
    pub(crate) fn keep(&self, value: Box<dyn Any + Send>) {
        let mut kept = self.kept.lock();
        let too_late = match &mut *kept {
            Some(kept) => {
                kept.push(value);
                None
            }
            None => Some(value),
        };
        drop(kept);
        drop(too_late);
    }

    /// What was kept, in the order in which it is dropped: the last first.
    pub(crate) fn take_kept(&self) -> impl Iterator<Item = Box<dyn Any + Send>> {
        let mut kept = self.kept.lock();
        kept.take().unwrap_or_default().into_iter().rev()
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
