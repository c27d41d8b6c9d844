//! The driver of the stop: the watch, or main's thread for what is left when main was the last to end. In a test, a
//! task.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Instant, timeout_at};

use crate::life::lifecycle::Lifecycle;
use crate::life::teardown::MainsThread;
use crate::model::state::{Cause, State};
use crate::os::spin;
use crate::stop::conduct::{Next, Stop};

/// A stop, which one thread at a time goes on with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Driver(Arc<Mutex<Stop>>);

impl Driver {
    /// Goes on with the stop as far as possible now. Returns when the next step is due even if nothing wakes the
    /// driver. If another thread is in here, it wakes the watch afterwards.
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

    /// Resolves when everything was joined or aborted. Only main's thread calls it.
    pub(crate) async fn joined(&self, life: &Arc<Lifecycle>) {
        let runs_tasks = life.runtime.is_on_one_thread();
        life.teardown.mains_thread_is_at(MainsThread::Ours);
        if life.members.are_gone() {
            // Nothing is left to wait for: main's thread would only wait for the watch to do the same.
            if !life.settings.is_test {
                self.advance(life);
            }
            // The watch does the rest when it is due, and what it was woken for meanwhile.
            life.notifier.wake_driver();
            spin::spin_while(|| life.members.are_gone() && life.phase.state() < State::Stopped);
        } else if runs_tasks && !matches!(life.phase.cause(), Some(Cause::MainEnded)) {
            // The watch is about to wake them from outside the runtime, which costs more. If main's end caused the
            // stop, the watch first names the workers that are left.
            life.wake_told(|stage| life.phase.is_cancelled(stage));
        }
        if runs_tasks {
            life.teardown.mains_thread_is_at(MainsThread::Users);
        }
        life.notifier.main_may_go().await;
        life.teardown.mains_thread_is_at(MainsThread::Ours);
    }

    /// Drives the stop of a test, on the test's clock. Tasks that are due at the same instant run between two steps.
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
