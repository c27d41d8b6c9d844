//! Who drives the stop: the watch, with main's thread for what is left when main was the last to end. In a test, a task.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Instant, timeout_at};

use crate::life::lifecycle::Lifecycle;
use crate::life::teardown::MainsThread;
use crate::model::state::{Cause, State};
use crate::os::spin;
use crate::stop::conduct::{Next, Stop};

/// A stop, for whoever goes on with it: one at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Driver(Arc<Mutex<Stop>>);

impl Driver {
    /// Goes on with the stop as far as that is possible now. Returns when the driver wants to go on without being
    /// woken. Where somebody else is at it, that one wakes the watch afterwards.
    pub(crate) fn advance(&self, life: &Arc<Lifecycle>) -> Option<Instant> {
        let mut stop = match self.0.try_lock() {
            Ok(stop) => stop,
            Err(std::sync::TryLockError::Poisoned(stop)) => stop.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        loop {
            match stop.advance(life) {
                Next::Step => {}
                Next::Wait(until) => return until,
                Next::Nothing => return None,
            }
        }
    }

    /// Resolves when everybody was joined or aborted. For main's thread alone.
    pub(crate) async fn joined(&self, life: &Arc<Lifecycle>) {
        let runs_tasks = life.runtime.is_on_one_thread();
        life.teardown.mains_thread_is_at(MainsThread::Ours);
        if life.members.are_gone() {
            // Nobody is left to be waited for: it would only wait for the watch to do the same.
            if !life.settings.is_test {
                self.advance(life);
            }
            // For when the rest is due; and for what the watch was woken for meanwhile.
            life.notifier.wake_driver();
            spin::spin_while(|| life.members.are_gone() && life.phase.state() < State::Stopped);
        } else if runs_tasks && !matches!(life.phase.cause(), Some(Cause::MainEnded)) {
            // The watch is about to, from outside the runtime, where it costs more. Those whom main's end leaves
            // behind it names first.
            life.slots.wake_those(|_, of| life.phase.is_cancelled(of));
        }
        if runs_tasks {
            life.teardown.mains_thread_is_at(MainsThread::Users);
        }
        life.notifier.main_may_go().await;
        life.teardown.mains_thread_is_at(MainsThread::Ours);
    }

    /// Drives the stop of a test, on the test's clock. Between two steps the tasks run that are due at that instant.
    pub(crate) async fn drive(self, life: Arc<Lifecycle>) {
        loop {
            let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).advance(&life);
            match next {
                Next::Step => tokio::task::yield_now().await,
                Next::Wait(None) => life.notifier.driver_woken().await,
                Next::Wait(Some(until)) => drop(timeout_at(until, life.notifier.driver_woken()).await),
                Next::Nothing => return,
            }
        }
    }
}
