//! What the conducting code waits with: the thread's own parking, or the timer of a test's runtime.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::time::Instant;

/// What the conducting code waits with: the thread's own parking, or the timer of a test's runtime, which
/// may be paused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    Thread,
    Tokio,
}

impl Clock {
    pub(crate) fn now(self) -> Instant {
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
    pub(crate) static WAKE_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}
