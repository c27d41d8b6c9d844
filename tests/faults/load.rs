//! How late this machine wakes a sleeping thread: whether it is overloaded.

use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// How long the measuring thread sleeps each time.
const NAP: Duration = Duration::from_millis(2);

/// A thread woken this late shows that the machine is overloaded.
const LATE: Duration = Duration::from_millis(5);

/// When the measuring thread was woken late.
static LATE_AT: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// Measures from now on, for as long as the table runs.
pub(crate) fn watch() {
    thread::spawn(|| {
        loop {
            let begun = Instant::now();
            sleep(NAP);
            if begun.elapsed() >= NAP + LATE {
                LATE_AT.lock().expect("nobody panics here").push(Instant::now());
            }
        }
    });
}

/// Whether the machine was overloaded at any time since `begun`.
pub(crate) fn since(begun: Instant) -> bool {
    let late = LATE_AT.lock().expect("nobody panics here");
    late.last().is_some_and(|at| *at >= begun)
}
