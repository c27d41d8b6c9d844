//! Yields for up to 50 µs: cheaper than parking when another core is about to finish.

use std::thread;
use std::time::{Duration, Instant};

/// The longest wait.
const A_MOMENT: Duration = Duration::from_micros(50);

/// Waits while `pending` returns true, for a moment at most, and yields to other threads that can run.
pub(crate) fn spin_while(pending: impl Fn() -> bool) {
    if !pending() {
        return;
    }
    let until = Instant::now() + A_MOMENT;
    while pending() && Instant::now() < until {
        thread::yield_now();
    }
}
