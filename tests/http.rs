//! The example `http` as its clients see it: what is in hand at a stop ends well, and no client can hold the stop up.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::client::{
    PATIENCE, address_after, ask, connect, is_silent, read_up_to, rest_of, wait_until_refused,
};
use graceful_tests::{Child, Signal};
use serde_json::Value;
use tungstenite::Message;

const HTTP: &str = env!("CARGO_BIN_EXE_example-http");

const SECOND: Duration = Duration::from_secs(1);

/// The delay that a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

/// How many requests may be slow at once in the example.
const SLOW_AT_ONCE: usize = 8;

/// How long a client of the example may take for the head of a request, and for a request.
const FOR_A_HEAD: Duration = Duration::from_secs(5);
const FOR_A_REQUEST: Duration = Duration::from_secs(10);

/// The example, where it listens, and where it reports its health.
struct Service {
    child: Child,
    address: SocketAddr,
    health: SocketAddr,
}

impl Service {
    fn start() -> Self {
        Self::start_with("GRACEFUL_DRAIN", "0s")
    }

    fn start_with(variable: &str, value: &str) -> Self {
        let child = Child::start(Command::new(HTTP).arg("0").env(variable, value));
        child.prints("press Ctrl-C here while it waits");
        Self { address: address_after(&child, "listening on "), health: address_after(&child, "health on "), child }
    }

    /// A connection on which this was sent.
    fn send(&self, text: &str) -> TcpStream {
        let mut client = connect(self.address);
        client.write_all(text.as_bytes()).expect("the request is sent");
        client
    }

    /// A connection that has been used, and waits for the next request.
    fn idle(&self) -> TcpStream {
        let mut client = self.send(ROOT);
        assert!(!is_last(&mut client));
        client
    }

    /// SIGTERM, and the stop has begun.
    fn stop(&self) -> Instant {
        let asked = self.child.terminate();
        self.child.says("stopping: SIGTERM");
        asked
    }

    /// Its own status.
    fn status(&self, accept: &str) -> String {
        let mut client = connect(self.health);
        write!(client, "GET /debug/graceful HTTP/1.0\r\naccept: {accept}\r\n\r\n").expect("the request is sent");
        let answer = rest_of(client);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-type: {accept}")), "{head}");
        body.to_owned()
    }
}

const ROOT: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Reads the answer to [`ROOT`], and returns whether the connection is closed after it.
fn is_last(client: &mut TcpStream) -> bool {
    let head = read_up_to(client, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    read_up_to(client, "try /slow\n");
    head.contains("connection: close")
}

// ----- what is in hand ends well -----

#[test]
fn a_request_in_hand_is_answered_and_who_comes_meanwhile_is_refused() {
    let service = Service::start();
    let client = service.send("GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n");
    service.child.prints("/slow: a request begins");

    let asked = service.stop();
    wait_until_refused(service.address);
    assert!(is_silent(&client), "the answer came before the stop");

    let response = rest_of(client);
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body arrive");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let length = format!("content-length: {}", body.len());
    assert!(head.contains(&length), "{head}\n{body}");
    assert_eq!(body, "finished, whatever came in between\n");
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, SECOND, FOR_A_HEAD + SLACK);
}

