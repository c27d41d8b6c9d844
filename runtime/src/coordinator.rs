//! Who conducts the stop, and how they wait.
//!
//! A thread of our own does, the coordinator, so that a user's task that never yields cannot hold the stop up. The watch
//! starts it when there is something to do that main's thread does not do in a moment: where main was the last to end,
//! it goes on with the stop itself. A user's waker that blocks can hold them up: the watch does not wait for them.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};

use tokio::time::Instant;

use crate::beside;
use crate::lifecycle::Lifecycle;
use crate::patience;
use crate::stop;

/// What is left of a stop to be conducted.
type Stop = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// The stop, to be conducted by whoever goes on with it.
#[derive(Default)]
pub(crate) struct Conducting {
    stop: Mutex<Stop>,
    /// Somebody has to go on with it.
    is_due: AtomicBool,
    /// The thread that does, once there is one.
    coordinator: OnceLock<Thread>,
}

impl Conducting {
    /// Has the stop listen for its cause.
    pub(crate) fn prepare(life: &Arc<Lifecycle>) {
        let mut stop = life.conducting.lock();
        *stop = Some(Box::pin(stop::conduct(Arc::clone(life), Clock::Thread)));
        let _ = go_on(life, &mut stop);
    }

    fn lock(&self) -> MutexGuard<'_, Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self) -> bool {
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

    /// Starts the coordinator. For the watch.
    pub(crate) fn start(life: &Arc<Lifecycle>) -> io::Result<()> {
        let mine = Arc::clone(life);
        let thread = beside::start("graceful-stop", Box::new(move || conduct(&mine)))?;
        life.conducting.coordinator.get_or_init(|| thread);
        Ok(())
    }

    /// Goes on with the stop as far as that is possible now, unless somebody is at it.
    pub(crate) fn go_on(life: &Arc<Lifecycle>) {
        let Ok(mut stop) = life.conducting.stop.try_lock() else {
            return;
        };
        let progress = go_on(life, &mut stop);
        // Whoever is called looks whether somebody is at it.
        drop(stop);
        if progress.is_pending() {
            // When it wants to be woken only the coordinator can see to.
            life.conducting.call(life);
        }
    }

    /// Has somebody go on with it.
    pub(crate) fn call(&self, life: &Lifecycle) {
        self.is_due.store(true, Ordering::Release);
        match self.coordinator.get() {
            Some(coordinator) => coordinator.unpark(),
            None => life.nudge.nudge(),
        }
    }
}

/// Whoever the stop waits for calls those who conduct it.
impl Wake for Lifecycle {
    fn wake(self: Arc<Self>) {
        self.conducting.call(&self);
    }
}

/// Goes on with a stop as far as that is possible now, and drops it when it is over.
fn go_on(life: &Arc<Lifecycle>, stop: &mut Stop) -> Poll<()> {
    life.conducting.is_due.store(false, Ordering::Release);
    if let Some(conduct) = stop {
        let waker = Waker::from(Arc::clone(life));
        ready!(conduct.as_mut().poll(&mut Context::from_waker(&waker)));
        *stop = None;
    }
    Poll::Ready(())
}

impl fmt::Debug for Conducting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conducting").finish_non_exhaustive()
    }
}

/// What the conducting code waits with: the thread's own parking, or the timer of a test's runtime, which
/// may be paused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    Thread,
    Tokio,
}

impl Clock {
    fn now(self) -> Instant {
        match self {
            Self::Thread => Instant::from_std(std::time::Instant::now()),
            Self::Tokio => Instant::now(),
        }
    }

    /// Waits for `event`, until `deadline` at the latest.
    pub(crate) async fn sleep(self, deadline: Option<Instant>, event: impl Future<Output = ()>) {
        let mut event = pin!(event);
        match (self, deadline) {
            (_, None) => event.await,
            (Self::Thread, Some(deadline)) => {
                poll_fn(|context| {
                    if event.as_mut().poll(context).is_ready() || deadline <= self.now() {
                        return Poll::Ready(());
                    }
                    WAKE_AT.set(Some(deadline));
                    Poll::Pending
                })
                .await;
            }
            (Self::Tokio, Some(deadline)) => drop(tokio::time::timeout_at(deadline, event).await),
        }
    }

    /// In a test, lets the tasks that are due at this very instant run.
    pub(crate) async fn let_others_run(self) {
        if let Self::Tokio = self {
            tokio::task::yield_now().await;
        }
    }
}

thread_local! {
    /// When the coordinator's thread wants to be woken, set by the poll before it parks.
    static WAKE_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Polls the stop on this thread, parking in between: no runtime, no timer wheel. The thread stays until the lifecycle
/// is over, or the process: where it ended first it would be in the way.
fn conduct(life: &Arc<Lifecycle>) {
    // Before it looks for the first time: who calls after that finds it.
    life.conducting.coordinator.get_or_init(thread::current);
    let is_due = || life.conducting.is_due();
    while !life.is_over() {
        let _ = go_on(life, &mut life.conducting.lock());
        let until = WAKE_AT.take();
        if until.is_some() {
            // The stop has begun, and what it waits for may be about to come.
            patience::spin_while(|| !is_due());
        }
        match until {
            _ if is_due() => {}
            None => thread::park(),
            Some(at) => thread::park_timeout(at.saturating_duration_since(Clock::Thread.now())),
        }
    }
}
