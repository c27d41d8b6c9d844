//! Shared by the measured programs: the task on their command line, and what they measure themselves.
#![cfg(unix)]
#![allow(clippy::missing_panics_doc)] // everything here panics: that is how a measurement fails

#[cfg(feature = "contenders")]
pub mod web;

use std::env::args;
use std::fmt::Debug;
use std::fs;
use std::future::Future;
use std::io::{Write, stdout};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How many workers are alive at once in [`in_batches`].
const BATCH: usize = 1_000;

/// How many of one producer are alive at once in [`few_at_a_time`]: fewer than a runtime's thread has room for in its own
/// queue.
const FEW: usize = 100;

/// The deadline of the programs that are held up.
pub const DEADLINE: Duration = Duration::from_secs(1);

/// Forever, as far as these programs are concerned.
const LONG: Duration = Duration::from_secs(600);

/// How many workers have begun to wait.
static PARKED: AtomicUsize = AtomicUsize::new(0);

/// What to do: the first argument.
pub fn task() -> String {
    args().nth(1).unwrap_or_default()
}

/// How often, how many or how long: the second argument.
pub fn n() -> usize {
    let n = args().nth(2).and_then(|argument| argument.parse().ok());
    n.unwrap_or_default()
}

/// How many producers there are: the third argument.
pub fn producers() -> usize {
    let producers = args().nth(3).and_then(|argument| argument.parse().ok());
    producers.unwrap_or(1)
}

/// Ends the process: it has no such task.
pub fn unknown(task: &str) -> ! {
    eprintln!("no task `{task}` here; usage: <task> <number>");
    process::exit(2)
}

/// Starts `n` workers, a thousand at a time, and waits for the end of each.
pub async fn in_batches<F, T, E>(n: usize, start: impl Fn() -> F)
where
    F: Future<Output = Result<T, E>>,
    E: Debug,
{
    batches_of(BATCH, n, start).await;
}

/// The same, a few at a time.
pub async fn few_at_a_time<F, T, E>(n: usize, start: impl Fn() -> F)
where
    F: Future<Output = Result<T, E>>,
    E: Debug,
{
    batches_of(FEW, n, start).await;
}

async fn batches_of<F, T, E>(size: usize, n: usize, start: impl Fn() -> F)
where
    F: Future<Output = Result<T, E>>,
    E: Debug,
{
    let mut started = Vec::with_capacity(size);
    for _ in 0..n / size {
        started.extend((0..size).map(|_| start()));
        for worker in started.drain(..) {
            worker.await.expect("it ends well");
        }
    }
}

/// Starts as many of these as there are to be [`producers`], and waits for all.
pub async fn among<F, T, E>(produce: impl Fn() -> F)
where
    F: Future<Output = Result<T, E>>,
    E: Debug,
{
    let started: Vec<_> = (0..producers()).map(|_| produce()).collect();
    for producer in started {
        producer.await.expect("it ends well");
    }
}

/// Has two producers start and join [`n`] workers each, at the same time; prints the processor time of one worker, in
/// nanoseconds.
pub async fn together<F, T, E>(produce: impl Fn() -> F)
where
    F: Future<Output = Result<T, E>>,
    E: Debug,
{
    let before = processor_time();
    let producers = [produce(), produce()];
    for producer in producers {
        producer.await.expect("it ends well");
    }
    let workers = 2 * n() as u128;
    let took = processor_time().saturating_sub(before);
    say(&(took.as_nanos() / workers).to_string());
}

/// What this process has used of its processors.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("it is never negative")
}

/// Counts a worker that is about to wait.
pub fn park() {
    PARKED.fetch_add(1, Relaxed);
}

/// Prints one line at once.
pub fn say(line: &str) {
    let mut stdout = stdout().lock();
    let said = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    said.expect("the measuring program reads");
}

/// The resident memory of this process, in bytes, exactly.
pub fn resident() -> u64 {
    // `VmRSS` in `status` may be behind by some pages for each processor.
    let maps = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux says");
    let line = maps.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a number of KiB") << 10
}

/// The time on the monotonic clock, which is the same in all processes.
pub fn now() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().expect("it is never negative")
}

/// The beginning of every task that ends on SIGTERM: a start-up of [`n`] milliseconds, with no handler yet.
pub fn start_up() {
    thread::sleep(Duration::from_millis(n() as u64));
}

/// Prints the time, for the program that noted when it started or signalled this one.
pub fn say_when() {
    say(&now().as_nanos().to_string());
}

/// Prints how many nanoseconds have passed.
pub fn say_since(before: Duration) {
    say(&now().saturating_sub(before).as_nanos().to_string());
}

/// Blocks the thread, forever as far as the measurement is concerned.
pub fn block() {
    park();
    thread::sleep(LONG);
}

/// Starts and ends [`n`] workers; prints how much memory the last nine tenths of them added.
pub async fn grow<F, T, E>(start: impl Fn() -> F)
where
    F: Future<Output = Result<T, E>>,
    E: Debug,
{
    in_batches(n() / 10, &start).await;
    let before = resident();
    in_batches(n() - n() / 10, &start).await;
    say(&resident().saturating_sub(before).to_string());
}

/// Waits until so many workers wait.
#[cfg(feature = "contenders")]
pub async fn until_parked(n: usize) {
    while PARKED.load(Relaxed) < n {
        tokio::task::yield_now().await;
    }
}

/// Installs a handler for SIGTERM, prints that it has, and waits for the signal.
#[cfg(feature = "contenders")]
pub async fn sigterm() {
    use tokio::signal::unix::{SignalKind, signal};

    let mut sigterm = signal(SignalKind::terminate()).expect("tokio listens");
    say("ready");
    sigterm.recv().await;
}
