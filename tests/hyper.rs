//! The example `hyper` as its clients see it at a stop.
#![cfg(unix)]

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use graceful_tests::Child;
use graceful_tests::client::{address_after, connect, is_silent, read_up_to, rest_of, wait_until_refused};

const SECOND: Duration = Duration::from_secs(1);

/// The example, ready, and where it listens.
fn start(stop_timeout: &str) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-hyper"));
    command.arg("0").env("GRACEFUL_STOP_TIMEOUT", stop_timeout);
    let service = Child::start(&mut command);
    service.prints("press Ctrl-C here while it waits");
    let address = address_after(&service, "listening on ");
    (service, address)
}

/// A connection on which a request was sent.
fn ask_for(address: SocketAddr, path: &str) -> TcpStream {
    let mut client = connect(address);
    write!(client, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is sent");
    client
}

#[test]
fn the_request_in_hand_is_answered_and_idle_connections_are_closed() {
    let (service, address) = start("20s");
    let mut idle = ask_for(address, "/");
    read_up_to(&mut idle, "try /slow\n");
    let slow = ask_for(address, "/slow");
    service.prints("/slow: a request begins");

    let asked = service.terminate();
    service.says("stopping: SIGTERM");
    assert_eq!(rest_of(idle), "", "an idle connection is closed");
    wait_until_refused(address);
    assert!(is_silent(&slow), "the answer came before the stop");
    let answer = rest_of(slow);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nfinished, whatever came in between\n"), "{answer}");

    let end = service.end();
    end.assert_code(0);
    end.assert_printed("every connection is closed");
    end.assert_gone_between(asked, SECOND, 4 * SECOND);
}

#[test]
fn idle_connections_alone_hold_nothing_up() {
    let (service, address) = start("20s");
    let mut idle = ask_for(address, "/");
    read_up_to(&mut idle, "try /slow\n");
    let asked = service.terminate();
    let end = service.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SECOND);
    assert_eq!(rest_of(idle), "");
}

#[test]
fn a_client_that_never_finishes_its_request_holds_the_stop_up_for_its_time_limit_only() {
    let (service, address) = start("20s");
    let mut client = connect(address);
    client.write_all(b"GET / HTT").expect("a part is sent");
    // A later connection is answered, so this one has been accepted.
    read_up_to(&mut ask_for(address, "/"), "try /slow\n");
    let asked = service.terminate();
    let end = service.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, 7 * SECOND);
}

#[test]
fn at_the_deadline_the_connections_are_named() {
    let (service, address) = start("1s");
    let _slow = ask_for(address, "/slow");
    service.prints("/slow: a request begins");
    let asked = service.terminate();
    let end = service.end();
    end.assert_code(124);
    end.assert_said("  connection (");
    end.assert_gone_between(asked, Duration::from_millis(800), 2 * SECOND);
}
