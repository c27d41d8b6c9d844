//! What looking costs, and what it costs when nobody does.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use graceful_page::{Viewer, shown};
use graceful_tests::Child;
use graceful_tests::client::PATIENCE;

const SHOWN: &str = env!("CARGO_BIN_EXE_shown");

/// The folder in `/proc` of the thread that serves the page. A thread takes its name after it has begun.
fn thread_of_the_page(child: &Child) -> PathBuf {
    let is_it =
        |thread: &PathBuf| fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == "graceful-page");
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let threads = fs::read_dir(format!("/proc/{}/task", child.pid())).expect("it runs");
        let mut threads = threads.map(|thread| thread.expect("a thread").path());
        if let Some(thread) = threads.find(is_it) {
            return thread;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("nothing serves the page");
}

/// How long the thread has run, and how often it was woken.
fn run(thread: &Path) -> (Duration, u64) {
    let runs = fs::read_to_string(thread.join("schedstat")).expect("Linux says so");
    let mut numbers = runs.split_whitespace().map(|number| number.parse::<u64>().expect("a number"));
    let ran = Duration::from_nanos(numbers.next().expect("the time"));
    let status = fs::read_to_string(thread.join("status")).expect("Linux says so");
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    (ran, switches.and_then(|count| count.trim().parse().ok()).expect("a count"))
}

#[test]
fn while_nobody_looks_the_page_wakes_nobody() {
    let (child, address) = shown(SHOWN, &[]);
    let thread = thread_of_the_page(&child);
    // Somebody has looked, and has gone.
    let mut viewer = Viewer::new(address);
    (0..2).for_each(|_| drop(viewer.next()));
    drop(viewer);
    // The connection's end is noticed at the next event.
    let mut before = run(&thread).1;
    let is_quiet = (0..10).any(|_| {
        thread::sleep(Duration::from_secs(2));
        let now = run(&thread).1;
        std::mem::replace(&mut before, now) == now
    });
    assert!(is_quiet, "it is still woken");
}

#[test]
fn a_viewer_of_ten_thousand_workers_costs_less_than_a_hundredth_of_a_core() {
    for (order, row) in [("many", "waits"), ("named", "and 9999 other names")] {
        let (mut child, address) = shown(SHOWN, &[]);
        child.tell(order);
        child.prints(&format!("done: {order}"));
        let thread = thread_of_the_page(&child);
        let mut viewer = Viewer::new(address);
        let view = viewer.until(|view| {
            let rows = view["workers"].as_array().expect("rows").iter();
            rows.clone()
                .any(|kind| kind["name"].as_str().is_some_and(|name| name.ends_with(row)) && kind["live"] == 10_000)
        });
        let size = view.to_string().len();
        assert!(size < 10_000, "{size} bytes");
        let ((before, woken), began) = (run(&thread), Instant::now());
        (0..3).for_each(|_| drop(viewer.next().expect("it goes on")));
        let ((after, later), took) = (run(&thread), began.elapsed());
        let share = after.saturating_sub(before).as_secs_f64() / took.as_secs_f64();
        let woken = later - woken;
        println!(
            "{order}: {:.2} % of a core, woken {woken} times in {took:?}, snapshots of {size} bytes",
            share * 100.0
        );
        // The bound is for optimised builds.
        let limit = if cfg!(debug_assertions) { 0.1 } else { 0.01 };
        assert!(share < limit, "{order}: {share}");
    }
}
