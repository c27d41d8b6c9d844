//! What the tests of the page share: the program that is looked at, and requests to it.
#![cfg(unix)]
#![allow(clippy::missing_panics_doc)] // everything here panics: that is how a test fails

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use graceful_tests::Child;
use graceful_tests::client::{PATIENCE, address_after, connect, rest_of};
use serde_json::Value;

/// The program, once it is ready, and where its page is.
pub fn shown(program: &str, arguments: &[&str]) -> (Child, SocketAddr) {
    shown_as(Command::new(program).args(arguments))
}

/// The same of a command.
pub fn shown_as(command: &mut Command) -> (Child, SocketAddr) {
    let child = Child::start(command.env_remove("GRACEFUL_REPORT"));
    child.prints("up");
    child.prints_part("page on http://");
    let address = address_after(&child, "page on http://");
    (child, address)
}

/// The answer to a request that accepts this, its head and its body.
pub fn get(address: SocketAddr, accept: &str) -> (String, String) {
    let mut client = connect(address);
    write!(client, "GET /debug/graceful HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n")
        .expect("the request is sent");
    let answer = rest_of(client);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

/// Somebody looks: the events of the page, what kind each is, and the snapshot, until the stream ends in good order.
pub struct Viewer(BufReader<TcpStream>);

impl Viewer {
    /// Begins to look.
    pub fn new(address: SocketAddr) -> Self {
        let mut client = connect(address);
        write!(client, "GET /debug/graceful HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            .expect("the request is sent");
        Self(BufReader::new(client))
    }

    /// The first event of which this holds.
    #[track_caller]
    pub fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        let mut last = Value::Null;
        for (_, view) in self.by_ref() {
            if holds(&view) {
                return view;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not come: {view}");
            last = view;
        }
        panic!("the stream has ended with {last}")
    }
}

impl Iterator for Viewer {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let mut kind = String::new();
        loop {
            let mut line = String::new();
            let length = self.0.read_line(&mut line).expect("it can be read");
            let line = line.trim_end();
            if let Some(data) = line.strip_prefix("data: ") {
                return Some((kind, serde_json::from_str(data).expect("JSON")));
            }
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut kind);
            }
            // The last chunk of the body is empty.
            if length == 0 || line == "0" {
                return None;
            }
        }
    }
}

/// What the program has printed at its very end: its status.
pub fn status(end: &graceful_tests::End) -> Value {
    let line = end.printed().into_iter().find_map(|line| line.strip_prefix("status: ")).expect("it says so");
    serde_json::from_str(line).expect("JSON")
}

/// A `Duration` as serde writes it, in milliseconds.
pub fn ms(duration: &Value) -> f64 {
    let part = |name| duration[name].as_f64().expect("a duration");
    part("secs") * 1e3 + part("nanos") / 1e6
}
