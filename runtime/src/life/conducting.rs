//! What is left of a stop to be conducted, and which thread goes on with it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use crate::os::signal::Nudge;

/// What is left of a stop to be conducted.
pub(crate) type Stop = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// The stop, to be conducted by whoever goes on with it.
#[derive(Default)]
pub(crate) struct Conducting {
    pub(crate) stop: Mutex<Stop>,
    /// Somebody has to go on with it.
    pub(crate) is_due: AtomicBool,
    /// The thread that does, once there is one.
    pub(crate) coordinator: OnceLock<Thread>,
}

impl Conducting {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Acquire)
    }

    /// Whether the coordinator has to be started: there is something to do, and nobody is at it. One that was called
    /// while it started may not have heard it, and is called again.
    pub(crate) fn is_left(&self) -> bool {
        if !self.is_due() {
            return false;
        }
        if let Some(coordinator) = self.coordinator.get() {
            coordinator.unpark();
            return false;
        }
        self.stop.try_lock().is_ok_and(|stop| stop.is_some())
    }

    /// Has somebody go on with it.
    pub(crate) fn call(&self, nudge: &Nudge) {
        self.is_due.store(true, Ordering::Release);
        match self.coordinator.get() {
            Some(coordinator) => coordinator.unpark(),
            None => nudge.nudge(),
        }
    }
}

impl fmt::Debug for Conducting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conducting").finish_non_exhaustive()
    }
}
