//! What the new process has of the old one, and what not.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::service::{Folder, Service, files, until, until_gone};

#[test]
fn arguments_environment_and_directory_are_those_of_the_start() {
    let folder = Folder::new("moves");
    let mut command = folder.command();
    command.args(["second argument", ""]).env("MARK", "left as it was").current_dir(folder.path());
    let service = Service::start(&mut command);
    let old = service.process(1);
    let of = |process, what: &str| fs::read(format!("/proc/{process}/{what}")).expect("it runs");
    let (arguments, environment) = (of(old, "cmdline"), of(old, "environ"));
    assert_eq!(fs::read_link(format!("/proc/{old}/cwd")).expect("it runs").to_str(), Some("/"));
    folder.next_version("");
    let new = service.upgrade(2);
    assert_eq!(of(new, "cmdline"), arguments);
    assert_eq!(fs::read_link(format!("/proc/{new}/cwd")).expect("it runs"), folder.path());
    let variables =
        |bytes: Vec<u8>| -> HashSet<Vec<u8>> { bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect() };
    let (before, now) = (variables(environment), variables(of(new, "environ")));
    let more: Vec<_> = now.difference(&before).map(|one| String::from_utf8_lossy(one).into_owned()).collect();
    // The block that the kernel shows is that of the exec: what it has of ours is taken away at once.
    assert!(more.len() == 1 && more[0].starts_with("GRACEFUL_PREDECESSOR="), "{more:?}");
    assert!(before.is_subset(&now));
    service.stop(new);
}

#[test]
fn what_the_new_process_starts_has_no_variable_and_no_file_more() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    folder.next_version("has_children leaves_a_child");
    let new = service.upgrade(2);
    until("it has two children", || crate::service::children(new).len() == 2);
    for child in crate::service::children(new) {
        until("it is executed", || {
            fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"))
        });
        let environment = fs::read(format!("/proc/{child}/environ")).expect("it runs");
        let environment = String::from_utf8_lossy(&environment).into_owned();
        for name in ["GRACEFUL_PREDECESSOR", "LISTEN_"] {
            assert!(!environment.contains(name), "{environment}");
        }
        let numbers: Vec<_> = files(child).into_iter().filter(|(_, name)| name.starts_with("socket:")).collect();
        assert!(numbers.is_empty(), "{numbers:?}");
    }
    service.stop(new);
}

#[test]
fn files_that_the_old_process_left_open_and_signals_it_blocked_do_not_pile_up() {
    let folder = Folder::new("leaks");
    let service = Service::of(&folder);
    let leaked = |process| files(process).into_iter().filter(|(_, name)| name == "/dev/zero").count();
    assert_eq!(leaked(service.process(1)), 3);
    for generation in 2..=4 {
        let process = service.upgrade(generation);
        assert_eq!(leaked(process), 3, "its own");
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
        // Only main's thread is one that blocks it.
        let blocked = status.lines().find(|line| line.starts_with("SigBlk:")).expect("it is there");
        assert!(blocked.ends_with("0000000000000000") || blocked.ends_with("0000000000000200"), "{blocked}");
    }
    folder.next_version("");
    let process = service.upgrade(5);
    assert_eq!(leaked(process), 0);
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
    service.stop(process);
}

#[test]
fn a_relative_path_works_when_the_directory_has_changed_since() {
    let folder = Folder::new("moves");
    let mut command = Command::new("./service");
    command.arg(folder.path()).current_dir(folder.path());
    let service = Service::start(&mut command);
    service.upgrade(2);
    let new = service.upgrade(3);
    assert_eq!(service.generation(), 3);
    service.stop(new);
}

#[test]
fn a_made_up_name_works_too() {
    let folder = Folder::new("");
    let service = Service::start(folder.command().arg0("a name that is no path"));
    let new = service.upgrade(2);
    let line = fs::read(format!("/proc/{new}/cmdline")).expect("it runs");
    assert!(line.starts_with(b"a name that is no path\0"));
    service.stop(new);
}

#[test]
fn a_link_is_followed_anew() {
    let folder = Folder::new("");
    let release = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("it can be made");
        fs::copy(folder.program(), path.join("service")).expect("it can be copied");
        let beside = folder.path().join("current.new");
        symlink(name, &beside).expect("it can be made");
        fs::rename(beside, folder.path().join("current")).expect("it can be renamed");
    };
    release("one");
    let mut command = Command::new(folder.path().join("current/service"));
    let service = Service::start(command.arg(folder.path()));
    release("two");
    fs::remove_dir_all(folder.path().join("one")).expect("it is there");
    let new = service.upgrade(2);
    let program = fs::read_link(format!("/proc/{new}/exe")).expect("it runs");
    assert_eq!(program, folder.path().join("two/service"));
    service.stop(new);
}

#[test]
fn a_working_directory_that_is_gone_is_named() {
    let folder = Folder::new("");
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("it can be made");
    let service = Service::start(folder.command().current_dir(&place));
    fs::remove_dir(&place).expect("it is empty");
    service.ask(service.process(1));
    service.child.says("could not be started: its working directory ");
    fs::create_dir(&place).expect("it can be made");
    let new = service.upgrade(2);
    service.stop(new);
}

#[test]
fn the_pid_file_names_the_process_that_serves() {
    let folder = Folder::new("moves");
    let mut command = folder.command();
    let service = Service::start(command.current_dir(folder.path()).env("PID_FILE", "pid"));
    let read = || fs::read_to_string(folder.path().join("pid")).unwrap_or_default();
    until("it is written", || read() == format!("{}\n", service.process(1)));
    folder.next_version("fails");
    service.ask(service.process(1));
    service.child.says("upgrade failed");
    assert_eq!(read(), format!("{}\n", service.process(1)));
    folder.next_version("");
    service.ask(service.process(1));
    service.child.says("generation 2 serves");
    until_gone(service.process(1));
    let new = read();
    assert_eq!(new.trim_end(), service.get("/").trim_start_matches("2 "));
    service.stop(nix::unistd::Pid::from_raw(new.trim_end().parse().expect("a number")));
    assert_eq!(read(), "");
}
