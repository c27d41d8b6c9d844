//! The examples as a stranger runs them: compiled from the same files, stopped by a real signal while work is
//! in hand.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use graceful_tests::Child;

const MINIMAL: &str = env!("CARGO_BIN_EXE_example-minimal");
const WORKERS: &str = env!("CARGO_BIN_EXE_example-workers");
const HTTP: &str = env!("CARGO_BIN_EXE_example-http");
const TCP_ECHO: &str = env!("CARGO_BIN_EXE_example-tcp-echo");
const SERVICE: &str = env!("CARGO_BIN_EXE_example-service");

/// Longer than an answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn http_answers_the_request_in_hand_and_accepts_no_other() {
    let service = Child::start(Command::new(HTTP).arg("0"));
    service.prints("press Ctrl-C here while it waits");
    let address = listens_at(&service);
    let mut client = connect(address);
    client
        .write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .expect("the request is sent");
    service.prints("/slow: a request begins");

    service.terminate();
    service.says("stopping: SIGTERM");
    wait_until_refused(address);
    assert!(is_silent(&client), "the answer came before the stop");

    let response = rest_of(client);
    let (head, body) = response
        .split_once("\r\n\r\n")
        .expect("a head and a body arrive");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let length = format!("content-length: {}", body.len());
    assert!(head.contains(&length), "{head}\n{body}");
    assert_eq!(body, "finished, whatever came in between\n");
    service.end().assert_code(0);
}

#[test]
fn tcp_echo_finishes_the_line_in_hand_and_accepts_no_other() {
    let service = Child::start(Command::new(TCP_ECHO).arg("0"));
    service.prints("type a line there, and press Ctrl-C here while it comes back");
    let address = listens_at(&service);
    let idle = connect(address);
    let mut client = connect(address);
    client
        .write_all(b"the line in hand at the stop\n")
        .expect("the line is sent");
    let mut first = [0];
    client.read_exact(&mut first).expect("the echo begins");

    service.terminate();
    service.says("stopping: SIGTERM");
    wait_until_refused(address);

    assert_eq!(first, *b"t");
    assert_eq!(rest_of(client), "he line in hand at the stop\n");
    assert_eq!(rest_of(idle), "", "an idle connection is closed");
    service.end().assert_code(0);
}

#[test]
fn minimal_finishes_its_round() {
    let program = Child::start(&mut Command::new(MINIMAL));
    program.prints("a round begins; press Ctrl-C");
    program.terminate();
    let end = program.end();
    end.assert_code(0);
    assert_eq!(
        end.printed(),
        ["a round begins; press Ctrl-C", "a round is done"]
    );
}

#[test]
fn workers_does_every_job_that_was_queued() {
    let program = Child::start(&mut Command::new(WORKERS));
    program.prints("job 4 queued");
    program.terminate();
    let end = program.end();
    end.assert_code(0);
    let printed = end.printed();
    let count = |what| printed.iter().filter(|line| line.ends_with(what)).count();
    assert!(count(" queued") >= 4, "{end}");
    assert_eq!(count(" queued"), count(" done"), "{end}");
}

#[test]
fn service_is_not_ready_but_alive_during_the_drain_and_closes_in_order() {
    let service = Child::start(
        Command::new(SERVICE)
            .env("ORDERS", "127.0.0.1:0")
            .env("HEALTH", "127.0.0.1:0")
            .env("GRACEFUL_DRAIN", "3s"),
    );
    service.says("worker `follow` failed: \"connection lost\"; again in ");
    let orders = address_after(&service, "ORDERS=");
    let health = address_after(&service, "HEALTH=");
    assert_eq!(ask(health, "GET /livez"), 200);
    assert_eq!(ask(health, "GET /readyz"), 200);

    let asked = service.terminate();
    service.says("stopping: SIGTERM");
    assert_eq!(ask(health, "GET /readyz"), 503);
    assert_eq!(ask(health, "GET /livez"), 200);
    service.prints("ingest: no further message");
    assert_eq!(ask(orders, "POST /orders"), 200, "a drain goes on serving");
    let mut client = connect(health);
    write!(client, "GET /debug/graceful HTTP/1.0\r\n\r\n").expect("the request is sent");
    let table = rest_of(client);
    assert!(table.contains("draining, up "), "{table}");
    assert!(table.contains("stop: SIGTERM"), "{table}");

    let end = service.end();
    end.assert_code(0);
    end.assert_said("stopped in 3");
    end.assert_gone_between(asked, Duration::from_secs(3), PATIENCE);
    let printed = end.printed();
    assert_eq!(
        printed[printed.len() - 4..],
        [
            "ingest: no further message",
            "write: every row written",
            "pool: closed",
            "log: flushed"
        ],
        "{end}"
    );
}

#[test]
fn a_port_in_use_is_one_clear_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let port = address.port().to_string();
    for example in [HTTP, TCP_ECHO] {
        let by_argument = Child::start(Command::new(example).arg(&port));
        let by_variable = Child::start(Command::new(example).env("PORT", &port));
        for end in [by_argument.end(), by_variable.end()] {
            end.assert_code(1);
            assert!(end.printed().is_empty(), "it claims to listen\n{end}");
            let about: Vec<_> = end
                .stderr
                .iter()
                .filter(|line| line.text.contains("cannot listen"))
                .collect();
            assert_eq!(about.len(), 1, "not one line\n{end}");
            for part in [&*address.to_string(), "in use", "PORT"] {
                assert!(about[0].text.contains(part), "no {part:?}\n{end}");
            }
        }
    }
}

#[test]
fn the_readme_shows_the_minimal_example() {
    let (_, program) = include_str!("../examples/minimal.rs")
        .split_once("\n\n")
        .expect("a sentence, then the program");
    assert!(include_str!("../README.md").contains(program));
}

/// The address in the example's own first line.
fn listens_at(service: &Child) -> SocketAddr {
    address_after(service, "listening on ")
}

/// The address that it printed after these words.
fn address_after(service: &Child, words: &str) -> SocketAddr {
    let printed = service.to_string();
    let (_, rest) = printed.split_once(words).expect("it says where it listens");
    let address = rest.lines().next().unwrap_or(rest);
    let address = address.trim_start_matches("http://");
    address.parse().expect("an address and a port")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the example listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
}

/// The status of the answer to a request without a body.
fn ask(address: SocketAddr, request: &str) -> u16 {
    let mut client = connect(address);
    write!(client, "{request} HTTP/1.0\r\n\r\n").expect("the request is sent");
    let answer = rest_of(client);
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {answer}"))
}

/// The listener closes soon after the stop began, and stays closed.
fn wait_until_refused(address: SocketAddr) {
    let begun = Instant::now();
    let refused = |result: std::io::Result<TcpStream>| {
        result.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    while !refused(TcpStream::connect(address)) {
        assert!(begun.elapsed() < PATIENCE, "it still accepts connections");
    }
    assert!(refused(TcpStream::connect(address)), "it accepts again");
}

fn is_silent(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("it is a socket");
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("it is a socket");
    seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// What is still to come, up to an end in good order.
fn rest_of(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("the stream ends in good order");
    text
}
