//! An upgrade that nobody asks for costs nothing, and one that is over has left nothing.
#![cfg(target_os = "linux")]

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::service::{Folder, PATIENCE, Service, threads, until, until_gone};

/// How long nothing wakes in a process that is taken to be idle.
const QUIET: Duration = Duration::from_millis(1500);

/// How long it has to sleep then.
const ASLEEP: Duration = Duration::from_secs(5);

/// How often its threads have begun to wait, in all.
fn waits(process: Pid) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let waits = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).expect("it runs");
        let number = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        number.expect("the line is there").trim().parse::<u64>().expect("a number")
    };
    tasks.map(|task| waits(task.expect("an entry"))).sum()
}

/// Waits until it has nothing left to do, and then some more: nothing wakes.
#[track_caller]
fn sleeps(process: Pid) {
    let begun = Instant::now();
    let mut before = waits(process);
    loop {
        sleep(QUIET);
        let now = waits(process);
        if now == before {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it is never idle");
        before = now;
    }
    sleep(ASLEEP);
    assert_eq!(waits(process) - before, 0, "wake-ups in {ASLEEP:?}");
}

#[test]
fn a_process_that_may_be_upgraded_has_no_thread_more_and_does_not_wake() {
    let folder = Folder::new("");
    let without = Service::start(folder.command().env("NO_UPGRADE", "yes"));
    let with = Service::of(&folder);
    let (plain, may_be) = (without.process(1), with.process(1));
    until("the threads are the same", || threads(plain) == threads(may_be) && !threads(plain).is_empty());
    sleeps(may_be);
    assert_eq!(threads(plain), threads(may_be));
    with.stop(may_be);
    without.stop(plain);
}

#[test]
fn a_process_that_has_taken_over_has_no_thread_more_and_does_not_wake() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    // A thread names itself, after it has begun with the name of the program.
    until("each thread has its name", || threads(old).iter().filter(|name| *name == "service").count() == 1);
    let before = threads(old);
    let new = service.upgrade(2);
    until_gone(old);
    until("the threads are the same", || threads(new) == before);
    sleeps(new);
    assert_eq!(threads(new), before);
    service.stop(new);
}
