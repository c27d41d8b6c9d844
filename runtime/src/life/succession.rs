//! Which generation of the service this process is, what it has from its predecessor, and its attempts to be succeeded
//! (feature `upgrade`).

use std::io;
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::model::upgrade::UpgradeError;
use crate::os::channel::{self, Kind, VERSION};
use crate::os::lock::Lock;

/// Which process of the service this is.
static GENERATION: AtomicU32 = AtomicU32::new(1);

/// 1 for a process that was started in the usual way.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

pub(crate) fn set_generation(generation: u32) {
    GENERATION.store(generation, Ordering::Relaxed);
}

/// What code of the user's leaves for the successor, asked for when an upgrade begins.
pub(crate) type Offer = Arc<dyn Fn() -> Vec<u8> + Send + Sync>;

/// Work that waits until this process is ready.
pub(crate) type Due = Box<dyn FnOnce() + Send>;

/// The outcome of an attempt, for code that waits for it.
pub(crate) type Answer = oneshot::Sender<Result<(), UpgradeError>>;

#[derive(Default)]
pub(crate) struct Succession {
    /// Set before main runs, where there was a predecessor.
    predecessor: OnceLock<Predecessor>,
    /// Set until the service is this process's own.
    is_waiting: AtomicBool,
    /// Notified when that changes.
    confirmed: Notify,
    /// What is due when this process serves and is ready.
    at_last: Lock<Option<Due>>,
    /// What std has printed when main returned before this process was ready.
    error_of_main: Lock<Option<String>>,
    /// What is left for the successor, by name.
    offers: Lock<Vec<(Arc<str>, Offer)>>,
    attempts: Lock<Attempts>,
    /// How many attempts have failed.
    failed: AtomicU64,
}

/// The process before this one.
pub(crate) struct Predecessor {
    channel: UnixStream,
    /// This process has said that it is ready.
    has_told: AtomicBool,
    /// What the predecessor has left, by name.
    left: Lock<Vec<(String, Vec<u8>)>>,
}

#[derive(Default)]
struct Attempts {
    /// Those that wait for the one that is under way.
    under_way: Option<Vec<Answer>>,
    /// The last that failed: why, and when.
    last: Option<(UpgradeError, Instant)>,
}

impl Succession {
    /// This process is a successor, which waits until its predecessor makes way.
    pub(crate) fn succeed(&self, channel: UnixStream, left: Vec<(String, Vec<u8>)>) {
        let left = Lock::new(left);
        self.is_waiting.store(true, Ordering::SeqCst);
        let _ = self.predecessor.set(Predecessor { channel, has_told: AtomicBool::new(false), left });
    }

    pub(crate) fn predecessor(&self) -> Option<&Predecessor> {
        self.predecessor.get()
    }

    /// Whether the service is still the predecessor's.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::SeqCst)
    }

    /// Whether the predecessor goes on when this process ends: this one has never said that it is ready.
    pub(crate) fn leaves_the_service_to_the_predecessor(&self) -> bool {
        self.is_waiting()
            && self.predecessor.get().is_some_and(|predecessor| !predecessor.has_told.load(Ordering::SeqCst))
    }

    /// Resolves when the service is this process's own: at once, where there was no predecessor.
    pub(crate) async fn confirmed(&self) {
        loop {
            let confirmed = self.confirmed.notified();
            if !self.is_waiting() {
                return;
            }
            confirmed.await;
        }
    }

    /// The service is this process's own from now on.
    pub(crate) fn confirm(&self) {
        self.is_waiting.store(false, Ordering::SeqCst);
        self.confirmed.notify_waiters();
    }

    /// This process is ready: its predecessor is told, once.
    pub(crate) fn tell_ready(&self) {
        if let Some(predecessor) = self.predecessor.get().filter(|_| self.is_waiting())
            && !predecessor.has_told.swap(true, Ordering::SeqCst)
        {
            let numbers = [VERSION.to_le_bytes(), process::id().to_le_bytes()];
            // One that has ended needs no answer.
            let _ = channel::send(
                &predecessor.channel,
                &channel::frame(Kind::Ready, &numbers.each_ref().map(<[u8; 4]>::as_slice)),
            );
        }
    }

    /// This process ends before it was ready, and says why.
    pub(crate) fn tell_failure(&self, why: &str) {
        if let Some(predecessor) = self.predecessor.get().filter(|_| self.is_waiting()) {
            let _ = channel::send(&predecessor.channel, &channel::frame(Kind::Failed, &[why.as_bytes()]));
        }
    }

    /// To be done when this process serves and is ready.
    pub(crate) fn set_due(&self, due: Due) {
        *self.at_last.lock() = Some(due);
    }

    /// The same, for the first caller.
    pub(crate) fn take_due(&self) -> Option<Due> {
        self.at_last.lock().take()
    }

    pub(crate) fn keep_error_of_main(&self, text: &str) {
        *self.error_of_main.lock() = Some(text.to_owned());
    }

    pub(crate) fn error_of_main(&self) -> Option<String> {
        self.error_of_main.lock().clone()
    }

    /// What is left for a successor under this name from now on.
    pub(crate) fn offer(&self, name: Arc<str>, offer: Offer) {
        let mut offers = self.offers.lock();
        offers.retain(|(other, _)| *other != name);
        offers.push((name, offer));
    }

    pub(crate) fn offers(&self) -> Vec<(Arc<str>, Offer)> {
        self.offers.lock().clone()
    }

    /// An attempt begins, unless one is under way, which the answer then joins.
    pub(crate) fn begin_attempt(&self, answer: Option<Answer>) -> bool {
        let mut attempts = self.attempts.lock();
        let begins = attempts.under_way.is_none();
        attempts.under_way.get_or_insert_default().extend(answer);
        begins
    }

    /// The attempt is over, and another may begin. Returns those that wait for the outcome.
    pub(crate) fn end_attempt(&self, outcome: &Result<(), UpgradeError>, now: Instant) -> Vec<Answer> {
        let mut attempts = self.attempts.lock();
        if let Err(error) = outcome {
            self.failed.fetch_add(1, Ordering::Relaxed);
            attempts.last = Some((error.clone(), now));
        }
        attempts.under_way.take().unwrap_or_default()
    }

    pub(crate) fn is_attempt_under_way(&self) -> bool {
        self.attempts.lock().under_way.is_some()
    }

    /// How many attempts have failed; the last of them.
    pub(crate) fn failures(&self) -> (u64, Option<(UpgradeError, Instant)>) {
        (self.failed.load(Ordering::Relaxed), self.attempts.lock().last.clone())
    }
}

impl Predecessor {
    /// Waits until the predecessor makes way. `Ok(false)`: it has ended without a word.
    pub(crate) fn makes_way(&self) -> io::Result<bool> {
        Ok(channel::receive(&self.channel)?.is_some_and(|frame| frame.kind == Kind::Go))
    }

    /// What it has left under this name, once.
    pub(crate) fn take_left(&self, name: &str) -> Option<Vec<u8>> {
        let mut left = self.left.lock();
        let at = left.iter().position(|(other, _)| other == name)?;
        Some(left.swap_remove(at).1)
    }
}

impl std::fmt::Debug for Succession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Succession").field("is_waiting", &self.is_waiting).finish_non_exhaustive()
    }
}
