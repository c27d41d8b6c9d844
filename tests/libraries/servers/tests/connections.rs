//! The rows of the page's section "Connections and proxies": streams and sockets that outlive a request.
#![cfg(unix)]

mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{self, Command};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use libraries_servers::client::{connect, read_up_to};
use libraries_servers::{Child, Signal};
use tonic::transport::Endpoint;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tungstenite::{Message, WebSocket};

use self::server::{SECOND, Server, all_of, ends_with};

const GRPC: &str = env!("CARGO_BIN_EXE_grpc");
const QUIC: &str = env!("CARGO_BIN_EXE_quic");
const WEBSOCKETS: &str = env!("CARGO_BIN_EXE_websockets");

const BUDGET: &[(&str, &str)] = &[("GRACEFUL_STOP_TIMEOUT", "3s")];

// ----- gRPC -----

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

async fn watch(server: &Server) -> tonic::Streaming<HealthCheckResponse> {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).expect("it is an address");
    let mut client = HealthClient::new(endpoint.connect().await.expect("it listens"));
    let request = HealthCheckRequest { service: String::new() };
    let mut answers = client.watch(request).await.expect("it is answered").into_inner();
    loop {
        let answer = answers.message().await.expect("it goes on").expect("it goes on");
        if answer.status == SERVING {
            return answers;
        }
    }
}

