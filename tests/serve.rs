//! `graceful::http::serve` and `graceful::net`: what clients see that do not behave, and what the stop says of them.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::client::{PATIENCE, address_after, connect, read_up_to, rest_of, wait_until_refused};
use graceful_tests::{Child, End, Signal};

const SERVES: &str = env!("CARGO_BIN_EXE_serves");

const SECOND: Duration = Duration::from_secs(1);

/// The delay that a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

const ROOT: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The size of `/big`.
const BIG: usize = 8_000_000;

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::of(Child::start(Command::new(SERVES).args(arguments)))
    }

    fn with_budget(arguments: &[&str], budget: &str) -> Self {
        Self::of(Child::start(Command::new(SERVES).args(arguments).env("GRACEFUL_STOP_TIMEOUT", budget)))
    }

    fn of(child: Child) -> Self {
        child.prints_part(" at 127.0.0.1:");
        let address = address_after(&child, " at ");
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// A connection on which this was sent.
    fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut client = self.connect();
        client.write_all(bytes.as_ref()).expect("it is sent");
        client
    }

    /// A request for this path.
    fn get(&self, path: &str) -> TcpStream {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    }

    /// SIGTERM, and the stop has begun.
    fn stop(&self) -> Instant {
        let asked = self.child.terminate();
        self.child.says("stopping: SIGTERM");
        asked
    }

    fn end(self) -> End {
        self.child.end()
    }
}

/// The bytes up to an orderly end.
fn bytes_of(mut client: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).expect("the stream ends in good order");
    bytes
}

/// Whether a client that has waited until then sees the end of the connection, a reset included.
fn is_closed(mut client: TcpStream) -> bool {
    let mut bytes = Vec::new();
    let read = client.read_to_end(&mut bytes);
    read.is_ok() || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn head_of(client: &mut TcpStream) -> String {
    read_up_to(client, "\r\n\r\n")
}

// ----- clients that do not behave -----

#[test]
fn half_a_head_costs_nothing_and_is_said() {
    let server = Server::start(&["http"]);
    let half = server.send("GET / HTTP/1.1\r\nhost: loc");
    let asked = server.stop();
    assert_eq!(rest_of(half), "");
    let end = server.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SECOND + SLACK);
    end.assert_said("cut off: 1 connection (reading the head of a request)");
}

#[test]
fn a_head_that_comes_byte_by_byte_costs_nothing() {
    let server = Server::start(&["http"]);
    let client = server.connect();
    let mut dripping = client.try_clone().expect("a socket can be cloned");
    let drip = thread::spawn(move || {
        for byte in ROOT.bytes() {
            if dripping.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
    let asked = server.stop();
    assert!(is_closed(client));
    let end = server.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SECOND + SLACK);
    drip.join().expect("no panic");
}

#[test]
fn a_client_that_says_nothing_costs_nothing() {
    let server = Server::start(&["http"]);
    let silent = server.connect();
    let asked = server.stop();
    assert_eq!(rest_of(silent), "");
    let end = server.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SECOND + SLACK);
    assert!(!end.has_said("cut off"), "{end}");
}

#[test]
fn a_client_that_never_reads_its_answer_is_cut_off_in_time() {
    let server = Server::start(&["http"]);
    let mut deaf = server.get("/big");
    head_of(&mut deaf);
    let asked = server.stop();
    let end = server.end();
    end.assert_code(0);
    end.assert_gone_between(asked, 4 * SECOND, 8 * SECOND + SLACK);
    end.assert_said("cut off: 1 ");
    drop(deaf);
}

/// The client knows from the first answer that the others will not come: it may send them again elsewhere.
#[test]
fn of_three_requests_at_once_the_first_is_answered_and_says_close() {
    let server = Server::start(&["http"]);
    let slow = "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let client = server.send(format!("{slow}{ROOT}{ROOT}"));
    server.child.prints("in hand");
    server.stop();
    let answer = rest_of(client);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("slow\n"), "{answer}");
    server.end().assert_code(0);
}

