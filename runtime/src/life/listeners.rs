//! What follows a lifecycle from outside: reloads, systemd, the recorder of metrics.

use std::sync::atomic::{AtomicU64, Ordering};

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
}

impl Listeners {
    #[cfg(all(unix, feature = "systemd"))]
    pub(crate) fn notify_systemd(&self, state: State) {
        self.systemd.note_state(state);
    }

    #[cfg(not(all(unix, feature = "systemd")))]
    #[allow(clippy::unused_self)]
    pub(crate) fn notify_systemd(&self, _: State) {}
}
