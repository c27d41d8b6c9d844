//! How late this machine runs what could run: whether it is overloaded.

use std::sync::{LazyLock, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};
use std::{env, fs};

/// How long the measuring thread sleeps each time.
const NAP: Duration = Duration::from_millis(2);

/// A thread woken this late shows that the machine is overloaded.
const LATE: Duration = Duration::from_millis(5);

/// When the measuring thread was woken late.
static LATE_AT: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// After so many naps the system is asked as well.
const NAPS: usize = 20;

/// So much time, in which some thread could have run and did not, shows it too. A thread that sleeps nearly always is
/// woken in time even where one that has work to do waits.
const WAITED: Duration = Duration::from_millis(20);

/// For how long some thread had waited for a processor in all, and when the system was asked.
static PRESSURE: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// How many times as slow as this machine the program is, where an emulator runs it: `FAULTS_SLOWER`. Rows are then run one at
/// a time, and may be later. The budgets of the program are what they were.
pub(crate) static SLOWER: LazyLock<u32> =
    LazyLock::new(|| env::var("FAULTS_SLOWER").map_or(1, |times| times.parse().expect("FAULTS_SLOWER is a number")));

/// How many of a program run at once, of so many on this machine.
pub(crate) fn at_once(most: usize) -> usize {
    if *SLOWER > 1 { 1 } else { most }
}

/// Measures from now on, for as long as the table runs.
pub(crate) fn watch() {
    thread::spawn(|| {
        loop {
            PRESSURE.lock().expect("nobody panics here").extend(pressure());
            for _ in 0..NAPS {
                let begun = Instant::now();
                sleep(NAP);
                if begun.elapsed() >= NAP + LATE {
                    LATE_AT.lock().expect("nobody panics here").push(Instant::now());
                }
            }
        }
    });
}

/// Whether the machine was overloaded at any time since `begun`.
pub(crate) fn since(begun: Instant) -> bool {
    let was_woken_late = LATE_AT.lock().expect("nobody panics here").last().is_some_and(|at| *at >= begun);
    let asked = PRESSURE.lock().expect("nobody panics here");
    let before = asked.iter().rev().find(|(at, _)| *at <= begun);
    let waited = before.zip(pressure()).map(|((_, before), (_, now))| now.saturating_sub(*before));
    was_woken_late || *SLOWER > 1 || waited.is_some_and(|waited| waited >= WAITED)
}

/// What the kernel counts, where it does: `proc_pressure(5)`.
fn pressure() -> Option<(Instant, Duration)> {
    let text = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let total = text.lines().next()?.rsplit_once("total=")?.1.parse().ok()?;
    Some((Instant::now(), Duration::from_micros(total)))
}
