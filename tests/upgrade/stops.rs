//! SIGTERM and SIGINT while a successor starts: both processes end, in order. After it has taken over it lives on.

use std::fs;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use graceful_tests::Signal;
use nix::sys::signal::kill;

use crate::service::{Folder, Service, is_running, until, until_gone};

#[test]
fn a_sigterm_while_it_starts_ends_both_the_new_one_first() {
    for mode in ["never_ready", "hangs"] {
        let folder = Folder::new("");
        let service = Service::of(&folder);
        let old = service.process(1);
        folder.next_version(mode);
        service.ask(old);
        let new = service.process(2);
        let asked = Instant::now();
        kill(old, Signal::SIGTERM).expect("it is there");
        while is_running(new) {
            assert!(is_running(old), "the old one ends first");
            sleep(Duration::from_millis(1));
        }
        until_gone(old);
        assert!(asked.elapsed() < Duration::from_secs(8), "{mode}: {:?}", asked.elapsed());
        service.child.says("graceful[http]: stopping: SIGTERM");
        service.child.says("upgrade failed: this process was told to stop, and has ended the new one");
        service.child.says("graceful[http]: stopped in ");
        assert!(TcpStream::connect(service.address).is_err(), "nobody has the port");
    }
}

#[test]
fn a_second_sigint_while_it_starts_kills_both() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    folder.replace("service", b"#!/bin/sh\ntrap '' TERM INT\necho start 2 pid $$\nwhile :; do sleep 1; done\n", 0o755);
    service.ask(old);
    let new = service.process(2);
    kill(old, Signal::SIGINT).expect("it is there");
    service.child.says("stopping: SIGINT");
    sleep(Duration::from_millis(150)); // the same signal within a tenth of a second counts once
    let asked = Instant::now();
    kill(old, Signal::SIGINT).expect("it is there");
    until_gone(old);
    until_gone(new);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[test]
fn a_budget_that_is_short_holds() {
    let folder = Folder::new("");
    let service = Service::start(folder.command().env("BUDGET", "1000"));
    let old = service.process(1);
    folder.replace("service", b"#!/bin/sh\ntrap '' TERM\necho start 2 pid $$\nwhile :; do sleep 1; done\n", 0o755);
    service.ask(old);
    let new = service.process(2);
    let asked = Instant::now();
    kill(old, Signal::SIGTERM).expect("it is there");
    until_gone(old);
    assert!(asked.elapsed() < Duration::from_millis(1500), "{:?}", asked.elapsed());
    assert!(!is_running(new));
}

#[test]
fn a_new_process_that_is_told_to_stop_is_a_failed_upgrade() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    folder.next_version("never_ready");
    service.ask(service.process(1));
    service.child.prints("never ready");
    kill(service.process(2), Signal::SIGTERM).expect("it is there");
    service.child.says("upgrade failed: the new process ended before it was ready: exit code 0: main ended");
    assert_eq!(service.generation(), 1);
    service.stop(service.process(1));
}

#[test]
fn a_new_process_whose_old_one_is_killed_goes_on() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    folder.next_version("starts_slowly");
    service.ask(old);
    let new = service.process(2);
    kill(old, Signal::SIGKILL).expect("it is there");
    service.child.says("the process before this one ended before it made way; this one goes on as the service");
    service.child.prints_part("up 2 pid ");
    assert_eq!(service.get("/"), format!("2 {new}"));
    service.stop(new);
}

#[test]
fn a_new_process_that_ends_before_the_old_one_does_is_no_zombie() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    let mut slow = graceful_tests::client::connect(service.address);
    std::io::Write::write_all(&mut slow, b"GET /slow HTTP/1.0\r\n\r\n").expect("it is sent");
    service.child.prints("in hand");
    let new = service.upgrade(2);
    service.stop(new);
    until("it is reaped", || !fs::exists(format!("/proc/{new}")).expect("it is mounted"));
    assert!(is_running(old), "it has a request in hand");
    until_gone(old);
}

#[test]
fn a_process_that_stops_or_starts_refuses() {
    let folder = Folder::new("never_ready");
    let mut child = graceful_tests::Child::start(&mut folder.command());
    child.be_patient(crate::service::PATIENCE);
    child.prints("never ready");
    kill(child.pid(), Signal::SIGUSR2).expect("it is there");
    child.says("graceful[http]: upgrade refused: this process has not called graceful::ready(): ask again when it has");
    drop(child);

    let folder = Folder::new("");
    let service = Service::of(&folder);
    let mut slow = graceful_tests::client::connect(service.address);
    std::io::Write::write_all(&mut slow, b"GET /slow HTTP/1.0\r\n\r\n").expect("it is sent");
    service.child.prints("in hand");
    kill(service.process(1), Signal::SIGTERM).expect("it is there");
    service.child.says("stopping: SIGTERM");
    service.ask(service.process(1));
    service.child.says("upgrade refused: this process stops");
    until_gone(service.process(1));
}

/// Either the upgrade was over before the signal, and the new process serves; or both are gone, and nobody has the port.
#[test]
fn a_sigterm_at_a_hundred_random_moments_leaves_one_service_or_none() {
    let mut random = Random::new();
    let (mut alive, mut gone) = (0, 0);
    for round in 0..100 {
        let folder = Folder::new("");
        let service = Service::of(&folder);
        let old = service.process(1);
        service.ask(old);
        // On an idle machine an upgrade takes a hundredth of a second, on a busy one some of them.
        sleep(Duration::from_micros(random.below(if round % 2 == 0 { 10_000 } else { 60_000 })));
        // It may have ended by now.
        let _ = kill(old, Signal::SIGTERM);
        until_gone(old);
        // Its last line, with which all others on standard error have been read.
        service.child.says("graceful[http]: stopped in ");
        let said = service.child.to_string();
        if said.contains("upgrade done: ") {
            // What it has printed came by another pipe.
            let new = service.process(2);
            assert!(is_running(new), "round {round}: {said}");
            assert_eq!(service.get("/"), format!("2 {new}"), "round {round}");
            alive += 1;
            service.stop(new);
        } else {
            until("every process of it is gone", || processes_in(&folder).is_empty());
            assert!(TcpStream::connect(service.address).is_err(), "round {round}: {said}");
            gone += 1;
        }
    }
    println!("{alive} had been upgraded, {gone} were gone");
    assert!(alive > 0 && gone > 0, "the moments are not spread: {alive}, {gone}");
}

/// The processes that were started from this folder.
fn processes_in(folder: &Folder) -> Vec<i32> {
    let all = fs::read_dir("/proc").expect("it is mounted").flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own = folder.path().to_string_lossy().into_owned();
    let is_of_it = |number: &i32| {
        let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&own) && is_running(nix::unistd::Pid::from_raw(*number))
    };
    numbers.filter(is_of_it).collect()
}

/// A number that differs at each run is printed with a failure.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let seed = u64::from(now.subsec_nanos()) << 20 | 1;
        println!("seed {seed}");
        Self(seed)
    }

    /// xorshift.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
