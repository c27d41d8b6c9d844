//! The thread that conducts the stop, and how it waits.
//!
//! It is a thread of our own, so that a user's task that never yields cannot hold the stop up. A user's waker
//! that blocks can: the watch does not wait for it.

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

/// Starts the coordinator's thread.
pub(crate) fn start(
    life: &Arc<Lifecycle>,
    prepare: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let conducting = Box::pin(stop::conduct(Arc::clone(life), Clock::Thread));
    *life.conducting.lock() = Some(conducting);
    let life = Arc::clone(life);
    let run = move || {
        prepare();
        conduct(&life);
    };
    beside::start("graceful-stop", Box::new(run))
}

/// What is left of a stop to be conducted.
type Stop = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// The stop while it is being conducted: by the coordinator, or, for as long as there is nothing to wait for, by main's
/// thread.
#[derive(Default)]
pub(crate) struct Conducting {
    stop: Mutex<Stop>,
    /// Wakes the coordinator, from when its thread runs.
    coordinator: OnceLock<Waker>,
}

impl Conducting {
    fn lock(&self) -> MutexGuard<'_, Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the coordinator home.
    pub(crate) fn end(&self) {
        if let Some(coordinator) = self.coordinator.get() {
            coordinator.wake_by_ref();
        }
    }

    /// Goes on with the stop as far as that is possible now, unless the coordinator is at it. For main's thread, which
    /// would wait for the coordinator to wake and to do the same.
    pub(crate) fn go_on(&self) {
        let (Ok(mut stop), Some(coordinator)) = (self.stop.try_lock(), self.coordinator.get())
        else {
            return;
        };
        if go_on(&mut stop, coordinator).is_pending() {
            // When it wants to be woken only the coordinator can see to.
            coordinator.wake_by_ref();
        }
    }
}

/// Goes on with a stop as far as that is possible now, and drops it when it is over.
fn go_on(stop: &mut Stop, coordinator: &Waker) -> Poll<()> {
    if let Some(conduct) = stop {
        ready!(conduct.as_mut().poll(&mut Context::from_waker(coordinator)));
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
    /// Waits for `event`, until `deadline` at the latest.
    pub(crate) async fn sleep(self, deadline: Option<Instant>, event: impl Future<Output = ()>) {
        let mut event = pin!(event);
        match (self, deadline) {
            (_, None) => event.await,
            (Self::Thread, Some(deadline)) => {
                poll_fn(|context| {
                    if event.as_mut().poll(context).is_ready() || deadline <= Instant::now() {
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
fn conduct(life: &Lifecycle) {
    let calls = Arc::new(Calls {
        thread: thread::current(),
        came: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&calls));
    let waker = life.conducting.coordinator.get_or_init(|| waker);
    while !life.is_over() {
        let _ = go_on(&mut life.conducting.lock(), waker);
        let until = WAKE_AT.take();
        if until.is_some() {
            // The stop has begun, and what it waits for may be about to come.
            patience::spin_while(|| !calls.came.load(Ordering::Acquire));
        }
        if calls.came.swap(false, Ordering::AcqRel) {
            continue;
        }
        match until {
            None => thread::park(),
            Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
        }
    }
}

/// Wakes this thread, which may not be asleep.
struct Calls {
    thread: Thread,
    /// Somebody did since the last poll.
    came: AtomicBool,
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.came.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
