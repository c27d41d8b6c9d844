//! An idle process sleeps, and what it has to notice it notices as soon as something happens.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use graceful_tests::Child;
use graceful_tests::client::{address_after, connect, read_up_to};

/// How long a process has nothing to do before it is taken to be idle: it looks around twice more.
const SETTLING: Duration = Duration::from_millis(3500);

/// How long it has to sleep then.
const ASLEEP: Duration = Duration::from_secs(5);

/// What it may take to notice something.
const NOTICED: Duration = Duration::from_secs(4);

fn start() -> Child {
    Child::start(&mut Command::new(env!("CARGO_BIN_EXE_idles")))
}

/// How often its threads have begun to wait, in all.
fn waits(child: &Child) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", child.pid())).expect("it runs");
    let waits = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
        line.expect("the line is there").trim().parse::<u64>().expect("a number")
    };
    threads
        .map(|thread| waits(fs::read_to_string(thread.expect("an entry").path().join("status")).expect("it runs")))
        .sum()
}

fn settle(child: &Child) {
    let begun = Instant::now();
    sleep(SETTLING);
    // Not longer than that on a slow machine: what has begun is awaited, and nothing else begins.
    while begun.elapsed() < 2 * SETTLING {
        let before = waits(child);
        sleep(Duration::from_millis(1500));
        if waits(child) == before {
            return;
        }
    }
}

#[test]
fn nothing_wakes_while_there_is_nothing_to_do() {
    let mut child = start();
    child.prints("up");
    // Kept open.
    let mut connection = connect(address_after(&child, "listening on "));
    connection.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").expect("it is sent");
    assert!(read_up_to(&mut connection, "hello").contains("200 OK"));
    settle(&child);
    let before = waits(&child);
    sleep(ASLEEP);
    assert_eq!(waits(&child) - before, 0, "wake-ups in {ASLEEP:?}\n{child}");
    // From then on it notices what it always does.
    let asked = Instant::now();
    child.tell("end");
    child.says("ended by itself; none is running now");
    assert!(asked.elapsed() < NOTICED, "{child}");
    child.terminate();
    child.end().assert_code(0);
}

#[test]
fn a_handler_that_is_replaced_after_a_sleep_is_noticed() {
    let mut child = start();
    child.prints("up");
    settle(&child);
    let asked = Instant::now();
    child.tell("replace");
    child.says("other code has replaced the handler for SIGTERM, SIGINT");
    assert!(asked.elapsed() < NOTICED, "{child}");
}
