//! Calling wakers that may be the user's, which may block or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Lifecycle;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::say::lines;

impl Lifecycle {
    /// Runs `call`, which calls wakers of the user's, on the helper thread, since they may block. In a test it runs
    /// right here.
    pub(crate) fn call_wakers(self: &Arc<Self>, call: impl FnOnce(&Self) + Send + 'static) {
        if self.settings.is_test {
            return self.guard(|| call(self));
        }
        // Weak: the lifecycle has the queues that the job may be left in.
        let life = Arc::downgrade(self);
        self.notifier.begin_calling();
        let job = Box::new(move || {
            let Some(life) = life.upgrade() else { return };
            life.guard(|| call(&life));
            life.notifier.end_calling();
            life.notifier.wake_driver();
        });
        if let Err(job) = self.notifier.helper.run("graceful-waker", job) {
            self.writer.run(job);
        }
    }

    /// Wakes the parked workers of these stages, which were told to stop; and main, if it ever asks whether it was.
    pub(crate) fn wake_told(&self, is_told: impl Fn(Stage) -> bool) {
        let main = self.members.main.has_asked();
        self.slots.wake_those(&mut |entry, stage| (main || entry != EntryId::MAIN) && is_told(stage));
    }

    /// A waker that panics ends nothing.
    fn guard(&self, call: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            self.writer.say(lines::waker_panicked());
        }
    }

    /// Notifies the code that waits for a change.
    pub(crate) fn notify_waiters(self: &Arc<Self>) {
        if self.notifier.has_waiters() {
            self.call_wakers(|life| life.notifier.notify_waiters());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::yield_now;

    use super::*;
    use crate::model::settings::Settings;
    use crate::os::signal;
    use crate::say::writer::Writer;

    #[test]
    fn a_call_that_comes_after_the_end_keeps_no_lifecycle() {
        let (_, wakeup) = signal::inbox().expect("a socket pair");
        let life = Lifecycle::new(Settings::default(), Writer::new(None, true), wakeup);
        life.call_wakers(|_| ());
        life.notifier.helper.end();
        while life.notifier.helper.is_running() {
            yield_now();
        }
        life.call_wakers(|_| ());
        assert_eq!(Arc::strong_count(&life), 1);
    }
}
