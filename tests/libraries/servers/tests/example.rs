//! The example `actix` as its clients see it at a stop.
#![cfg(unix)]

mod server;

use std::io::Write;
use std::process::Command;

use libraries_servers::client::{address_after, ask, connect, is_silent, rest_of};
use libraries_servers::{Child, Signal};

use self::server::SECOND;

fn start(drain: &str) -> (Child, std::net::SocketAddr) {
    let service = Child::start(Command::new(env!("CARGO_BIN_EXE_example-actix")).arg("0").env("GRACEFUL_DRAIN", drain));
    service.prints("press Ctrl-C while a request is answered");
    let address = address_after(&service, "listening on ");
    (service, address)
}

#[test]
fn requests_are_answered_and_jobs_are_done() {
    let (service, address) = start("1s");
    assert_eq!(ask(address, "GET /readyz"), 200);
    let mut job = connect(address);
    let head = "host: localhost\r\ncontent-length: 0\r\nconnection: close\r\n";
    write!(job, "POST /jobs HTTP/1.1\r\n{head}\r\n").expect("it is sent");
    assert!(rest_of(job).starts_with("HTTP/1.1 202 "));
    let mut slow = connect(address);
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it is sent");
    service.prints("/slow: a request begins");
    let asked = service.terminate();
    service.says("stopping: SIGTERM");
    assert_eq!(ask(address, "GET /readyz"), 503, "the drain goes on serving");
    assert!(is_silent(&slow));
    assert!(rest_of(slow).ends_with("finished, whatever came in between\n"));
    let end = service.end();
    end.assert_code(0);
    end.assert_printed("a job is done");
    end.assert_gone_between(asked, 2 * SECOND, 8 * SECOND);
}

/// The slow request is longer than the budget: it is cut, and the code says so.
#[test]
fn what_is_longer_than_the_budget_is_cut_with_124() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-actix"));
    let service = Child::start(command.arg("0").env("GRACEFUL_STOP_TIMEOUT", "1s"));
    service.prints("press Ctrl-C while a request is answered");
    let mut slow = connect(address_after(&service, "listening on "));
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is sent");
    service.prints("/slow: a request begins");
    service.send(Signal::SIGINT);
    let end = service.end();
    end.assert_code(124);
    end.assert_said("main");
}
