//! How late this machine wakes a sleeping thread. As `faults/load.rs`, with the amount: the model has to allow for it.

use std::fs;
use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// How long the measuring thread sleeps each time.
const NAP: Duration = Duration::from_millis(2);

/// Less is normal on any machine.
const NOTED: Duration = Duration::from_millis(2);

/// When the measuring thread was woken late, and by how much.
static LATE: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Measures from now on, for as long as the test runs.
pub(crate) fn watch() {
    thread::spawn(|| {
        loop {
            let begun = Instant::now();
            sleep(NAP);
            let late = begun.elapsed().saturating_sub(NAP);
            if late >= NOTED {
                let mut all = LATE.lock().expect("nobody panics here");
                all.push((Instant::now(), late));
            }
        }
    });
}

/// For how long, since the system started, any thread was ready to run and had no processor. A thread that sleeps in
/// between does not notice that. Zero where the kernel does not count it.
pub(crate) fn queued() -> Duration {
    let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let total = pressure.lines().find(|line| line.starts_with("some "));
    let total = total.and_then(|line| line.rsplit_once("total=")?.1.parse().ok());
    Duration::from_micros(total.unwrap_or_default())
}

/// The most since `begun`.
pub(crate) fn since(begun: Instant) -> Duration {
    let all = LATE.lock().expect("nobody panics here");
    let recent = all.iter().rev().take_while(|(at, _)| *at >= begun);
    recent.map(|(_, late)| *late).max().unwrap_or_default()
}