/// Slow, but never for long without taking something.
#[test]
fn a_client_that_reads_slowly_gets_its_whole_answer() {
    const SIZE: usize = 40_000_000;
    let server = Server::start(&["http"]);
    let mut client = server.get(&format!("/bytes/{SIZE}"));
    head_of(&mut client);
    server.stop();
    let (mut part, mut count) = (vec![0; 500_000], 0);
    while count < SIZE {
        client.read_exact(&mut part).expect("it is not cut off");
        count += part.len();
        thread::sleep(Duration::from_millis(80));
    }
    let end = server.end();
    end.assert_code(0);
    assert!(!end.has_said("cut off"), "{end}");
}

/// A bug costs its client the connection, and nobody else anything.
#[test]
fn a_panic_in_a_handler_is_no_failure_of_the_process() {
    let server = Server::start(&["http"]);
    assert!(is_closed(server.get("/bug")));
    read_up_to(&mut server.send(ROOT), "hello\n");
    server.child.says("worker `connection` panicked: a bug");
    server.stop();
    let end = server.child.end_in_panic();
    end.assert_code(0);
}

// ----- HTTP/2 by hand -----

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// HEADERS of `GET http://x/`, which end the stream.
const GET: &[u8] = &[0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, b'x'];
/// The types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// The next frame: its type, and what is in it.
fn frame(client: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    client.read_exact(&mut head).ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).ok()?;
    Some((head[3], payload))
}

/// What is in the next frame of this type.
fn payload_of(client: &mut TcpStream, kind: u8) -> Vec<u8> {
    loop {
        let (next, payload) = frame(client).expect("it comes");
        if next == kind {
            return payload;
        }
    }
}

fn frames_up_to(client: &mut TcpStream, kind: u8) {
    payload_of(client, kind);
}

/// A frame with this type, flags, stream and payload.
fn framed(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a small one");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The client's window is small, so most of the answer waits in the server when the request has been answered.
#[test]
fn what_http_2_keeps_for_a_small_window_is_sent_after_the_stop() {
    const SIZE: usize = 600_000;
    let server = Server::start(&["http"]);
    let path = format!("/bytes/{SIZE}");
    let length = u8::try_from(path.len()).expect("a short one");
    let get = [&[0x82, 0x86, 0x04, length], path.as_bytes(), &[0x41, 1, b'x']].concat();
    let mut client = server.send([PREFACE, SETTINGS, &framed(1, 5, 1, &get)].concat());
    server.stop();
    let (mut count, mut window) = (0, 65_535);
    while count < SIZE {
        let mut head = [0; 9];
        client.read_exact(&mut head).expect("the answer is not cut off");
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        client.read_exact(&mut payload).expect("the frame is whole");
        match head[3] {
            DATA => (count, window) = (count + length, window - length),
            PING if head[4] == 0 => client.write_all(&framed(PING, 1, 0, &payload)).expect("it is open"),
            _ => {}
        }
        if window == 0 {
            thread::sleep(Duration::from_millis(400));
            window = 65_535;
            for stream in [0, 1] {
                client.write_all(&framed(WINDOW_UPDATE, 0, stream, &[0, 0, 0xff, 0xff])).expect("it is open");
            }
        }
    }
    let end = server.end();
    end.assert_code(0);
    assert!(!end.has_said("cut off"), "{end}");
}

/// A WebSocket over HTTP/2: no request is in hand, and still the handler has to end.
#[test]
fn a_tunnel_through_http_2_is_waited_for_and_named() {
    let server = Server::with_budget(&["http"], "3s");
    let literal = |name: &[u8], text: &[u8]| {
        let length = |text: &[u8]| u8::try_from(text.len()).expect("a short one");
        [&[0, length(name)], name, &[length(text)], text].concat()
    };
    let head = [
        literal(b":method", b"CONNECT"),
        literal(b":protocol", b"websocket"),
        vec![0x86],
        literal(b":path", b"/deaf"),
        literal(b":authority", b"x"),
        literal(b"sec-websocket-version", b"13"),
    ];
    let mut client = server.send([PREFACE, SETTINGS, &framed(1, 4, 1, &head.concat())].concat());
    frames_up_to(&mut client, HEADERS);
    let asked = server.stop();
    let end = server.end();
    end.assert_code(124);
    end.assert_gone_between(asked, 2 * SECOND, 3 * SECOND + SLACK);
    end.assert_said("cut off: 1 connection (upgraded, to a WebSocket or a tunnel)");
    drop(client);
}

#[test]
fn a_preface_alone_costs_nothing() {
    let server = Server::start(&["http"]);
    let client = server.send(PREFACE);
    let asked = server.stop();
    assert!(is_closed(client));
    let end = server.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, 2 * SECOND + SLACK);
    assert!(!end.has_said("cut off"), "{end}");
}

