//! What is woken when something changes: the driver of the stop, main's thread, and code that waits for a state.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::os::helper::Helper;
use crate::os::signal::Wakeup;

#[derive(Debug)]
pub(crate) struct Notifier {
    is_test: bool,
    /// Wakes the watch.
    pub(crate) wakeup: Wakeup,
    /// Wakes the task that drives the stop of a test.
    test_driver: Notify,
    /// Something changed, and the code that waits has not been notified yet.
    has_changed: AtomicBool,
    /// Some code waits for `changed`.
    has_waiters: AtomicBool,
    changed: Notify,
    /// Lets main's thread leave the runtime.
    done: Notify,
    /// Calls the wakers that may be the user's.
    pub(super) helper: Helper,
    /// How many calls of such wakers are under way.
    calling: AtomicUsize,
}

impl Notifier {
    pub(super) fn new(wakeup: Wakeup, is_test: bool) -> Self {
        Self {
            is_test,
            wakeup,
            test_driver: Notify::new(),
            has_changed: AtomicBool::new(false),
            has_waiters: AtomicBool::new(false),
            changed: Notify::new(),
            done: Notify::new(),
            helper: Helper::default(),
            calling: AtomicUsize::new(0),
        }
    }

    /// Wakes the driver of the stop.
    pub(crate) fn wake_driver(&self) {
        if self.is_test {
            self.test_driver.notify_one();
        } else {
            self.wakeup.wake();
        }
    }

    /// Resolves when the driver of a test's stop is woken.
    pub(crate) async fn driver_woken(&self) {
        self.test_driver.notified().await;
    }

    /// Has the driver notify the code that waits for a change: a waker of the user's may block, and must not do so on
    /// the thread of a worker, of main or of the watch.
    #[cold]
    pub(crate) fn note_change(&self) {
        self.has_changed.store(true, Ordering::Release);
        self.wake_driver();
    }

    /// Whether there was a change since this was last asked.
    pub(crate) fn take_change(&self) -> bool {
        self.has_changed.swap(false, Ordering::AcqRel)
    }

    /// Waits until `reached` is true, and checks it at each change.
    pub(crate) async fn until(&self, reached: impl Fn() -> bool) {
        self.has_waiters.store(true, Ordering::SeqCst);
        loop {
            let changed = self.changed.notified();
            if reached() {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.has_waiters.load(Ordering::SeqCst)
    }

    /// Calls the wakers of code that waits for a change, which may be the user's.
    pub(super) fn notify_waiters(&self) {
        self.changed.notify_waiters();
    }

    /// Lets main's thread leave the runtime.
    pub(crate) fn let_main_go(&self) {
        self.done.notify_one();
    }

    /// Resolves when main's thread may leave the runtime.
    pub(crate) async fn main_may_go(&self) {
        self.done.notified().await;
    }

    pub(super) fn begin_calling(&self) {
        self.calling.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end_calling(&self) {
        self.calling.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether wakers that may be the user's are being called now.
    pub(crate) fn is_calling(&self) -> bool {
        self.calling.load(Ordering::Acquire) > 0
    }
}
