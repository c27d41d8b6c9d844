//! Random trees of workers on a paused clock, and a model of what a worker's life includes that judges their logs.
//!
//! `cargo test --test trees` grows 1,000 of them. `TREES=50000` grows so many, `TREES_FROM=1001` begins with that seed,
//! `TREES_SEED=17` grows this one alone and shows its log.

mod grow;
mod judge;
mod log;
mod plan;
#[path = "../random/seed.rs"]
mod seed;

use std::env::var;
use std::fmt::Write;
use std::panic::{self, AssertUnwindSafe};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What one tree did that it may not.
fn broken(seed: u64, shows: bool) -> Result<(), String> {
    let plan = plan::Plan::of(seed);
    let grown = panic::catch_unwind(AssertUnwindSafe(|| grow::grow(&plan, seed)));
    let Ok(grown) = grown else {
        return Err("it panicked outside its lifecycle".to_owned());
    };
    let verdict = judge::judge(&plan, &grown);
    if verdict.is_ok() && !shows {
        return Ok(());
    }
    let mut text = String::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        let _ = writeln!(text, "  {index}: {node:?}");
    }
    for (number, event) in grown.log.iter().enumerate() {
        let _ = writeln!(text, "  [{number}] {event}");
    }
    if shows {
        println!("{text}  {:?}, test failed: {}", grown.end, grown.test_failed);
    }
    verdict.map_err(|rule| format!("{text}  {rule}"))
}

fn number(name: &str, default: u64) -> u64 {
    var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// How many files the process has open: each lifecycle opens some. Zero where the system does not say.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn a_workers_life_includes_what_it_has_started() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&str>().copied().unwrap_or_default();
        let is_ours = text == grow::ON_PURPOSE || std::thread::current().name() == Some("tree");
        if !is_ours {
            hook(info);
        }
    }));
    if let Ok(seed) = var("TREES_SEED") {
        broken(seed.parse().expect("a seed"), true).unwrap_or_else(|text| panic!("{text}"));
        return;
    }
    let (from, count) = (number("TREES_FROM", 1), number("TREES", 1000));
    // The first runtime of a process opens some files for good.
    let _ = broken(from, false);
    let (mut failed, files) = (Vec::new(), open_files());
    for seed in from..from + count {
        if let Err(text) = broken(seed, false) {
            let rule = text.lines().last().unwrap_or_default().trim().to_owned();
            println!("TREES_SEED={seed}: {rule}");
            failed.push(format!("TREES_SEED={seed}\n{text}"));
        }
    }
    assert!(failed.is_empty(), "{} of {count} trees:\n{}", failed.len(), failed[0]);
    // A lifecycle's threads end shortly after it.
    let patience = Instant::now() + Duration::from_secs(5);
    while open_files() > files && Instant::now() < patience {
        sleep(Duration::from_millis(10));
    }
    assert!(open_files() <= files, "of {count} lifecycles, some leave {} open files", open_files() - files);
}
