//! A failed upgrade changes nothing: the old process goes on, says why, and another try is possible.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::Clients;
use crate::service::{Folder, Service, children, files, is_running, number_after, threads, until, until_gone};

/// Tries with a next version that fails, under clients; then with a good one.
#[track_caller]
fn fails(first: &str, replace: impl Fn(&Folder), said: &[&str]) {
    let folder = Folder::new(first);
    let service = Service::start(folder.command().env("LIMIT", "3000"));
    let old = service.process(1);
    let before = files(old);
    let clients = Clients::start(service.address, 1);
    until("clients are at work", || clients.answered() > 20);
    replace(&folder);
    service.ask(old);
    service.child.says("upgrade failed: ");
    for part in said {
        service.child.says(part);
    }
    service.child.says("; this process goes on");
    let answered = clients.answered();
    until("clients are at work", || clients.answered() > answered + 20);
    clients.finish();
    assert_eq!(service.get("/"), format!("1 {old}"));
    let status = service.get("/status");
    assert!(status.contains("upgrades failed: 1, the last ") && status.contains(said[0]), "{status}");
    until("it is reaped", || children(old).is_empty());
    until("its files are those of before", || files(old) == before);
    until("no thread is left", || !threads(old).iter().any(|name| name.starts_with("graceful-upgrad")));
    if let Some(new) = number_after(&service.child.to_string(), "start 2 pid ") {
        until_gone(new);
    }
    // Another try.
    folder.install();
    folder.next_version("");
    service.ask(old);
    service.child.says("generation 2 serves");
    until_gone(old);
    assert_eq!(service.generation(), 2);
    let now = last_process(&service);
    service.stop(now);
}

/// The process that was up last, once one is.
fn last_process(service: &Service) -> Pid {
    service.child.prints_part("up 2 pid ");
    let printed = service.child.to_string();
    let (_, last) = printed.rsplit_once("up 2 ").expect("it was up");
    number_after(last, "pid ").expect("a number follows")
}

#[test]
fn it_panics() {
    let said = ["exit code 101: main panicked: a bug in the new version"];
    fails("", |folder| folder.next_version("panics"), &said);
}

#[test]
fn its_main_returns_an_error() {
    let said = ["exit code 1: Error: Broken(\"the new version has no queue\")"];
    fails("", |folder| folder.next_version("fails"), &said);
}

#[test]
fn a_worker_of_it_fails() {
    let said = ["exit code 1: worker `consume`"];
    fails("", |folder| folder.next_version("worker_fails"), &said);
}

#[test]
fn it_exits() {
    fails("", |folder| folder.next_version("exits"), &["ended before it was ready: exit code 3"]);
}

#[test]
fn it_exits_before_its_lifecycle_begins() {
    fails("", |folder| folder.next_version("exits_at_once"), &["ended before it was ready: exit code 7"]);
}

#[test]
fn it_crashes() {
    fails("", |folder| folder.next_version("aborts"), &["ended before it was ready: killed by signal 6"]);
}

#[test]
fn it_never_becomes_ready() {
    let said = ["the new process was not ready within 3 s (upgrade_timeout) and was ended"];
    fails("", |folder| folder.next_version("never_ready"), &said);
}

#[test]
fn it_hangs_and_takes_no_signal() {
    let script = b"#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n";
    let said = ["the new process was not ready within 3 s"];
    fails("", |folder| folder.replace("service", script, 0o755), &said);
}

#[test]
fn it_panics_late_when_it_could_accept_clients() {
    let said = ["exit code 101: main panicked: a late bug in the new version"];
    fails("", |folder| folder.next_version("accepts_early then_panics"), &said);
}

/// They would leave a registry for the old process, which goes on.
#[test]
fn its_before_stop_hooks_run_only_once_it_has_been_ready() {
    let folder = Folder::new("registered");
    let service = Service::of(&folder);
    let old = service.process(1);
    folder.next_version("registered never_ready");
    service.ask(old);
    service.child.prints("never ready");
    let new = service.process(2);
    kill(new, Signal::SIGTERM).expect("it is there");
    service.child.says("upgrade failed: ");
    until_gone(new);
    folder.next_version("registered");
    service.ask(old);
    service.child.prints("before_stop 1: generation 2 has taken over");
    service.child.says("generation 2 serves");
    service.stop(last_process(&service));
    service.child.prints_part("before_stop 2: ");
    let printed = service.child.to_string();
    assert_eq!(printed.matches("before_stop 2: ").count(), 1, "{printed}");
}

#[test]
fn it_binds_a_port_that_the_old_one_has() {
    let folder = Folder::new("binds");
    let service = Service::of(&folder);
    let old = service.process(1);
    service.ask(old);
    service.child.says("upgrade failed: the new process ended before it was ready: ");
    service
        .child
        .says("upgrade: no socket is from graceful::listen(): the new process cannot bind a port that this one has");
    service.stop(old);
}

#[test]
fn its_program_is_missing() {
    let missing = |folder: &Folder| fs::remove_file(folder.program()).expect("it is there");
    fails("", missing, &["could not be started: ", "/service: No such file"]);
}

