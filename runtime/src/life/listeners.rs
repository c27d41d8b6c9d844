//! What follows a lifecycle from outside: reloads, systemd, the recorder of metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::model::state::State;
use crate::os::lock::Lock;
use crate::os::signal::Handlers;
use crate::os::signal::Signal;
use crate::os::signal::Wakeup;

/// The SIGHUPs that ask for a reload.
#[derive(Default)]
pub(crate) struct Reloading {
    count: AtomicU64,
    handlers: Lock<Option<Handlers>>,
    /// Up to which reload each stream is done.
    streams: Lock<Vec<Weak<AtomicU64>>>,
}

impl Reloading {
    pub(crate) fn listen(&self, wakeup: &Wakeup) -> std::io::Result<()> {
        let mut handlers = self.handlers.lock();
        if handlers.is_none() {
            *handlers = Some(Handlers::of(Signal::Hangup, wakeup)?);
        }
        Ok(())
    }

    /// Removes the handler: the signal has its default meaning again.
    pub(crate) fn end(&self) {
        drop(self.handlers.lock().take());
    }

    /// Counts one more.
    pub(crate) fn add(&self) {
        self.count.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// One more stream of them, which stores here up to which reload it is done: all that there were.
    pub(crate) fn join(&self) -> Arc<AtomicU64> {
        let done = Arc::new(AtomicU64::new(self.count()));
        self.streams.lock().push(Arc::downgrade(&done));
        done
    }

    /// Whether no stream has a reload to take, or to be done with.
    #[cfg_attr(not(all(unix, feature = "systemd")), allow(dead_code))]
    pub(crate) fn are_done(&self) -> bool {
        let mut streams = self.streams.lock();
        streams.retain(|stream| stream.strong_count() > 0);
        let count = self.count();
        streams.iter().filter_map(Weak::upgrade).all(|done| done.load(Ordering::Acquire) >= count)
    }
}

impl std::fmt::Debug for Reloading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reloading").field(&self.count).finish()
    }
}

/// Whether metrics are about to be published.
#[cfg(feature = "metrics")]
#[derive(Debug, Default)]
pub(crate) struct Recording(pub(crate) std::sync::atomic::AtomicBool);

#[derive(Debug, Default)]
pub(crate) struct Listeners {
    pub(crate) reloads: Reloading,
    /// Whether metrics are about to be published.
    #[cfg(feature = "metrics")]
    pub(crate) recording: Recording,
    /// Wakes systemd's thread.
    #[cfg(all(unix, feature = "systemd"))]
    pub(crate) systemd: crate::life::doorbell::Doorbell,
    /// Those who look at the page.
    #[cfg(feature = "page")]
    pub(crate) viewers: Arc<crate::life::viewers::Viewers>,
}

impl Listeners {
    #[cfg(all(unix, feature = "systemd"))]
    pub(crate) fn notify_systemd(&self, state: State) {
        self.systemd.note_state(state);
    }

    /// A reload has begun, or a stream is done with one.
    #[cfg(all(unix, feature = "systemd"))]
    pub(crate) fn note_reload(&self) {
        self.systemd.leave(|_| ());
    }

    /// The stop waits, and a line has said for what.
    #[cfg(all(unix, feature = "systemd"))]
    pub(crate) fn note_waiting(&self, waits_for: &str) {
        self.systemd.leave(|changes| changes.waits_for = Some(waits_for.to_owned()));
    }

    #[cfg(not(all(unix, feature = "systemd")))]
    #[allow(clippy::unused_self)]
    pub(crate) fn notify_systemd(&self, _: State) {}

    #[cfg(not(all(unix, feature = "systemd")))]
    #[allow(clippy::unused_self)]
    pub(crate) fn note_reload(&self) {}

    #[cfg(not(all(unix, feature = "systemd")))]
    #[allow(clippy::unused_self)]
    pub(crate) fn note_waiting(&self, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reloads_are_done_when_no_stream_has_one_left() {
        let reloads = Reloading::default();
        assert!(reloads.are_done());
        let (first, second) = (reloads.join(), reloads.join());
        assert!(reloads.are_done());
        reloads.add();
        assert!(!reloads.are_done());
        // This one has not been told of it.
        let third = reloads.join();
        first.store(1, Ordering::Release);
        assert!(!reloads.are_done());
        drop(second);
        assert!(reloads.are_done());
        reloads.add();
        first.store(2, Ordering::Release);
        assert!(!reloads.are_done());
        drop(third);
        assert!(reloads.are_done());
    }
}
