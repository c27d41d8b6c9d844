//! SIGHUP as a stream of requests to read the configuration again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::life::lifecycle::Lifecycle;
use crate::model::state::State;
use crate::os::signal::Signal;
use crate::say::refusals;
use crate::work::ambient::Caller;

/// SIGHUP as a stream that ends when a stop is asked for.
///
/// From the first call on the process handles SIGHUP; before it, and in a process that never calls this, SIGHUP keeps
/// its default action. Several that arrive close together may be one. In a test none ever arrives.
///
/// A reload is done when every stream has been polled for the next one, or dropped: read the configuration before you ask
/// again, as a loop over the stream does. With the feature `systemd`, and once the service is [`ready`](crate::ready()),
/// systemd is notified when a reload begins and when it is done, so that `systemctl reload` returns then in a unit of
/// `Type=notify-reload`, and `systemctl status` says `reloading` meanwhile in one of `Type=notify`. A stream that is kept
/// and not polled holds that up.
///
/// # Panics
///
/// At the caller's line: outside any lifecycle, when SIGHUP is among the signals that ask for the stop or for an upgrade,
/// and when the system refuses the handler.
#[track_caller]
pub fn reloads() -> Reloads {
    let life = Caller::expect("reloads()").life;
    assert!(!life.settings.signals.contains(&Signal::Hangup), "{}", refusals::SIGHUP_STOPS);
    assert!(!life.settings.upgrades_at(Signal::Hangup), "{}", refusals::SIGHUP_UPGRADES);
    if !life.settings.is_test
        && let Err(error) = life.listeners.reloads.listen(&life.notifier.wakeup)
    {
        panic!("graceful: {}", refusals::no_handler(Signal::Hangup, &error));
    }
    let done = life.listeners.reloads.join();
    Reloads { seen: done.load(Ordering::Relaxed), done, next: None, life }
}

/// The stream [`reloads`] returns.
pub struct Reloads {
    life: Arc<Lifecycle>,
    /// How many had arrived when the last was returned.
    seen: u64,
    /// Up to which one the caller is done: those before the last, until the next is asked for.
    done: Arc<AtomicU64>,
    /// The wait for the next one.
    next: Option<Pin<Box<dyn Future<Output = Option<u64>> + Send>>>,
}

impl Reloads {
    /// Waits for the next SIGHUP. `None` once a stop was asked for.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn recv(&mut self) -> Option<()> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Reloads {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<()>> {
        let this = &mut *self;
        if this.done.load(Ordering::Relaxed) < this.seen {
            this.done.store(this.seen, Ordering::Release);
            this.life.listeners.note_reload();
        }
        let next = this.next.get_or_insert_with(|| {
            let (life, seen) = (Arc::clone(&this.life), this.seen);
            Box::pin(async move { next(&life, seen).await })
        });
        let count = std::task::ready!(next.as_mut().poll(context));
        this.next = None;
        this.seen = count.unwrap_or(this.seen);
        Poll::Ready(count.map(drop))
    }
}

impl Drop for Reloads {
    fn drop(&mut self) {
        self.done.store(u64::MAX, Ordering::Release);
        self.life.listeners.note_reload();
    }
}

impl std::fmt::Debug for Reloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloads").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// The count of reloads once it is beyond `seen`; `None` once a stop was asked for.
async fn next(life: &Lifecycle, seen: u64) -> Option<u64> {
    life.notifier.until(|| life.listeners.reloads.count() != seen || life.phase.state() >= State::Draining).await;
    Some(life.listeners.reloads.count()).filter(|count| *count != seen && life.phase.state() < State::Draining)
}
