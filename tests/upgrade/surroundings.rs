//! What starts the service: wrappers, inits, systemd's sockets, a low limit of files.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use graceful_tests::Child;
use nix::sys::resource::rlim_t;
use nix::unistd::Pid;

use crate::clients::Clients;
use crate::service::{Folder, PATIENCE, Service, address_of, children, files, get, number_after, until, until_gone};

#[test]
fn a_shell_that_executes_it_is_no_obstacle() {
    let folder = Folder::new("");
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$1\""]).arg(folder.program()).arg(folder.path());
    let service = Service::start(&mut command);
    let new = service.upgrade(2);
    assert_eq!(service.generation(), 2);
    service.stop(new);
}

#[test]
fn a_script_in_its_place_that_executes_the_program_is_none_either() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    fs::rename(folder.program(), folder.path().join("real")).expect("it is there");
    let script = |exec: &str| format!("#!/bin/sh\n{exec} \"$(dirname \"$0\")/real\" \"$@\"\n");
    folder.replace("service", script("exec").as_bytes(), 0o755);
    service.upgrade(2);
    until_gone(service.process(1));
    assert_eq!(service.generation(), 2);
    service.stop(service.process(2));
}

#[test]
fn a_script_without_a_first_line_that_names_its_shell_is_none_either() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    fs::rename(folder.program(), folder.path().join("real")).expect("it is there");
    folder.replace("service", b"exec \"$(dirname \"$0\")/real\" \"$@\"\n", 0o755);
    service.upgrade(2);
    until_gone(service.process(1));
    assert_eq!(service.generation(), 2);
    service.stop(service.process(2));
}

#[test]
fn a_script_that_starts_the_program_as_a_child_is_none_either() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    fs::rename(folder.program(), folder.path().join("real")).expect("it is there");
    folder.replace("service", b"#!/bin/sh\n\"$(dirname \"$0\")/real\" \"$@\"\n", 0o755);
    service.upgrade(2);
    until_gone(service.process(1));
    let new = service.process(2);
    assert_eq!(service.get("/"), format!("2 {new}"), "the process that is ready, not the script");
    service.stop(new);
}

#[test]
fn under_tini_it_is_refused_and_nothing_changes() {
    let Ok(version) = Command::new("tini").arg("--version").output() else {
        println!("skipped: there is no tini");
        return;
    };
    assert!(version.status.success());
    let folder = Folder::new("");
    let mut command = Command::new("tini");
    command.args(["-s", "--"]).arg(folder.program()).arg(folder.path());
    let service = Service::start(&mut command);
    let process = service.process(1);
    service.ask(process);
    service.child.says("upgrade refused: `tini` started this process and takes its end for that of the service");
    assert_eq!(service.generation(), 1);
    service.stop(process);
}

#[test]
fn as_pid_1_it_is_refused_and_so_it_is_below_an_init_of_our_own() {
    for (reap, said) in [
        (false, "upgrade refused: this process is PID 1, and its end is that of the container: deploy"),
        (true, "upgrade refused: `graceful-init` started this process"),
    ] {
        let folder = Folder::new("");
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(folder.program()).arg(folder.path());
        if reap {
            command.env("REAP", "1");
        }
        let mut child = Child::start(&mut command);
        child.be_patient(PATIENCE);
        let is_allowed = Command::new("unshare").args(["--pid", "--fork", "true"]).status().is_ok_and(|s| s.success());
        if !is_allowed {
            println!("skipped: namespaces take root");
            return;
        }
        child.prints_part("up 1 pid ");
        let address = address_of(&child, "up 1 pid ");
        let refused = get(address, "/upgrade").expect("an answer");
        assert!(said.ends_with(&refused) || format!("upgrade refused: {refused}").starts_with(said), "{refused}");
        child.says(said);
        assert!(get(address, "/").expect("an answer").starts_with("1 "));
    }
}

