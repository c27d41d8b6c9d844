//! How late this machine wakes a sleeping thread: whether it is overloaded.

use std::fs;
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

/// Whether the machine was overloaded at any time since `begun`. A thread that sleeps nearly always is woken in time even
/// where one that has work to do is not, so the load that the system counts matters as well.
pub(crate) fn since(begun: Instant) -> bool {
    let late = LATE_AT.lock().expect("nobody panics here");
    late.last().is_some_and(|at| *at >= begun) || is_loaded()
}

/// Whether more than two threads wait for each processor, on the average of the last minute.
fn is_loaded() -> bool {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().and_then(|load| load.parse::<f64>().ok());
    let processors = thread::available_parallelism().map_or(1, |count| count.get().min(1000));
    load.is_some_and(|load| load > 2.0 * f64::from(u16::try_from(processors).unwrap_or(1)))
}
