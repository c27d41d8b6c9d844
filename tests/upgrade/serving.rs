//! What clients see of upgrades that succeed, and what the processes have afterwards.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::client::{connect, read_up_to, rest_of};

use crate::clients::Clients;
use crate::service::{Folder, PATIENCE, Service, address_of, files, get, is_running, threads, until, until_gone};

#[test]
fn twenty_upgrades_cost_no_client_anything() {
    let folder = Folder::new("two unix udp");
    let service = Service::of(&folder);
    let clients = Clients::start(service.address, 4);
    for generation in 2..=21 {
        let before = clients.answered();
        service.upgrade(generation);
        until("clients are at work", || clients.answered() > before + 20);
        assert_eq!(service.generation(), generation);
    }
    let answered = clients.finish();
    assert!(answered > 20 * 20, "{answered}");
    service.stop(service.process(21));
}

#[test]
fn open_files_and_threads_are_the_same_after_twenty_as_after_one() {
    let folder = Folder::new("two unix udp");
    let service = Service::of(&folder);
    // A thread that has just begun has the name of the program.
    let look_at = |process| {
        let are_settled = |names: &[String]| {
            !names.contains(&"graceful-takeov".to_owned())
                && names.iter().filter(|name| *name == "service").count() == 1
        };
        until("its thread that waited has ended", || are_settled(&threads(process)));
        // The kind of each file, by number: a socket has another name in each process.
        let kind = |(number, name): (u32, String)| (number, name.split(':').next().unwrap_or_default().to_owned());
        (files(process).into_iter().map(kind).collect::<Vec<_>>(), threads(process))
    };
    let unused = look_at(service.process(1)).1;
    assert!(!unused.iter().any(|name| name.starts_with("graceful-up")), "a thread that nothing needs: {unused:?}");
    let first = look_at(service.upgrade(2));
    assert_eq!(first.1, unused);
    for generation in 3..=21 {
        assert_eq!(look_at(service.upgrade(generation)), first, "generation {generation}");
    }
    service.stop(service.process(21));
}

#[test]
fn requests_in_hand_and_websockets_end_in_the_old_process() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    let mut slow = connect(service.address);
    write!(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is sent");
    service.child.prints("in hand");
    let mut socket = connect(service.address);
    let upgrade = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).expect("it is sent");
    read_up_to(&mut socket, "\r\n\r\n");
    service.upgrade(2);
    // Both serve: the new one takes who comes now.
    assert_eq!(service.generation(), 2);
    let answer = rest_of(slow);
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert!(answer.ends_with(&format!("1 {old}")), "{answer}");
    // A frame with a mask of zeros, and its echo.
    socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).expect("it is sent");
    let mut echo = [0; 4];
    socket.read_exact(&mut echo).expect("it is answered");
    assert_eq!(echo, [0x81, 2, b'h', b'i']);
    assert!(is_running(old));
    drop(socket);
    until_gone(old);
    service.stop(service.process(2));
}

#[test]
fn a_kept_connection_that_is_idle_gets_a_last_chance() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    let mut kept = connect(service.address);
    write!(kept, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is sent");
    read_up_to(&mut kept, &format!("1 {old}"));
    service.upgrade(2);
    write!(kept, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is sent");
    let answer = rest_of(kept);
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert!(answer.ends_with("true"), "the service is ready: {answer}");
    service.stop(service.process(2));
}

#[test]
fn the_old_process_accepts_alone_until_the_new_one_is_ready_and_the_new_one_alone_from_then_on() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    let old = service.process(1);
    folder.next_version("accepts_early");
    service.ask(old);
    service.child.prints("serves early");
    for _ in 0..50 {
        assert_eq!(service.get("/"), format!("1 {old}"));
    }
    assert!(service.get("/status").contains("an upgrade is under way"));
    service.child.says("generation 2 serves");
    let new = service.process(2);
    // It has no connection left, and ends.
    until_gone(old);
    for _ in 0..50 {
        assert_eq!(service.get("/"), format!("2 {new}"));
    }
    service.stop(new);
}