#[test]
fn a_ping_that_is_never_answered_costs_a_second() {
    let server = Server::start(&["http"]);
    let mut client = server.send([PREFACE, SETTINGS, GET].concat());
    frames_up_to(&mut client, DATA);
    let asked = server.stop();
    frames_up_to(&mut client, GOAWAY);
    assert!(is_closed(client));
    let end = server.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, 2 * SECOND + SLACK);
    assert!(!end.has_said("cut off"), "{end}");
}

/// Each has a request that is silent for long. They are asked every 200 ms, and have 2 s to answer.
#[test]
fn only_a_peer_that_answers_pings_is_kept() {
    let server = Server::start(&["http2"]);
    let never = [&[0x82, 0x86, 0x04, 6], &b"/never"[..], &[0x41, 1, b'x']].concat();
    let connect = || server.send([PREFACE, SETTINGS, &framed(HEADERS, 5, 1, &never)].concat());
    let (begun, mut dead, mut alive) = (Instant::now(), connect(), connect());
    let dead = thread::spawn(move || {
        frames_up_to(&mut dead, PING);
        assert!(is_closed(dead));
        begun.elapsed()
    });
    for _ in 0..15 {
        let ping = payload_of(&mut alive, PING);
        alive.write_all(&framed(PING, 1, 0, &ping)).expect("it is open");
    }
    let took = dead.join().expect("the dead one is asked, and closed");
    assert!(took > 2 * SECOND && took < 2 * SECOND + SLACK, "{took:?}");
    assert!(begun.elapsed() > 3 * SECOND, "the other had more time than that");
    let root = [0x82, 0x86, 0x84, 0x41, 1, b'x'];
    alive.write_all(&framed(HEADERS, 5, 3, &root)).expect("it is open");
    assert_eq!(payload_of(&mut alive, DATA), b"hello\n");
    drop(alive);
    server.stop();
    server.end().assert_code(0);
}

#[test]
fn the_most_streams_of_a_connection_are_said_to_the_client() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    let said = |name: &str| {
        let server = Server::start(&[name]);
        let mut client = server.send([PREFACE, SETTINGS].concat());
        let settings = payload_of(&mut client, SETTINGS[3]);
        let mut settings = settings.chunks(6).map(|setting| setting.split_at(2));
        let value = settings.find(|(id, _)| *id == MAX_CONCURRENT_STREAMS.to_be_bytes());
        value.map(|(_, value)| u32::from_be_bytes(value.try_into().expect("four bytes")))
    };
    assert_eq!(said("http2"), Some(7));
    assert_eq!(said("http"), Some(200));
}

// ----- upgrades -----

fn upgraded(server: &Server, path: &str) -> TcpStream {
    let head = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut client = server.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n"));
    let answer = head_of(&mut client);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    client
}

#[test]
fn a_handler_of_an_upgraded_connection_that_ignores_the_stop_is_waited_for_and_named() {
    let server = Server::with_budget(&["http"], "2s");
    let client = upgraded(&server, "/deaf");
    let asked = server.stop();
    let end = server.end();
    end.assert_code(124);
    end.assert_gone_between(asked, SECOND, 2 * SECOND + SLACK);
    end.assert_said("connection (");
    end.assert_said("cut off: 1 connection (upgraded, to a WebSocket or a tunnel)");
    drop(client);
}

/// The server's Close, of a WebSocket.
const CLOSE: [u8; 2] = [0x88, 0];