#[test]
fn one_slow_request_too_many_is_turned_away_and_those_in_hand_are_answered() {
    let service = Service::start();
    let slow = "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let clients: Vec<_> = (0..SLOW_AT_ONCE).map(|_| service.send(slow)).collect();
    let sent = Instant::now();
    let in_hand = || {
        let printed = service.child.to_string();
        printed.matches("/slow: a request begins").count()
    };
    while in_hand() < SLOW_AT_ONCE {
        assert!(sent.elapsed() < PATIENCE, "{}", service.child);
        thread::sleep(Duration::from_millis(10));
    }
    let mut client = service.send(slow);
    let head = read_up_to(&mut client, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("\r\nretry-after: 5\r\n"), "{head}");
    read_up_to(&mut client, "too many at once\n");
    // The limit is for slow requests only, and the connection still works.
    client.write_all(ROOT.as_bytes()).expect("it is kept open");
    is_last(&mut client);

    service.stop();
    for client in clients {
        let answer = rest_of(client);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    service.child.end().assert_code(0);
}

#[test]
fn a_panic_is_an_answer_to_its_client_and_nothing_else() {
    let service = Service::start();
    let mut client = service.send("GET /bug HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let head = read_up_to(&mut client, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    read_up_to(&mut client, "Service panicked");
    client.write_all(ROOT.as_bytes()).expect("it is kept open");
    is_last(&mut client);
    assert_eq!(ask(service.health, "GET /readyz"), 200);

    service.stop();
    let end = service.child.end_in_panic();
    end.assert_code(0);
    end.assert_said("a bug");
}

#[test]
fn an_upload_in_hand_is_finished() {
    let service = Service::start();
    let mut client =
        service.send("POST /upload HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 20\r\n\r\n");
    // Sent when the handler asks for the body.
    read_up_to(&mut client, "100 Continue\r\n\r\n");
    client.write_all(b"0123456789").expect("a half is sent");

    service.stop();
    wait_until_refused(service.address);
    client.write_all(b"0123456789").expect("the rest is sent");
    let response = rest_of(client);
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n20 bytes\n"), "{response}");
    service.child.end().assert_code(0);
}

#[test]
fn server_sent_events_end_by_themselves() {
    let service = Service::start();
    let mut client = service.send("GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    read_up_to(&mut client, "data: 0\n\n");

    let asked = service.stop();
    let rest = rest_of(client);
    assert!(rest.contains("event: stopping\n"), "{rest}");
    assert!(rest.ends_with("\r\n0\r\n\r\n"), "the body is whole: {rest}");
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SLACK);
}

#[test]
fn a_websocket_is_closed_with_a_close_frame() {
    let service = Service::start();
    let request = format!("ws://{}/echo", service.address);
    let (mut socket, _) = tungstenite::client(request, connect(service.address)).expect("the upgrade is granted");
    socket.send(Message::text("hello")).expect("it is sent");
    assert_eq!(socket.read().expect("it comes back").to_string(), "hello");

    let asked = service.stop();
    let Ok(Message::Close(Some(frame))) = socket.read() else { panic!("no close frame\n{}", service.child) };
    assert_eq!((u16::from(frame.code), &*frame.reason), (1012, "stopping"));
    // This read sends the answer to the goodbye, and reads the end of the connection.
    let end = socket.read().expect_err("nothing comes after it");
    assert!(matches!(end, tungstenite::Error::ConnectionClosed), "{end}");
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SLACK);
}

/// The example gives it a second for its own goodbye.
#[test]
fn a_websocket_that_does_not_say_goodbye_is_not_waited_for() {
    let service = Service::start();
    let request = format!("ws://{}/echo", service.address);
    let (socket, _) = tungstenite::client(request, connect(service.address)).expect("the upgrade is granted");
    let asked = service.stop();
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, SECOND, SECOND + SLACK);
    drop(socket);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn http_2_is_told_to_go_away_and_its_request_in_hand_is_answered() {
    use http_body_util::{BodyExt, Empty};
    use hyper::client::conn::http2;
    use hyper::{Request, Version};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    let service = Service::start();
    let stream = TcpStream::connect(service.address).await.expect("the example listens");
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it speaks HTTP/2");
    let connection = tokio::spawn(connection);
    let get = |path| {
        let request = Request::get(format!("http://localhost{path}"));
        let request = request.body(Empty::<&[u8]>::new());
        request.expect("it is a request")
    };
    let answer = tokio::spawn(client.send_request(get("/slow")));
    service.child.prints("/slow: a request begins");

    service.stop();
    // From then on the client sends no other request here.
    let refused = timeout(PATIENCE, async { while client.send_request(get("/")).await.is_ok() {} });
    refused.await.expect("the client is told");
    assert!(!answer.is_finished(), "the answer came before the stop");
    let response = answer.await.expect("no panic").expect("it is answered");
    assert_eq!(response.version(), Version::HTTP_2);
    assert!(response.headers().get("connection").is_none());
    let body = response.collect().await.expect("the body is whole");
    assert_eq!(&*body.to_bytes(), b"finished, whatever came in between\n");
    let ended = connection.await.expect("no panic");
    ended.expect("the connection ends in good order");
    service.child.end().assert_code(0);
}

/// The child is suspended: the kernel completes their connections, and the child does not accept them.
#[test]
fn who_was_let_in_by_the_kernel_is_served() {
    let service = Service::start();
    service.child.send(Signal::SIGSTOP);
    let clients: Vec<_> = (0..50).map(|_| service.send(ROOT)).collect();
    let silent = connect(service.address);
    service.child.terminate();
    service.child.send(Signal::SIGCONT);
    for mut client in clients {
        is_last(&mut client);
    }
    drop(silent);
    service.child.end().assert_code(0);
}

/// Clients that keep connecting are served or refused, even at the moment at which the listener closes. On other
/// systems the example cannot have the kernel drop SYNs.
#[cfg(target_os = "linux")]
#[test]
fn nobody_is_reset_when_the_listener_closes() {
    let come_again_and_again = |address, at_work: Sender<()>| {
        while let Ok(mut client) = TcpStream::connect(address) {
            let asked = write!(client, "GET / HTTP/1.0\r\n\r\n");
            asked.expect("who was let in can ask");
            assert!(rest_of(client).starts_with("HTTP/1.0 200 "));
            // The test waits for the first time only.
            let _ = at_work.send(());
        }
    };
    for _ in 0..5 {
        let service = Service::start();
        thread::scope(|scope| {
            for _ in 0..4 {
                let (at_work, is_at_work) = mpsc::channel();
                scope.spawn(|| come_again_and_again(service.address, at_work));
                let served = is_at_work.recv_timeout(PATIENCE);
                served.expect("the client is served");
            }
            service.stop();
        });
        service.child.end().assert_code(0);
    }
}

/// The listener stays open in the test, as it does in systemd: from one process to the next no client is turned away.
#[test]
fn a_restart_with_a_listener_that_is_handed_over_turns_nobody_away() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let start = || {
        let child = Child::start_with_listener(Command::new(HTTP).arg("0"), &listener);
        child.prints(&format!("listening on http://{address}"));
        child.prints("press Ctrl-C here while it waits");
        child
    };
    let is_over = AtomicBool::new(false);
    let served = thread::scope(|scope| {
        let client = || {
            let mut served = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(ask(address, "GET /"), 200);
                served += 1;
            }
            served
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        let mut child = start();
        for _ in 0..5 {
            let old = std::mem::replace(&mut child, start());
            old.terminate();
            old.end().assert_code(0);
        }
        for _ in 0..5 {
            // With no process in between, they wait.
            child.terminate();
            child.end().assert_code(0);
            child = start();
        }
        is_over.store(true, Ordering::Relaxed);
        let served = clients.into_iter().map(thread::ScopedJoinHandle::join);
        let served: Result<Vec<u32>, _> = served.collect();
        child.terminate();
        child.end().assert_code(0);
        served.expect("each request is answered")
    });
    assert!(served.iter().all(|served| *served > 10), "{served:?}");
}

