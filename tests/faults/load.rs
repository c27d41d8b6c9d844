//! How late this machine wakes who sleeps: whether it has more to do than it can.

use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// How long the one who measures sleeps each time.
const NAP: Duration = Duration::from_millis(2);

/// Who is woken this late lives on a machine that is overloaded.
const LATE: Duration = Duration::from_millis(5);

/// When somebody was woken late.
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