/// A client that is told to go, and has got the server's Close.
fn told_to_close(server: &Server) -> (TcpStream, Instant) {
    let mut client = upgraded(server, "/polite");
    server.stop();
    let mut close = [0; 2];
    client.read_exact(&mut close).expect("it comes");
    assert_eq!(close, CLOSE);
    (client, Instant::now())
}

#[test]
fn a_client_that_says_close_is_waited_for_and_no_longer() {
    let server = Server::start(&["http"]);
    let (mut client, told) = told_to_close(&server);
    // Masked, as a client's frames are.
    client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).expect("it is open");
    let end = server.end();
    end.assert_code(0);
    end.assert_printed("nothing comes any more");
    end.assert_gone_between(told, Duration::ZERO, SECOND + SLACK);
    assert!(!end.has_said("cut off"), "{end}");
}

/// It has five seconds from the last byte that it has sent.
#[test]
fn a_client_that_never_says_close_is_given_up() {
    let server = Server::start(&["http"]);
    let (mut client, told) = told_to_close(&server);
    thread::sleep(2 * SECOND);
    client.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).expect("it is open");
    let end = server.end();
    end.assert_code(0);
    end.assert_printed("nothing comes any more");
    end.assert_gone_between(told, 6 * SECOND, 7 * SECOND + SLACK);
    end.assert_said("cut off: 1 connection (a WebSocket whose client says no Close)");
    drop(client);
}

#[test]
fn a_request_at_the_deadline_is_named() {
    let server = Server::with_budget(&["http"], "1s");
    let client = server.get("/never");
    let asked = server.stop();
    let end = server.end();
    end.assert_code(124);
    end.assert_gone_between(asked, Duration::from_millis(800), SECOND + SLACK);
    end.assert_said("cut off: 1 request (GET /never)");
    drop(client);
}

// ----- last chances -----

/// An idle connection stays open for a moment: its client may be about to send.
#[test]
fn a_request_that_crosses_the_stop_is_answered() {
    for _ in 0..20 {
        let server = Server::start(&["http"]);
        let mut client = server.send(ROOT);
        assert!(!head_of(&mut client).contains("connection: close"));
        read_up_to(&mut client, "hello\n");
        let mut other = server.connect();
        server.stop();
        client.write_all(ROOT.as_bytes()).expect("it is open");
        other.write_all(ROOT.as_bytes()).expect("it is open");
        for client in [client, other] {
            let answer = rest_of(client);
            assert!(answer.contains("connection: close\r\n") && answer.ends_with("hello\n"), "{answer}");
        }
        server.end().assert_code(0);
    }
}

/// With a token of its own a worker is told in another way.
#[test]
fn a_connection_whose_handler_has_asked_for_its_token_is_told() {
    for how in ["http", "part"] {
        let server = Server::start(&[how]);
        let mut client = server.get("/token");
        head_of(&mut client);
        read_up_to(&mut client, "false\n");
        let asked = Instant::now();
        if how == "http" {
            server.stop();
        }
        assert_eq!(rest_of(client), "");
        assert!(asked.elapsed() < SECOND + SLACK, "it was not told");
        server.child.terminate();
        server.end().assert_code(0);
    }
}