// ----- health -----

#[test]
fn readiness_is_over_at_once_and_liveness_stays_until_the_end() {
    let service = Service::start_with("GRACEFUL_DRAIN", "1s");
    assert_eq!(ask(service.health, "GET /readyz"), 200);
    assert_eq!(ask(service.health, "GET /livez"), 200);
    let client = service.send("GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n");
    service.child.prints("/slow: a request begins");

    service.stop();
    assert_eq!(ask(service.health, "GET /readyz"), 503);
    assert_eq!(ask(service.health, "GET /livez"), 200);
    // While the stop waits for others, which is after the drain.
    wait_until_refused(service.address);
    assert_eq!(ask(service.health, "GET /readyz"), 503);
    assert_eq!(ask(service.health, "GET /livez"), 200);
    assert!(is_silent(&client), "the service has ended");
    service.child.end().assert_code(0);
}

#[test]
fn the_status_is_a_table_or_json() {
    let service = Service::start();
    let _events = service.send("GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let _idle = service.idle();
    let table = service.status("text/plain");
    assert!(table.starts_with("ready, up "), "{table}");
    for row in ["\n  health ", "\n  connection ", "\n  request "] {
        assert!(table.contains(row), "no {row:?} in {table}");
    }
    let status: Value = serde_json::from_str(&service.status("application/json")).expect("JSON");
    assert_eq!(status["state"], "Ready");
    let request = status["holds"].as_array().expect("a list");
    let request = request.iter().find(|hold| hold["name"] == "request");
    assert_eq!(request.expect("requests are held")["live"], 1, "{status}");
}

// ----- clients that hold a stop up, or come during one -----

#[test]
fn an_idle_connection_is_closed_at_once() {
    let service = Service::start();
    let idle = service.idle();
    let asked = service.stop();
    assert_eq!(rest_of(idle), "");
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SLACK);
}

