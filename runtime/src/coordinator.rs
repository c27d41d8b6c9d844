//! The thread that conducts the stop, and how it waits.
//!
//! It is a thread of our own, so that a user's task that never yields cannot hold the stop up. A user's waker
//! that blocks can: the watch does not wait for it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::time::Instant;

use crate::lifecycle::Lifecycle;
use crate::stop;

/// Starts the coordinator's thread.
pub(crate) fn start(
    life: &Arc<Lifecycle>,
    prepare: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let life = Arc::clone(life);
    let run = move || {
        prepare();
        block_on(stop::conduct(life, Clock::Thread));
    };
    thread::Builder::new()
        .name("graceful-stop".to_owned())
        .spawn(run)
        .map(drop)
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

/// Polls `future` on this thread, parking in between: no runtime, no timer wheel.
fn block_on(future: impl Future<Output = ()>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    while future.as_mut().poll(&mut context).is_pending() {
        match WAKE_AT.take() {
            None => thread::park(),
            Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