/// The client hears what the program says in the drain, and then that it should watch elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_watch_of_health_ends_by_itself_with_this_crates_server_or_layer() {
    for how in ["served", "layered"] {
        let server = Server::with(GRPC, &[how], &[("GRACEFUL_DRAIN", "500ms")]);
        let mut answers = watch(&server).await;
        let asked = server.stop(Signal::SIGTERM);
        let answer = answers.message().await.expect("it goes on").expect("it goes on");
        assert_eq!(answer.status, NOT_SERVING, "{how}");
        let status = answers.message().await.expect_err("it ends");
        assert_eq!(status.code(), tonic::Code::Unavailable, "{how}: {status:?}");
        assert_eq!(status.message(), "stopping", "{how}");
        let end = server.child.end();
        ends_with(&end, 0, asked, 2 * SECOND);
        end.assert_silent_about("cut off");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_watch_of_health_ends_when_its_status_is_cleared() {
    let server = Server::start(GRPC, &["cleared"]);
    let answers = watch(&server).await;
    let asked = server.stop(Signal::SIGTERM);
    ends_with(&server.child.end(), 0, asked, SECOND);
    drop(answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_watch_of_health_holds_tonics_own_server_to_the_deadline() {
    let server = Server::with(GRPC, &["alone"], BUDGET);
    let answers = watch(&server).await;
    server.stop(Signal::SIGTERM);
    server.child.end().assert_code(124);
    drop(answers);
}

/// What comes of a request of 4 s on a connection that may be 1 s old.
async fn asked_on_an_old_connection(how: &str) -> Result<Bytes, hyper::Error> {
    let server = Server::start(GRPC, &[how]);
    let socket = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let request = Request::get("http://localhost/slow").body(Empty::<Bytes>::new()).expect("it is a request");
    let answer = client.send_request(request).await?;
    Ok(answer.into_body().collect().await?.to_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_old_connection_of_tonic_is_cut_only_with_a_grace() {
    let answer = asked_on_an_old_connection("aged").await.expect("it is answered");
    assert_eq!(answer, "slow\n");
    asked_on_an_old_connection("aged with grace").await.expect_err("it is cut");
}

// ----- HTTP/3 -----

fn http3(how: &str, variables: &[(&str, &str)]) -> (Server, Child) {
    let certificate = std::env::temp_dir().join(format!("libraries-{}-{how}.der", process::id()));
    let certificate = certificate.to_str().expect("it is text");
    let server = Server::with(QUIC, &[how, certificate], variables);
    let client = Child::start(Command::new(QUIC).args([certificate, &server.address.to_string()]));
    server.child.prints("in hand");
    fs::remove_file(certificate).expect("it was written");
    (server, client)
}

#[test]
fn a_client_of_http3_that_stays_is_closed_after_its_answer() {
    let (server, client) = http3("told", &[]);
    let asked = server.stop(Signal::SIGTERM);
    client.prints("answered: 200 OK");
    client.prints_part("closed: closed by peer");
    ends_with(&server.child.end(), 0, asked, 3 * SECOND);
    client.end().assert_code(0);
}

#[test]
fn a_client_of_http3_that_stays_holds_an_endless_loop_to_the_deadline() {
    let (server, client) = http3("endless", &[("GRACEFUL_STOP_TIMEOUT", "4s")]);
    server.stop(Signal::SIGTERM);
    client.prints("answered: 200 OK");
    server.child.end().assert_code(124);
}

// ----- WebSockets -----

fn open(server: &Server, path: &str) -> WebSocket<TcpStream> {
    let request = format!("ws://{}{path}", server.address);
    let (mut socket, _) = tungstenite::client(request, connect(server.address)).expect("the upgrade is granted");
    socket.send(Message::text("hello")).expect("it is sent");
    assert_eq!(socket.read().expect("it comes back").to_string(), "hello");
    socket
}

/// A client that has gone without a word, or hangs: it gets Close, and never answers.
fn never_says_close(mut socket: WebSocket<TcpStream>) -> TcpStream {
    assert_eq!(socket.read().expect("the handler is waited for").to_string(), "goodbye");
    socket.get_mut().try_clone().expect("a socket can be cloned")
}

#[test]
fn a_handler_is_waited_for_where_this_crate_serves() {
    let server = Server::start(WEBSOCKETS, &["served"]);
    let mut socket = open(&server, "/");
    let asked = server.stop(Signal::SIGTERM);
    assert_eq!(socket.read().expect("the handler is waited for").to_string(), "goodbye");
    assert!(socket.read().expect("it says Close").is_close());
    let _ = socket.flush(); // its own Close
    let end = server.child.end();
    ends_with(&end, 0, asked, 2 * SECOND);
    end.assert_printed("over");
    end.assert_silent_about("cut off");
}

#[test]
fn a_client_that_never_answers_close_costs_five_seconds() {
    let server = Server::start(WEBSOCKETS, &["served"]);
    let socket = never_says_close({
        let socket = open(&server, "/");
        server.stop(Signal::SIGTERM);
        socket
    });
    let told = Instant::now();
    let end = server.child.end();
    end.assert_code(0);
    end.assert_gone_between(told, 4 * SECOND, 9 * SECOND);
    end.assert_printed("over");
    end.assert_said("cut off: 1 connection (a WebSocket whose client says no Close)");
    drop(socket);
}

#[test]
fn axum_by_itself_drops_the_handler_unless_it_has_a_hold() {
    let server = Server::start(WEBSOCKETS, &["alone"]);
    let mut socket = open(&server, "/");
    let asked = server.stop(Signal::SIGTERM);
    socket.read().expect_err("nobody says goodbye");
    ends_with(&server.child.end(), 0, asked, SECOND);

    let server = Server::start(WEBSOCKETS, &["alone"]);
    let mut socket = open(&server, "/held");
    server.stop(Signal::SIGTERM);
    assert_eq!(socket.read().expect("the handler is waited for").to_string(), "goodbye");
    assert!(socket.read().expect("it says Close").is_close());
    let _ = socket.flush();
    let end = server.child.end();
    end.assert_code(0);
    end.assert_printed("over");
}

/// With a hold the stop waits, and nobody ends the wait for the client's Close.
#[test]
fn a_client_that_never_answers_close_holds_axum_to_the_deadline() {
    let server = Server::with(WEBSOCKETS, &["alone"], &[("GRACEFUL_STOP_TIMEOUT", "9s")]);
    let socket = never_says_close({
        let socket = open(&server, "/held");
        server.stop(Signal::SIGTERM);
        socket
    });
    let end = server.child.end();
    end.assert_code(124);
    end.assert_said("websocket");
    drop(socket);
}

// ----- WebSockets over HTTP/2, by hand -----

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

// Types of frames, and the flag of an answer to a PING.
const HEADERS: u8 = 1;
const PING: u8 = 6;
const ACK: u8 = 1;

/// A tunnel to the handler of this path, of a client that answers pings and never says Close.
fn tunnel(server: &Server, path: &[u8]) -> JoinHandle<()> {
    let literal = |name: &[u8], text: &[u8]| {
        let length = |text: &[u8]| u8::try_from(text.len()).expect("a short one");
        [&[0, length(name)], name, &[length(text)], text].concat()
    };
    let head = [
        literal(b":method", b"CONNECT"),
        literal(b":protocol", b"websocket"),
        literal(b":scheme", b"http"),
        literal(b":path", path),
        literal(b":authority", b"x"),
        literal(b"sec-websocket-version", b"13"),
    ];
    let head = head.concat();
    let length = u8::try_from(head.len()).expect("a short one");
    let frame = [&[0, 0, length, HEADERS, 4, 0, 0, 0, 1][..], &head].concat();
    let mut client = server.send("");
    client.write_all(&[PREFACE, SETTINGS, &frame].concat()).expect("it is sent");
    while frame_of(&mut client).expect("it is answered") != HEADERS {}
    thread::spawn(move || while frame_of(&mut client).is_some() {})
}

/// The type of the next frame, until the connection is closed.
fn frame_of(client: &mut TcpStream) -> Option<u8> {
    let mut head = [0; 9];
    client.read_exact(&mut head).ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).ok()?;
    if head[3] == PING && head[4] & ACK == 0 {
        let answer = [&[0, 0, 8, PING, ACK, 0, 0, 0, 0][..], &payload].concat();
        client.write_all(&answer).ok()?;
    }
    Some(head[3])
}

/// Nothing else ends the wait for the client's Close.
#[test]
fn a_websocket_over_http2_is_waited_for_without_limit() {
    for how in ["alone", "served"] {
        let server = Server::with(WEBSOCKETS, &[how], BUDGET);
        let client = tunnel(&server, b"/");
        server.stop(Signal::SIGTERM);
        let end = server.child.end();
        end.assert_code(124);
        end.assert_printed("told");
        client.join().expect("no panic");
    }
}

#[test]
fn a_handler_with_a_limit_ends_over_http2() {
    for how in ["alone", "served"] {
        let server = Server::start(WEBSOCKETS, &[how]);
        let client = tunnel(&server, b"/limited");
        let asked = server.stop(Signal::SIGTERM);
        let end = server.child.end();
        ends_with(&end, 0, asked, 3 * SECOND);
        end.assert_printed("over");
        client.join().expect("no panic");
    }
}

// ----- GraphQL -----

const SUBSCRIBE: &str = r#"{"id":"1","type":"subscribe","payload":{"query":"subscription { ticks }"}}"#;

fn subscribe(server: &Server, path: &str) -> WebSocket<TcpStream> {
    let uri = format!("ws://{}{path}", server.address).parse().expect("it is one");
    let request = tungstenite::ClientRequestBuilder::new(uri).with_sub_protocol("graphql-transport-ws");
    let (mut socket, _) = tungstenite::client(request, connect(server.address)).expect("the upgrade is granted");
    socket.send(Message::text(r#"{"type":"connection_init"}"#)).expect("it is sent");
    assert!(socket.read().expect("it is answered").to_string().contains("connection_ack"));
    socket.send(Message::text(SUBSCRIBE)).expect("it is sent");
    assert!(socket.read().expect("it ticks").to_string().contains("ticks"));
    socket
}

#[test]
fn a_subscription_ends_with_close_where_its_socket_is_told() {
    let server = Server::start(WEBSOCKETS, &["served"]);
    let mut socket = subscribe(&server, "/subscriptions");
    let asked = server.stop(Signal::SIGTERM);
    while !socket.read().expect("it ends with Close").is_close() {}
    let _ = socket.flush();
    ends_with(&server.child.end(), 0, asked, SECOND);
}

#[test]
fn a_subscription_by_itself_holds_the_stop_or_is_dropped_without_close() {
    let server = Server::with(WEBSOCKETS, &["served"], BUDGET);
    let mut socket = subscribe(&server, "/endless");
    server.stop(Signal::SIGTERM);
    while socket.read().is_ok_and(|message| !message.is_close()) {}
    server.child.end().assert_code(124);

    let server = Server::start(WEBSOCKETS, &["alone"]);
    let mut socket = subscribe(&server, "/endless");
    server.stop(Signal::SIGTERM);
    let mut says_close = false;
    while let Ok(message) = socket.read() {
        says_close |= message.is_close();
    }
    assert!(!says_close);
    server.child.end().assert_code(0);
}

// ----- a proxy -----

/// What HAProxy answers while one of its two servers has just closed its port. Its probes are too rare to see that.
fn through_haproxy(option: &str) -> Option<(Vec<String>, Duration)> {
    let haproxy = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"];
    let haproxy = haproxy.into_iter().find(|path| fs::exists(path).unwrap_or(false))?;
    let (closed, front) = (free_port(), free_port());
    let open = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let healthy = open.local_addr().expect("it is bound");
    thread::spawn(move || {
        for client in open.incoming().map_while(Result::ok) {
            let mut client = client;
            read_up_to(&mut client, "\r\n\r\n");
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
        }
    });
    let config = format!(
        "defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n    {option}\n\
         frontend clients\n    bind {front}\n    default_backend service\n\
         backend service\n    balance roundrobin\n    server a {closed}\n    server b {healthy}\n"
    );
    let path = std::env::temp_dir().join(format!("libraries-{}-{}.cfg", process::id(), front.port()));
    fs::write(&path, config).expect("it can be written");
    let proxy = Child::start(Command::new(haproxy).arg("-db").arg("-f").arg(&path));
    let begun = Instant::now();
    while TcpStream::connect(front).is_err() {
        assert!(begun.elapsed() < 20 * SECOND, "it does not listen\n{proxy}");
        thread::yield_now();
    }
    fs::remove_file(&path).expect("it was written");
    let mut statuses = Vec::new();
    let mut longest = Duration::ZERO;
    for _ in 0..2 {
        let begun = Instant::now();
        let mut client = connect(front);
        client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it is sent");
        let answer = all_of(client);
        statuses.push(answer.split(' ').nth(1).expect("a status").to_owned());
        longest = longest.max(begun.elapsed());
    }
    statuses.sort();
    proxy.terminate();
    Some((statuses, longest))
}

fn free_port() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound")
}

#[test]
fn haproxy_goes_to_the_other_server_only_with_redispatch() {
    let Some((statuses, took)) = through_haproxy("option redispatch 1") else {
        println!("*** SKIPPED: no haproxy ***");
        return;
    };
    assert_eq!(statuses, ["200", "200"]);
    assert!(took < 2500 * Duration::from_millis(1), "{took:?}");
    let (statuses, took) = through_haproxy("").expect("it is there");
    assert_eq!(statuses, ["200", "503"]);
    assert!(took >= 2500 * Duration::from_millis(1), "{took:?}");
}
