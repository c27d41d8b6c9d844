//! The examples as a new user runs them: compiled from the same files, stopped by a real signal while work is in hand.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use graceful_tests::client::{PATIENCE, address_after, ask, connect, read_up_to, rest_of, wait_until_refused};
use graceful_tests::{Child, Signal};
use tokio_rustls::rustls;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

const MINIMAL: &str = env!("CARGO_BIN_EXE_example-minimal");
const WORKERS: &str = env!("CARGO_BIN_EXE_example-workers");
const SUPERVISOR: &str = env!("CARGO_BIN_EXE_example-supervisor");
const HTTP: &str = env!("CARGO_BIN_EXE_example-http");
const TCP_ECHO: &str = env!("CARGO_BIN_EXE_example-tcp-echo");
const GRPC: &str = env!("CARGO_BIN_EXE_example-grpc");
const HYPER: &str = env!("CARGO_BIN_EXE_example-hyper");
const COMMANDS: &str = env!("CARGO_BIN_EXE_example-commands");
const HTTPS: &str = env!("CARGO_BIN_EXE_example-https");
const SERVICE: &str = env!("CARGO_BIN_EXE_example-service");

#[test]
fn tcp_echo_finishes_the_line_in_hand_and_accepts_no_other() {
    let service = Child::start(Command::new(TCP_ECHO).arg("0"));
    service.prints("type a line there, and press Ctrl-C here while it comes back");
    let address = listens_at(&service);
    let idle = connect(address);
    let mut client = connect(address);
    client.write_all(b"the line in hand at the stop\n").expect("the line is sent");
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

/// The stop comes when a part of them is done: all have been sent, so all are answered.
#[test]
fn commands_answers_every_command_that_is_here() {
    const COUNT: usize = 20_000;
    let service = Child::start(Command::new(COMMANDS).arg("0"));
    service.prints_part("in another terminal: ");
    let mut client = connect(listens_at(&service));
    client.write_all(b"SET a 0\nWHAT\n").expect("they are sent");
    assert_eq!(read_up_to(&mut client, "value or INCR key\n"), "OK\nERROR: GET key, SET key value or INCR key\n");
    client.write_all("INCR a\n".repeat(COUNT).as_bytes()).expect("they are sent");
    read_up_to(&mut client, "\n100\n");
    service.terminate();
    let answers = rest_of(client);
    assert_eq!(answers.lines().last(), Some(&*COUNT.to_string()));
    service.end().assert_code(0);
}

#[test]
fn https_answers_the_request_in_hand_and_says_goodbye() {
    let service = Child::start(Command::new(HTTPS).arg("0"));
    service.prints("press Ctrl-C here while it waits");
    let address = address_after(&service, "listening on https://");
    // One that never begins the handshake.
    let silent = connect(address);
    let config = ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate));
    let config = Arc::new(config.with_no_client_auth());
    let name = ServerName::try_from("localhost").expect("it is a name");
    let tls = ClientConnection::new(config, name).expect("it can begin");
    let mut client = StreamOwned::new(tls, connect(address));
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is sent");
    service.prints("/slow: a request begins");
    service.terminate();
    service.says("stopping: SIGTERM");
    let mut answer = String::new();
    // An end without the goodbye of TLS would be an error.
    client.read_to_string(&mut answer).expect("it ends in good order");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nfinished, whatever came in between\n"), "{answer}");
    assert_eq!(rest_of(silent), "");
    service.end().assert_code(0);
}

/// The example makes its own certificate, which nobody can know.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[test]
fn minimal_finishes_its_round() {
    let program = Child::start(&mut Command::new(MINIMAL));
    program.prints("a round begins; press Ctrl-C");
    program.terminate();
    let end = program.end();
    end.assert_code(0);
    assert_eq!(end.printed(), ["a round begins; press Ctrl-C", "a round is done"]);
}

#[test]
fn supervisor_replaces_removes_and_restarts_parts() {
    let program = Child::start(&mut Command::new(SUPERVISOR));
    program.prints("feed 1, lane 2: open");
    program.send(Signal::SIGHUP);
    program.prints("feed 2, lane 2: open");
    program.prints("the tenant is gone: true");
    program.prints("consumer, run 3");
    program.terminate();
    let end = program.end();
    end.assert_code(0);
    let printed = end.printed();
    let at =
        |line: &str| printed.iter().position(|printed| *printed == line).unwrap_or_else(|| panic!("{line}\n{end}"));
    for lane in [1, 2] {
        let closed = at(&format!("feed 1, lane {lane}: closed"));
        assert!(closed < at("feed 2, lane 1: open") && closed < at("feed 2, lane 2: open"), "{end}");
        at(&format!("feed 2, lane {lane}: closed"));
    }
    end.assert_said("worker `consume` failed: worker `lease` failed: \"the lease was lost\"; retrying in");
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
        Command::new(SERVICE).env("ORDERS", "127.0.0.1:0").env("HEALTH", "127.0.0.1:0").env("GRACEFUL_DRAIN", "3s"),
    );
    service.says("worker `follow` failed: \"connection lost\"; retrying in ");
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
        ["ingest: no further message", "write: every row written", "pool: closed", "log: flushed"],
        "{end}"
    );
}

#[test]
fn a_port_in_use_is_one_clear_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let port = address.port().to_string();
    for example in [COMMANDS, GRPC, HTTP, HTTPS, HYPER, TCP_ECHO] {
        let by_argument = Child::start(Command::new(example).arg(&port));
        let by_variable = Child::start(Command::new(example).env("PORT", &port));
        for end in [by_argument.end(), by_variable.end()] {
            end.assert_code(1);
            assert!(end.printed().is_empty(), "it claims to listen\n{end}");
            let about: Vec<_> = end.stderr.iter().filter(|line| line.text.contains("cannot listen")).collect();
            assert_eq!(about.len(), 1, "not one line\n{end}");
            for part in [&*address.to_string(), "in use", "choose another port"] {
                assert!(about[0].text.contains(part), "no {part:?}\n{end}");
            }
        }
    }
}

#[test]
fn the_readme_shows_the_minimal_example() {
    let (_, program) = include_str!("../examples/minimal.rs").split_once("\n\n").expect("a sentence, then the program");
    assert!(include_str!("../README.md").contains(program));
}

/// The address in the example's own first line.
fn listens_at(service: &Child) -> SocketAddr {
    address_after(service, "listening on ")
}
