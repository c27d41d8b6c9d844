//! The units of `examples/deploy/`, as they are but for the port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE};
use crate::table::Row;

const SERVICE: &str = include_str!("../../examples/deploy/http.service");
const SOCKET: &str = include_str!("../../examples/deploy/http.socket");

pub(crate) const ROWS: &[Row] =
    &[Row { claim: "http.service: the socket starts it, and no restart costs a client a request", run: restarts }];

/// How often it is restarted. Each takes as long as the drain in the unit.
const RESTARTS: usize = 4;

/// So many clients of each kind: those that keep their connection and ask as fast as they can, or somewhat more often than
/// once a second, which is what the drain in the unit is for, and those that connect anew.
const CLIENTS: u64 = 4;

fn restarts(host: &Host) {
    // One that is free now. A part of a unit changes the rest of nothing.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    host.write("http.service", SERVICE);
    host.write("http.socket", SOCKET);
    host.write("http.socket.d/port.conf", &format!("[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n"));
    let [socket, service] = ["http.socket", "http.service"].map(|name| host.unit(name));
    socket.start();
    service.is(&[("ActiveState", "inactive")]);

    let clients = Clients::default();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    scope(|scope| {
        for number in 0..CLIENTS {
            for (keeps, pause) in [(true, 5), (true, 600 + 100 * number), (false, 5)] {
                let clients = &clients;
                scope.spawn(move || clients.ask(address, keeps, Duration::from_millis(pause)));
            }
        }
        // The first of them have started it.
        service.until_it_is("active");
        for _ in 0..RESTARTS {
            sleep(Duration::from_millis(300));
            let before = clients.answered.load(Ordering::Relaxed);
            host.systemctl(&["restart", "http.service"]);
            assert!(clients.answered.load(Ordering::Relaxed) > before, "no client was at work");
        }
        sleep(Duration::from_millis(300));
        clients.are_done.store(true, Ordering::Relaxed);
    });
    let (answered, lost) = (clients.answered.into_inner(), clients.lost.into_inner());
    assert_eq!(lost, 0, "of {}", answered + lost);
    assert!(answered > 1000, "{answered} answers in {RESTARTS} restarts");
    host.systemctl(&["stop", "http.service", "http.socket"]);
    service.ended_well();
    // The stop of each restart, too.
    assert_eq!(service.journal().iter().filter(|entry| entry.text.contains("stopped in ")).count(), RESTARTS + 1);
}

/// What all clients have seen.
#[derive(Default)]
pub(crate) struct Clients {
    pub(crate) are_done: AtomicBool,
    pub(crate) answered: AtomicUsize,
    pub(crate) lost: AtomicUsize,
}

impl Clients {
    /// One client, which asks again and again.
    pub(crate) fn ask(&self, address: SocketAddr, keeps: bool, pause: Duration) {
        let mut kept = None;
        let begun = Instant::now();
        while !self.are_done.load(Ordering::Relaxed) && begun.elapsed() < 3 * PATIENCE {
            let answer = match kept.take() {
                Some(stream) => Ok(stream),
                None => TcpStream::connect(address),
            }
            .and_then(answer);
            match answer {
                Ok((stream, closes)) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    kept = (keeps && !closes).then_some(stream);
                }
                Err(_) => drop(self.lost.fetch_add(1, Ordering::Relaxed)),
            }
            sleep(pause);
        }
    }
}

/// Asks for the page that is there at once. Returns whether the connection is about to be closed.
fn answer(mut stream: TcpStream) -> std::io::Result<(TcpStream, bool)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut text = Vec::new();
    while !text.ends_with(b"try /slow\n") {
        let mut part = [0; 512];
        let length = stream.read(&mut part)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&part[..length]);
    }
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200 ") {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    Ok((stream, text.contains("connection: close")))
}
