//! A client of a child, over a plain socket: it does nothing but what the test says.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Child;

/// Longer than an answer takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The address that a child has printed after these words.
pub fn address_after(service: &Child, words: &str) -> SocketAddr {
    let printed = service.to_string();
    let (_, rest) = printed.split_once(words).expect("it says where it listens");
    let line = rest.lines().next().unwrap_or(rest);
    let address = line.trim_start_matches("http://").split('/').next();
    let address = address.and_then(|address| address.parse().ok());
    address.unwrap_or_else(|| panic!("no address and port: {line}"))
}

/// Connects. Reads have a timeout.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the child listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
}

/// The status of the answer to a request without a body.
pub fn ask(address: SocketAddr, request: &str) -> u16 {
    let mut client = connect(address);
    write!(client, "{request} HTTP/1.0\r\n\r\n").expect("the request is sent");
    let answer = rest_of(client);
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {answer}"))
}

/// The listener closes soon, and stays closed.
pub fn wait_until_refused(address: SocketAddr) {
    let begun = Instant::now();
    let refused =
        |result: std::io::Result<TcpStream>| result.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    while !refused(TcpStream::connect(address)) {
        assert!(begun.elapsed() < PATIENCE, "it still accepts connections");
    }
    assert!(refused(TcpStream::connect(address)), "it accepts again");
}

/// Whether nothing has arrived.
pub fn is_silent(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("it is a socket");
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("it is a socket");
    seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Everything that still arrives, up to an orderly end.
pub fn rest_of(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the stream ends in good order");
    text
}

/// What arrives up to these words.
pub fn read_up_to(stream: &mut TcpStream, words: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(words.as_bytes()) {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .unwrap_or_else(|error| panic!("no {words:?}: {error}: {}", String::from_utf8_lossy(&text)));
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("it is text")
}