/// An error is one line that says which address, why, and what to do.
#[tokio::test]
async fn a_socket_that_cannot_be_opened_is_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = taken.local_addr().expect("it is bound").to_string();
    for (address, why) in [
        (&*taken, "the address is in use: end the process that has it (`ss -ltnp 'sport = :"),
        ("192.0.2.1:3000", "no interface of this machine has this address"),
        ("127.0.0.1", "an address is written as 127.0.0.1:3000 or [::1]:3000"),
        ("127.0.0.1:port", "invalid port"),
    ] {
        let error = graceful::net::listen("web", address).await.expect_err(address).to_string();
        assert!(error.starts_with(&format!("cannot listen on {address} (web): ")), "{error}");
        assert!(error.contains(why) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_server_that_is_a_part_stops_with_its_part() {
    let server = Server::start(&["part"]);
    let mut client = server.send(ROOT);
    head_of(&mut client);
    read_up_to(&mut client, "hello\n");
    let slow = server.get("/slow");
    server.child.prints("in hand");
    assert_eq!(rest_of(client), "");
    let answer = rest_of(slow);
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("slow\n"), "{answer}");
    server.child.prints("the part is gone");
    wait_until_refused(server.address);
    server.child.terminate();
    server.end().assert_code(0);
}

// ----- limits -----

#[test]
fn slow_clients_have_limits_without_a_stop_too() {
    let server = Server::start(&["short"]);
    let half = server.send("GET / HTTP/1.1\r\nhost: loc");
    assert_eq!(rest_of(half), "");
    assert_eq!(rest_of(server.connect()), "", "one that says nothing");
    let mut idle = server.send(ROOT);
    head_of(&mut idle);
    assert_eq!(rest_of(idle), "hello\n");
    let mut deaf = server.get("/big");
    head_of(&mut deaf);
    thread::sleep(3 * SECOND);
    let mut rest = Vec::new();
    let _ = deaf.read_to_end(&mut rest);
    assert!(rest.len() < BIG, "the answer came whole");
    server.child.terminate();
    let end = server.end();
    end.assert_code(0);
    assert!(!end.has_said("cut off"), "that is of stops\n{end}");
}

#[test]
fn beyond_the_limit_clients_wait() {
    let server = Server::start(&["few"]);
    let mut first = server.send(ROOT);
    let mut second = server.send(ROOT);
    for client in [&mut first, &mut second] {
        read_up_to(client, "hello\n");
    }
    let mut third = server.send(ROOT);
    third.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
    assert!(third.read(&mut [0]).is_err(), "it is served beyond the limit");
    drop(first);
    third.set_read_timeout(Some(PATIENCE)).expect("not zero");
    read_up_to(&mut third, "hello\n");
    let late = server.send(ROOT);
    server.stop();
    assert!(rest_of(late).ends_with("hello\n"), "the kernel had let it in");
    server.end().assert_code(0);
}

#[test]
fn layers_of_the_app_are_applied_once() {
    let server = Server::start(&["alone"]);
    let clients: Vec<_> = (0..5).map(|_| server.get("/alone")).collect();
    for mut client in clients {
        assert!(head_of(&mut client).starts_with("HTTP/1.1 200 "));
    }
    server.child.terminate();
    let end = server.end();
    let alone: Vec<_> = end.printed().into_iter().filter(|line| line.starts_with("alone")).collect();
    assert_eq!(alone.len(), 10, "{end}");
    assert!(alone.chunks(2).all(|pair| pair == ["alone begins", "alone ends"]), "two at once\n{end}");
}

/// Files run out: clients wait, a line says why, and they are served when there are files again.
#[test]
fn without_files_clients_wait() {
    let mut shell = Command::new("sh");
    let server = Server::of(Child::start(shell.args(["-c", "ulimit -n 24; exec \"$0\" http", SERVES])));
    let mut clients: Vec<_> = (0..30).map(|_| server.connect()).collect();
    server.child.says("cannot accept connections: Too many open files");
    clients.truncate(5);
    let mut client = server.send(ROOT);
    read_up_to(&mut client, "hello\n");
    drop((clients, client));
    server.stop();
    server.end().assert_code(0);
}

// ----- sockets -----

#[test]
fn a_unix_socket_and_a_port_are_served_at_once() {
    let folder = std::env::temp_dir().join(format!("graceful-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("unix");
    let server = Server::start(&["unix", path.to_str().expect("it is text")]);
    read_up_to(&mut server.send(ROOT), "hello\n");
    let mut client = UnixStream::connect(&path).expect("it listens");
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("it is sent");
    assert!(bytes_of(client).ends_with(b"hello\n"));
    let mut slow = UnixStream::connect(&path).expect("it listens");
    slow.write_all(b"GET /slow HTTP/1.0\r\n\r\n").expect("it is sent");
    server.child.prints("in hand");
    server.stop();
    assert!(bytes_of(slow).ends_with(b"slow\n"));
    server.end().assert_code(0);
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn handlers_learn_where_their_client_is() {
    let server = Server::start(&["http"]);
    let mut client = server.get("/peer");
    head_of(&mut client);
    let own = client.local_addr().expect("it is connected");
    read_up_to(&mut client, &format!("{own}\n"));
    server.child.terminate();
    server.end().assert_code(0);
}

/// Two sockets, handed over in another order than that in which they are asked for.
#[test]
fn sockets_are_handed_over_by_name() {
    let sockets = [(), ()].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    let [second, first] = sockets.each_ref().map(|socket| socket.local_addr().expect("it is bound"));
    let child = Child::start_with_listeners(Command::new(SERVES).arg("named"), &sockets, "second.socket:first");
    child.prints(&format!("first at {first}"));
    child.prints(&format!("second at {second}"));
    for address in [first, second] {
        let mut client = connect(address);
        client.write_all(ROOT.as_bytes()).expect("it is sent");
        read_up_to(&mut client, "hello\n");
    }
    child.terminate();
    child.end().assert_code(0);
    for address in [first, second] {
        TcpStream::connect(address).expect("it stays open");
    }
}

/// Other code takes it and takes the variables away. Whoever has the socket next gets its clients.
#[test]
fn a_socket_that_other_code_has_taken_over_stays_open() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let child = Child::start_with_listener(Command::new(SERVES).arg("adopted"), &listener);
    child.prints(&format!("http at {address}"));
    let mut client = connect(address);
    client.write_all(ROOT.as_bytes()).expect("it is sent");
    read_up_to(&mut client, "hello\n");
    drop(client);
    child.terminate();
    child.end().assert_code(0);
    TcpStream::connect_timeout(&address, SECOND / 2).expect("the next process is reached at once");
}

// ----- the layer -----

#[test]
fn a_request_that_the_server_gives_up_is_counted_and_said() {
    let server = Server::start(&["moment"]);
    let slow = server.get("/slow");
    server.child.prints("in hand");
    let mut done = server.send(ROOT);
    read_up_to(&mut done, "hello\n");
    server.stop();
    let end = server.end();
    end.assert_code(0);
    end.assert_said("cut off: 1 request (GET /slow)");
    drop((slow, done));
}

// ----- plain TCP -----

/// The second command is never read. A socket with unread bytes resets its peer when it is closed.
#[test]
fn a_command_that_is_not_read_destroys_no_answer() {
    for _ in 0..3 {
        let server = Server::start(&["count", "until"]);
        let client = server.send(format!("{BIG}\n"));
        server.child.prints(&format!("asked for {BIG}"));
        (&client).write_all(b"1\n").expect("it is open");
        server.stop();
        assert_eq!(bytes_of(client).len(), BIG);
        server.end().assert_code(0);
    }
}

#[test]
fn commands_that_are_here_are_answered() {
    let server = Server::start(&["count", "here"]);
    let client = server.send("1000000\n2\n3\n");
    server.child.prints("asked for 1000000");
    server.stop();
    assert_eq!(bytes_of(client).len(), 1_000_005);
    server.end().assert_code(0);
}

/// The same for HTTP: an answer that comes before the upload was read.
#[test]
fn bytes_that_nobody_reads_destroy_no_answer_of_http() {
    let server = Server::start(&["http"]);
    let mut client = server.send("GET /bytes/4000000 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    head_of(&mut client);
    client.write_all(&vec![b'x'; 100_000]).expect("the kernel takes it");
    server.stop();
    assert_eq!(bytes_of(client).len(), 4_000_000);
    server.end().assert_code(0);
}

#[test]
fn a_peer_that_keeps_sending_is_not_waited_for() {
    let server = Server::start(&["count", "until"]);
    let client = server.send("1\n");
    let mut sending = client.try_clone().expect("a socket can be cloned");
    let sender = thread::spawn(move || while sending.write_all(&[b'x'; 1000]).is_ok() {});
    server.child.prints("asked for 1");
    let asked = server.child.send(Signal::SIGTERM);
    let end = server.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, 3 * SECOND + SLACK);
    drop(client);
    sender.join().expect("no panic");
}