#[test]
fn sockets_of_systemd_go_on_from_one_process_to_the_next() {
    let folder = Folder::new("");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let mut child = Child::start_with_listener(&folder.command(), &listener);
    child.be_patient(PATIENCE);
    child.prints_part("up 1 pid ");
    let service = Service { child, address };
    service.upgrade(2);
    let new = service.upgrade(3);
    assert_eq!(service.get("/"), format!("3 {new}"));
    let environment = fs::read(format!("/proc/{new}/environ")).expect("it runs");
    assert!(!String::from_utf8_lossy(&environment).contains("LISTEN_"));
    // It is still systemd's: clients wait for the next process.
    service.stop(new);
    listener.set_nonblocking(true).expect("it is a socket");
    let waiting = std::net::TcpStream::connect(address).expect("it is open");
    until("it is there", || listener.accept().is_ok());
    drop(waiting);
}

#[test]
fn a_limit_of_files_that_is_nearly_used_up_refuses_nothing_but_the_upgrade() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    for room in 0..=8 {
        limit(old.as_raw(), with_room_for(room, old));
        let said = service.child.to_string().matches("upgrade failed: ").count();
        service.ask(old);
        let is_over = || {
            let now = service.child.to_string();
            now.matches("upgrade failed: ").count() > said || now.contains("upgrade done: ")
        };
        until("it is over", is_over);
        if service.child.to_string().contains("upgrade done: ") {
            // Both ends of the channel.
            assert!(room >= 2, "it cannot have had the files");
            until_gone(old);
            let new = service.process(2);
            assert_eq!(service.get("/"), format!("2 {new}"));
            service.stop(new);
            return;
        }
        service.child.says("upgrade failed: the new process could not be started: ");
        assert!(children(old).is_empty());
    }
    panic!("not even with room for eight files\n{}", service.child);
}

/// The limit under which so many numbers are free.
fn with_room_for(room: usize, process: Pid) -> rlim_t {
    let used: Vec<_> = files(process).into_iter().map(|(number, _)| number).collect();
    let mut free = (0..).filter(|number| !used.contains(number));
    free.nth(room).expect("numbers do not end").into()
}

fn limit(process: i32, files: rlim_t) {
    let status = Command::new("prlimit").args(["--pid", &process.to_string(), &format!("--nofile={files}:")]).status();
    assert!(status.expect("prlimit runs").success());
}

#[test]
fn fifty_upgrades_fit_under_a_limit_of_sixty_four_files() {
    let folder = Folder::new("");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$1\""]).arg(folder.program()).arg(folder.path());
    let service = Service::start(&mut command);
    let clients = Clients::start(service.address, 1);
    for generation in 2..=51 {
        service.upgrade(generation);
    }
    clients.finish();
    let last = service.process(51);
    assert!(number_after(&service.child.to_string(), "up 51 pid ").is_some());
    service.stop(last);
}

/// The threads of this crate have a higher priority there than the program's own; the new process is not one of them.
#[test]
fn in_a_real_time_service_each_process_has_the_priority_of_the_first() {
    if !Command::new("chrt").args(["-r", "1", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: real-time priorities take root, and chrt");
        return;
    }
    let folder = Folder::new("");
    let mut command = Command::new("chrt");
    command.args(["-r", "1"]).arg(folder.program()).arg(folder.path());
    let service = Service::start(&mut command);
    let first = scheduling(service.process(1));
    let second = scheduling(service.upgrade(2));
    let last = service.upgrade(3);
    assert_eq!((&second, &scheduling(last)), (&first, &first));
    assert_eq!(first, ["1", "2"], "of SCHED_RR");
    service.stop(last);
}

/// Real-time priority and policy of the main thread: fields 40 and 41 of `proc_pid_stat(5)`.
fn scheduling(process: Pid) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, from_the_third) = stat.rsplit_once(") ").expect("a name");
    from_the_third.split(' ').skip(37).take(2).map(str::to_owned).collect()
}