#[test]
fn its_program_may_not_be_executed() {
    let said = ["could not be started: ", "Permission denied"];
    fails("", |folder| folder.replace("service", b"data", 0o644), &said);
}

#[test]
fn its_program_is_none() {
    // Whether the system refuses it or gives it to a shell, which fails, is the C library's choice.
    fails("", |folder| folder.replace("service", &[0x7f, b'E', b'L', b'F', 0, 1, 2, 3], 0o755), &["the new process "]);
}

#[test]
fn its_program_is_another_one() {
    let other = fs::read("/bin/false").expect("it is there");
    fails("", |folder| folder.replace("service", &other, 0o755), &["ended before it was ready: exit code 1"]);
}

#[test]
fn its_program_is_a_script_that_fails() {
    let script = b"#!/bin/sh\necho no configuration >&2\nexit 5\n";
    let said = ["ended before it was ready: exit code 5"];
    fails("", |folder| folder.replace("service", script, 0o755), &said);
}

#[test]
fn it_speaks_another_version_of_the_protocol() {
    // A frame that says: ready, version 2, process 1.
    let script = b"#!/bin/bash\nprintf 'R\\x10\\0\\0\\0\\x04\\0\\0\\0\\x02\\0\\0\\0\\x04\\0\\0\\0\\x01\\0\\0\\0' \
        >&\"${GRACEFUL_PREDECESSOR%%:*}\"\nexec sleep 1000\n";
    let said = ["does not understand this one: it speaks version 2 of the protocol, and this one version 1"];
    fails("", |folder| folder.replace("service", script, 0o755), &said);
}

#[test]
fn it_sends_what_cannot_be_read() {
    let script = b"#!/bin/bash\nprintf 'GET / HTTP/1.1\\r\\n' >&\"${GRACEFUL_PREDECESSOR%%:*}\"\nexec sleep 1000\n";
    fails("", |folder| folder.replace("service", script, 0o755), &["does not understand this one: another version"]);
}

#[test]
fn it_cannot_read_what_it_is_left() {
    fails(
        "bequeaths",
        |folder| folder.next_version("counts"),
        &["exit code 1: Error: Broken(\"the count is no count\")"],
    );
}

#[test]
fn what_is_left_for_it_is_too_long_or_cannot_be_made() {
    for (mode, said) in [
        ("offers_much", "hand_over `much` returned 1048577 bytes, and 1048576 are the most; this process goes on"),
        ("offer_panics", "hand_over `bad` panicked: no bytes today; this process goes on"),
    ] {
        let folder = Folder::new(mode);
        let service = Service::of(&folder);
        service.ask(service.process(1));
        service.child.says(&format!("upgrade failed: the new process could not be started: {said}"));
        assert_eq!(service.generation(), 1);
        assert!(!service.child.to_string().contains("start 2"));
        service.stop(service.process(1));
    }
}

#[test]
fn what_is_left_for_it_does_not_come() {
    let folder = Folder::new("offer_hangs");
    let service = Service::start(folder.command().env("LIMIT", "300").env("BUDGET", "1000"));
    service.ask(service.process(1));
    service.child.says("hand_over `slow` did not return within 300 ms; this process goes on");
    assert_eq!(service.generation(), 1);
    service.stop(service.process(1));
}

#[test]
fn what_it_has_started_ends_with_it() {
    let folder = Folder::new("");
    let service = Service::start(folder.command().env("LIMIT", "1000"));
    folder.next_version("leaves_a_child never_ready");
    service.ask(service.process(1));
    service.child.prints("never ready");
    let child = number_after(&service.child.to_string(), "stdout | child ").expect("it is printed");
    assert!(is_running(child));
    service.child.says("was not ready within 1 s");
    until_gone(child);
    assert_eq!(service.generation(), 1);
    service.stop(service.process(1));
}

#[test]
fn three_that_fail_leave_no_zombie() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    folder.next_version("exits");
    for count in 1..=3 {
        service.ask(old);
        let said = |count: usize| service.child.to_string().matches("upgrade failed: ").count() >= count;
        until("it is said", || said(count));
    }
    until("they are reaped", || children(old).is_empty());
    assert!(service.get("/status").contains("upgrades failed: 3, "));
    service.stop(old);
}

#[test]
fn one_request_after_another_while_it_starts_starts_nothing_more() {
    let folder = Folder::new("");
    let service = Service::start(folder.command().env("LIMIT", "1500"));
    let old = service.process(1);
    folder.next_version("never_ready");
    service.ask(old);
    service.child.prints("never ready");
    for _ in 0..2 {
        service.ask(old);
        service.child.says("an upgrade is under way; this request gets its outcome");
        sleep(Duration::from_millis(100));
    }
    assert_eq!(service.get("/upgrade"), "the new process was not ready within 1.5 s (upgrade_timeout) and was ended");
    assert_eq!(service.child.to_string().matches("stdout | start 2").count(), 1);
    service.stop(old);
}
