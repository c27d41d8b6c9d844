//! A server under test, and what its clients see.
#![allow(dead_code)] // each suite uses a part of it

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use libraries_servers::client::{address_after, connect};
use libraries_servers::{Child, End, Signal};

pub const SECOND: Duration = Duration::from_secs(1);

/// The delay that a busy machine may add.
pub const SLACK: Duration = Duration::from_secs(3);

pub struct Server {
    pub child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self::with(program, arguments, &[])
    }

    /// With these variables in its environment.
    pub fn with(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let child = Child::start(Command::new(program).args(arguments).envs(variables.iter().copied()));
        child.prints_part("listening on ");
        Self { address: address_after(&child, "listening on "), child }
    }

    /// A request, which is in hand when this returns.
    pub fn ask(&self, path: &str) -> TcpStream {
        let client = self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        self.child.prints("in hand");
        client
    }

    pub fn send(&self, text: &str) -> TcpStream {
        let mut client = connect(self.address);
        client.write_all(text.as_bytes()).expect("it is sent");
        client
    }

    /// A part of a request, which the server has read when this returns.
    pub fn send_half(&self) -> TcpStream {
        let client = self.send("GET /slow HTTP/1.1\r\nho");
        wait_until_read(&client);
        client
    }

    /// The stop has begun when this returns.
    pub fn stop(&self, signal: Signal) -> Instant {
        let asked = self.child.send(signal);
        self.child.says("stopping");
        asked
    }
}

/// Waits until the server has taken what was sent: as the kernel has it, its queue is empty.
fn wait_until_read(client: &TcpStream) {
    let hexadecimal = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else { panic!("an address of IPv4") };
        format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
    };
    let server = hexadecimal(client.peer_addr().expect("it is connected"));
    let own = hexadecimal(client.local_addr().expect("it is connected"));
    let is_read = || {
        let table = fs::read_to_string("/proc/net/tcp").expect("the kernel lists its sockets");
        let mut sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let socket = sockets.find(|fields| fields.get(1) == Some(&&*server) && fields.get(2) == Some(&&*own));
        socket.is_some_and(|fields| fields[4].ends_with(":00000000"))
    };
    let begun = Instant::now();
    while !is_read() {
        assert!(begun.elapsed() < 10 * SECOND, "it is not read");
        thread::yield_now();
    }
}

/// All that a client gets: also before a reset.
pub fn all_of(mut client: TcpStream) -> String {
    let mut text = Vec::new();
    match client.read_to_end(&mut text) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            panic!("it is neither answered nor closed: {error}")
        }
        _ => String::from_utf8(text).expect("it is text"),
    }
}

/// The answer arrives whole.
#[track_caller]
pub fn is_answered(client: TcpStream) {
    let answer = all_of(client);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
    assert!(answer.contains("slow"), "{answer:?}");
}

/// Nothing arrives.
#[track_caller]
pub fn is_cut(client: TcpStream) {
    assert_eq!(all_of(client), "");
}

/// Whether somebody listens, and says hello.
pub fn is_served(address: SocketAddr) -> bool {
    let Ok(mut client) = TcpStream::connect(address) else { return false };
    client.set_read_timeout(Some(10 * SECOND)).expect("not zero");
    if client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").is_err() {
        return false;
    }
    all_of(client).ends_with("hello\n")
}

#[track_caller]
pub fn ends_with(end: &End, code: i32, asked: Instant, within: Duration) {
    end.assert_code(code);
    end.assert_gone_between(asked, Duration::ZERO, within + SLACK);
}
