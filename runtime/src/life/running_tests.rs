//! The tests of this process that have a lifecycle, so that one which never ends takes no result of another with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many run that can end.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// How many have begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// For so long no other test has run or begun: the test harness has no more, or no thread to run them on.
const QUIET: Duration = Duration::from_secs(1);

/// Others get no more than this.
const LONGEST: Duration = Duration::from_secs(60);

/// How often to look.
const LOOKING: Duration = Duration::from_millis(20);

/// A test that runs.
#[derive(Debug)]
pub(crate) struct Running(());

impl Running {
    pub(crate) fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        BEGUN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        one_less();
    }
}

/// Waits until the other tests have ended. The one that calls this cannot.
pub(crate) fn let_others_end() {
    one_less();
    let until = Instant::now() + LONGEST;
    let mut quiet_since = Instant::now();
    let mut seen = BEGUN.load(Ordering::Relaxed);
    while quiet_since.elapsed() < QUIET && Instant::now() < until {
        thread::sleep(LOOKING);
        let begun = BEGUN.load(Ordering::Relaxed);
        if RUNNING.load(Ordering::Relaxed) > 0 || begun != seen {
            (quiet_since, seen) = (Instant::now(), begun);
        }
    }
}

/// One that was given up, and ends after all, is counted twice.
fn one_less() {
    let _ = RUNNING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |running| running.checked_sub(1));
}