/// Whether it sends nothing, half of the head, or a byte a second.
#[test]
fn a_request_that_does_not_arrive_costs_the_stop_nothing() {
    let service = Service::start();
    let silent = connect(service.address);
    let half = service.send("GET / HTTP/1.1\r\nhost: loc");
    let drip = Drip::begin(connect(service.address), ROOT);
    let asked = service.stop();
    for (what, client) in [("silent", silent), ("half", half), ("drip", drip.client())] {
        assert_eq!(what_it_sees(client), "", "{what}");
    }
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SLACK);
    end.assert_said("cut off: 2 connections (reading the head of a request ×2)");
    drop(drip);
}

#[test]
fn an_upload_that_does_not_arrive_is_answered_in_time() {
    let service = Service::start();
    let mut client = service.send(UPLOAD);
    read_up_to(&mut client, "100 Continue\r\n\r\n");
    let drip = Drip::begin(client, &"x".repeat(1000));
    let asked = service.stop();
    let answer = what_it_sees(drip.client());
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer:?}");
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, FOR_A_HEAD, FOR_A_REQUEST + SLACK);
    drop(drip);
}

#[test]
fn an_upload_that_does_not_arrive_cannot_hold_the_stop_beyond_its_deadline() {
    let service = Service::start_with("GRACEFUL_STOP_TIMEOUT", "2s");
    let mut client = service.send(UPLOAD);
    read_up_to(&mut client, "100 Continue\r\n\r\n");
    let drip = Drip::begin(client, &"x".repeat(1000));
    let asked = service.stop();
    assert_eq!(what_it_sees(drip.client()), "");
    let end = service.child.end();
    end.assert_code(124);
    end.assert_gone_between(asked, SECOND, 2 * SECOND + SLACK);
    end.assert_said("connection (");
    drop(drip);
}

#[test]
fn who_comes_while_it_drains_is_served_and_later_asked_to_leave() {
    let service = Service::start_with("GRACEFUL_DRAIN", "4s");
    let mut idle = service.idle();
    let asked = service.stop();
    let mut newcomer = service.send(ROOT);
    assert!(!is_last(&mut newcomer), "in the first half");
    while {
        idle.write_all(ROOT.as_bytes()).expect("it is kept open");
        !is_last(&mut idle)
    } {
        thread::sleep(Duration::from_millis(10));
    }
    let told = asked.elapsed();
    assert!((2 * SECOND..4 * SECOND).contains(&told), "{told:?}");
    assert_eq!(rest_of(idle), "", "it is closed");
    assert!(is_last(&mut service.send(ROOT)), "it may come again");
    let end = service.child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, 4 * SECOND, 4 * SECOND + SLACK);
}

const UPLOAD: &str = "POST /upload HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n";

/// A client that sends a byte a second, the first at once, until its connection is gone.
struct Drip(TcpStream);

impl Drip {
    fn begin(stream: TcpStream, text: &str) -> Self {
        let mut drips = stream.try_clone().expect("a socket can be cloned");
        let text = text.to_owned();
        thread::spawn(move || {
            for byte in text.bytes() {
                if drips.write_all(&[byte]).is_err() {
                    break;
                }
                thread::sleep(SECOND);
            }
        });
        Self(stream)
    }

    fn client(&self) -> TcpStream {
        self.0.try_clone().expect("a socket can be cloned")
    }
}

/// What arrives until the connection is closed, in good order or because bytes of the client were not read.
fn what_it_sees(mut client: TcpStream) -> String {
    let mut seen = Vec::new();
    if let Err(error) = client.read_to_end(&mut seen) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&seen).into_owned()
}
