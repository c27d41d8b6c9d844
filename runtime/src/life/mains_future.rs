//! What is known of main's future: whether it lives, what wakes it, and whether it seems to know of the stop.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;

#[derive(Debug)]
pub(crate) struct MainsFuture {
    /// Set until it is gone.
    alive: AtomicBool,
    /// What wakes main's thread: the runtime's own waker, so any thread may call it.
    waker: OnceLock<Waker>,
    /// Set when it has ended with an error, a panic or a code of its own.
    failed: AtomicBool,
    /// Set when main asks for its token, its flag or its future.
    asked: AtomicBool,
    /// Set when other code does: it may tell main, through a handle of the server that main runs.
    others_asked: AtomicBool,
    /// How often it was polled.
    polls: AtomicU32,
    /// How often it had been polled when main was told to stop.
    polls_when_told: OnceLock<u32>,
    /// The same before it was woken for the report.
    polls_before_report: OnceLock<u32>,
}

impl Default for MainsFuture {
    fn default() -> Self {
        Self {
            alive: AtomicBool::new(true),
            waker: OnceLock::new(),
            failed: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            others_asked: AtomicBool::new(false),
            polls: AtomicU32::new(0),
            polls_when_told: OnceLock::new(),
            polls_before_report: OnceLock::new(),
        }
    }
}

impl MainsFuture {
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub(crate) fn left(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// Main has ended badly. Noted before it has [`left`](Self::left).
    pub(crate) fn note_failed(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether it has ended badly. `None` while it may still turn out.
    pub(crate) fn has_failed(&self) -> Option<bool> {
        let may_turn_out = self.is_alive();
        let failed = self.failed.load(Ordering::Acquire);
        (failed || !may_turn_out).then_some(failed)
    }

    pub(crate) fn count_poll(&self) {
        // Only main's thread counts.
        self.polls.store(self.polls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Keeps the waker that wakes main while it waits.
    pub(crate) fn waits(&self, waker: &Waker) {
        let _ = self.waker.set(waker.clone());
    }

    /// Wakes main if it waits for the stop.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.get().filter(|_| self.has_asked()) {
            waker.wake_by_ref();
        }
    }

    /// Main, or other code, asks about the stop.
    pub(crate) fn note_asked(&self, is_main: bool) {
        let asked = if is_main { &self.asked } else { &self.others_asked };
        if !asked.load(Ordering::Relaxed) {
            // Sequentially consistent: code that stops main sets main's flag before it reads this; main sets this before
            // it reads the flag. One of the two sees the other.
            asked.store(true, Ordering::SeqCst);
        }
    }

    /// Whether main has asked about the stop. If not, nothing wakes it when it is told: it would not look.
    pub(crate) fn has_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Main is about to be told to stop.
    pub(crate) fn note_told(&self) {
        self.polls_when_told.get_or_init(|| self.polls.load(Ordering::Relaxed));
    }

    /// Main is about to be woken, told or not.
    pub(crate) fn note_report(&self) {
        self.polls_before_report.get_or_init(|| self.polls.load(Ordering::Relaxed));
    }

    /// Whether other code may have told main of the stop: it has asked, and something has woken main since.
    pub(crate) fn may_have_been_told(&self) -> bool {
        self.note_report();
        let has_moved = self.polls_before_report.get() > self.polls_when_told.get();
        self.others_asked.load(Ordering::Relaxed) && has_moved
    }
}
