//! A moment of waiting awake: what is about to happen on another core happens sooner than a thread goes to sleep and
//! wakes.

use std::thread;
use std::time::{Duration, Instant};

/// The longest.
const A_MOMENT: Duration = Duration::from_micros(50);

/// Waits while `pending` says so, for a moment at the most. Other threads that can run do.
pub(crate) fn spin_while(pending: impl Fn() -> bool) {
    if !pending() {
        return;
    }
    let until = Instant::now() + A_MOMENT;
    while pending() && Instant::now() < until {
        thread::yield_now();
    }
}
