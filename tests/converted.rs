//! Servers of other libraries, converted: how many lines of their mains change, and what their clients see at a stop.
#![cfg(unix)]

use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use graceful_tests::client::{address_after, connect, read_up_to, rest_of};
use graceful_tests::{Child, End};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tungstenite::Message;

const BEFORE: &str = include_str!("converted/before.rs");
const AFTER: &str = include_str!("converted/after.rs");
const CONVERTED: &str = env!("CARGO_BIN_EXE_converted-after");

/// The delay that a busy machine may add, and the last chance of an idle connection.
const SLACK: Duration = Duration::from_secs(3);

/// How many lines of a main may change.
const CHANGES: usize = 3;

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Self {
        let child = Child::start(Command::new(CONVERTED).arg(name));
        child.prints_part("listening on ");
        Self { address: address_after(&child, "listening on "), child }
    }

    fn stop(&self) -> Instant {
        let asked = self.child.terminate();
        self.child.says("stopping: SIGTERM");
        asked
    }
}

fn ends_well(end: &End, asked: Instant) {
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SLACK);
    assert!(!end.has_said("cut off"), "{end}");
}

/// The mains of a file, by name.
fn mains(file: &'static str) -> Vec<(&'static str, Vec<&'static str>)> {
    let sections = file.split("// ----- ").skip(1);
    let named = |section: &'static str| section.split_once(" -----\n").expect("a name");
    sections.map(named).map(|(name, main)| (name, main.lines().collect())).collect()
}

#[test]
fn a_conversion_changes_three_lines_at_the_most() {
    let (before, after) = (mains(BEFORE), mains(AFTER));
    assert_eq!(before.len(), 5);
    for ((name, before), (same, after)) in before.iter().zip(&after) {
        assert_eq!(name, same);
        assert_eq!(before.len(), after.len(), "{name}: each line has its counterpart");
        let changed = before.iter().zip(after).filter(|(before, after)| before != after).count();
        assert!((1..=CHANGES).contains(&changed), "{name}: {changed} lines are changed");
    }
}

#[test]
fn a_shutdown_answers_what_is_in_hand_and_waits_for_no_head() {
    for name in ["shutdown", "warp"] {
        let server = Server::start(name);
        let mut slow = connect(server.address);
        slow.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is sent");
        server.child.prints("in hand");
        let mut half = connect(server.address);
        half.write_all(b"GET / HTTP/1.1\r\nho").expect("it is sent");
        let asked = server.stop();
        assert!(rest_of(slow).ends_with("slow\n"));
        assert_eq!(rest_of(half), "");
        let end = server.child.end();
        end.assert_code(0);
        end.assert_gone_between(asked, Duration::ZERO, SLACK);
        end.assert_said("cut off: 1 connection (reading the head of a request)");
    }
}

#[test]
fn events_end_with_a_whole_body() {
    let server = Server::start("sse");
    let mut client = connect(server.address);
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is sent");
    read_up_to(&mut client, "data: tick\n\n");
    let asked = server.stop();
    assert!(rest_of(client).ends_with("\r\n0\r\n\r\n"));
    ends_well(&server.child.end(), asked);
}

#[test]
fn websockets_end_with_their_handlers() {
    let server = Server::start("websockets");
    let request = format!("ws://{}/", server.address);
    let (mut socket, _) = tungstenite::client(request, connect(server.address)).expect("the upgrade is granted");
    socket.send(Message::text("hello")).expect("it is sent");
    assert_eq!(socket.read().expect("it comes back").to_string(), "hello");
    let asked = server.stop();
    assert!(socket.read().is_err(), "it is closed");
    drop(socket);
    ends_well(&server.child.end(), asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idle_channel_of_grpc_is_told_to_go_away() {
    let server = Server::start("grpc");
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).expect("it is an address");
    let mut client = HealthClient::new(endpoint.connect().await.expect("it listens"));
    let request = HealthCheckRequest { service: String::new() };
    let answer = client.check(request).await.expect("it is answered").into_inner();
    assert_eq!(answer.status, 1);
    let asked = server.stop();
    ends_well(&server.child.end(), asked);
}
