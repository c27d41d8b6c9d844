//! Who conducts the stop, and how they wait.
//!
//! A thread of our own does, the coordinator, so that a user's task that never yields cannot hold the stop up. The watch
//! starts it when there is something to do that main's thread does not do in a moment: where main was the last to end,
//! it goes on with the stop itself. A user's waker that blocks can hold them up: the watch does not wait for them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self};

use crate::life::conducting::Stop;
use crate::life::lifecycle::{Lifecycle, MainsThread};
use crate::model::state::{Cause, State};
use crate::os::{spin, threads};
use crate::stop::clock::{Clock, WAKE_AT};
use crate::stop::conduct;

/// Has the stop listen for its cause.
pub(crate) fn prepare(life: &Arc<Lifecycle>) {
    let mut stop = life.conducting.lock();
    *stop = Some(Box::pin(conduct::conduct(Arc::clone(life), Clock::Thread)));
    let _ = advance(life, &mut stop);
}

/// Starts the coordinator. For the watch.
pub(crate) fn start(life: &Arc<Lifecycle>) -> io::Result<()> {
    let mine = Arc::clone(life);
    let thread = threads::start("graceful-stop", Box::new(move || conduct(&mine)))?;
    life.conducting.coordinator.get_or_init(|| thread);
    Ok(())
}

/// Goes on with the stop as far as that is possible now, unless somebody is at it.
pub(crate) fn go_on(life: &Arc<Lifecycle>) {
    let Ok(mut stop) = life.conducting.stop.try_lock() else {
        return;
    };
    let progress = advance(life, &mut stop);
    // Whoever is called looks whether somebody is at it.
    drop(stop);
    if progress.is_pending() {
        // When it wants to be woken only the coordinator can see to.
        life.conducting.call(&life.nudge);
    }
}

/// Resolves when everybody was joined or aborted. For main's thread alone.
pub(crate) async fn joined(life: &Arc<Lifecycle>) {
    let runs_tasks = life.is_on_one_thread();
    life.mains_thread_is_at(MainsThread::Ours);
    if life.is_deserted() {
        go_on(life);
        // Where the coordinator is at it, it needs no longer than a thread to go to sleep and wake.
        spin::spin_while(|| life.is_deserted() && life.state() < State::Stopped);
    } else if runs_tasks && !matches!(life.cause(), Some(Cause::MainEnded)) {
        // The coordinator is about to, from outside the runtime, where it costs more. Those whom main's end leaves
        // behind it names first.
        life.seats.wake_those(|_, of| life.is_cancelled(of));
    }
    if runs_tasks && life.state() < State::Stopped {
        life.mains_thread_is_at(MainsThread::Users);
    }
    life.done.notified().await;
    life.mains_thread_is_at(MainsThread::Ours);
}

/// Whoever the stop waits for calls those who conduct it.
impl Wake for Lifecycle {
    fn wake(self: Arc<Self>) {
        self.conducting.call(&self.nudge);
    }
}

/// Goes on with a stop as far as that is possible now, and drops it when it is over.
fn advance(life: &Arc<Lifecycle>, stop: &mut Stop) -> Poll<()> {
    life.conducting.is_due.store(false, Ordering::Release);
    if let Some(conduct) = stop {
        let waker = Waker::from(Arc::clone(life));
        ready!(conduct.as_mut().poll(&mut Context::from_waker(&waker)));
        *stop = None;
    }
    Poll::Ready(())
}

/// Polls the stop on this thread, parking in between: no runtime, no timer wheel. The thread stays until the lifecycle
/// is over, or the process: where it ended first it would be in the way.
fn conduct(life: &Arc<Lifecycle>) {
    // Before it looks for the first time: who calls after that finds it.
    life.conducting.coordinator.get_or_init(thread::current);
    let is_due = || life.conducting.is_due();
    while !life.is_over() {
        let _ = advance(life, &mut life.conducting.lock());
        let until = WAKE_AT.take();
        if until.is_some() {
            // The stop has begun, and what it waits for may be about to come.
            spin::spin_while(|| !is_due());
        }
        match until {
            _ if is_due() => {}
            None => thread::park(),
            Some(at) => thread::park_timeout(at.saturating_duration_since(Clock::Thread.now())),
        }
    }
}