#[test]
fn each_socket_goes_on_under_its_name() {
    let folder = Folder::new("two unix udp");
    let service = Service::of(&folder);
    let admin = address_of(&service.child, "admin ");
    let datagrams = address_of(&service.child, "udp ");
    let unix = folder.path().join("socket");
    service.upgrade(2);
    until_gone(service.process(1));
    assert!(get(admin, "/").expect("an answer").starts_with("2 "));
    let mut stream = UnixStream::connect(&unix).expect("it is there");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    write!(stream, "GET / HTTP/1.0\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("\r\n\r\n2 "), "{answer}");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
    client.set_read_timeout(Some(PATIENCE)).expect("not zero");
    client.send_to(b"ping", datagrams).expect("it is sent");
    let mut echo = [0; 8];
    assert_eq!(client.recv_from(&mut echo).expect("an answer"), (4, datagrams));
    service.stop(service.process(2));
}

#[test]
fn a_socket_that_nobody_asks_for_is_closed_and_one_that_is_new_is_bound() {
    let folder = Folder::new("two");
    let service = Service::of(&folder);
    let admin = address_of(&service.child, "admin ");
    folder.next_version("udp");
    service.upgrade(2);
    service.child.says(&format!("graceful[http#2]: closed the socket `admin` ({admin})"));
    until_gone(service.process(1));
    assert!(TcpStream::connect(admin).is_err());
    assert_ne!(address_of(&service.child, "udp ").port(), 0);
    service.stop(service.process(2));
}

#[test]
fn an_address_that_has_changed_is_bound_anew() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    folder.replace("address", b"127.0.0.2:0", 0o644);
    service.upgrade(2);
    service.child.says(&format!("closed the socket `http` ({})", service.address));
    let new = address_of(&service.child, "up 2 pid ");
    assert_eq!(new.ip().to_string(), "127.0.0.2");
    assert!(get(new, "/").expect("an answer").starts_with("2 "));
    until_gone(service.process(1));
    assert!(TcpStream::connect(service.address).is_err());
    // The same address in other words is the same socket.
    folder.replace("address", format!("127.0.0.2:{}", new.port()).as_bytes(), 0o644);
    service.upgrade(3);
    assert_eq!(address_of(&service.child, "up 3 pid "), new);
    service.stop(service.process(3));
}

#[test]
fn the_caller_of_upgrade_gets_the_outcome_and_so_does_whoever_asks_meanwhile() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    folder.next_version("starts_slowly");
    let address = service.address;
    let askers: Vec<_> = (0..3)
        .map(|_| {
            let asker = thread::spawn(move || get(address, "/upgrade").expect("an answer"));
            thread::sleep(Duration::from_millis(50));
            asker
        })
        .collect();
    service.ask(service.process(1));
    for asker in askers {
        assert_eq!(asker.join().expect("it does not panic"), "done");
    }
    service.child.says("generation 2 serves");
    until_gone(service.process(1));
    assert_eq!(
        service.child.to_string().matches("start ").count() - service.child.to_string().matches("start the").count(),
        2
    );
    service.stop(service.process(2));
}

#[test]
fn the_old_process_ends_with_its_stop_and_exit_code_zero_even_where_it_would_die_of_a_signal() {
    let folder = Folder::new("");
    let service = Service::start(folder.command().env("RERAISE", "1"));
    let asked = Instant::now();
    let new = service.upgrade(2);
    until_gone(service.process(1));
    assert!(asked.elapsed() < PATIENCE);
    service.child.says("graceful[http]: stopping: generation 2 has taken over; gone in 10 s at the latest");
    service.child.says("graceful[http]: upgrade done: generation 2, process");
    service.child.says("graceful[http]: stopped in ");
    service.stop(new);
    service.child.says("graceful[http#2]: stopping: SIGTERM");
}
