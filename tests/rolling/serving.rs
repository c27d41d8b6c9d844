//! `graceful::http::serve` beside `axum::serve`: requests a second, processor time of a request, memory of an idle
//! connection. `cargo bench -p graceful-rolling --bench serving`.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use graceful_tests::Child;
use graceful_tests::client::address_after;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

const HELLO: &str = env!("CARGO_BIN_EXE_rolling-hello");

/// So many rounds, of each server in turn; the table has medians.
const ROUNDS: usize = 11;
/// Requests of a round, in all.
const REQUESTS: usize = 40_000;
/// Connections of a round.
const CONNECTIONS: usize = 8;
/// Streams at a time on each connection of HTTP/2.
const STREAMS: usize = 50;
/// Connections that are kept idle.
const IDLE: usize = 1_000;

struct Server {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(name: &'static str) -> Self {
        let child = Child::start(Command::new(HELLO).arg(name));
        child.prints_part("listening on ");
        Self { name, address: address_after(&child, "listening on "), child }
    }

    /// What this file of the process says behind the word.
    fn says(&self, file: &str, word: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.child.pid())).expect("Linux says");
        let line = text.lines().find_map(|line| line.strip_prefix(word)).expect(word);
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// The processor time of its threads so far.
    fn time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.pid())).expect("Linux says");
        let of_task = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(tasks.flatten().filter_map(of_task).sum())
    }
}

fn get() -> Request<Empty<Bytes>> {
    let request = Request::get("http://localhost/").header("host", "localhost");
    request.body(Empty::new()).expect("it is a request")
}

async fn over_http1(address: SocketAddr, count: usize) {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP/1");
    tokio::spawn(connection);
    for _ in 0..count {
        let answer = client.send_request(get()).await.expect("it is answered");
        answer.collect().await.expect("the body is whole");
        client.ready().await.expect("it is kept");
    }
}

async fn over_http2(address: SocketAddr, count: usize) {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let stream = |mut client: http2::SendRequest<Empty<Bytes>>| async move {
        for _ in 0..count / STREAMS {
            let answer = client.send_request(get()).await.expect("it is answered");
            answer.collect().await.expect("the body is whole");
        }
    };
    let streams: Vec<_> = (0..STREAMS).map(|_| tokio::spawn(stream(client.clone()))).collect();
    for stream in streams {
        stream.await.expect("no panic");
    }
}

/// Requests a second, and the server's processor time of each, in microseconds.
fn round(runtime: &Runtime, server: &Server, is_http2: bool) -> [f64; 2] {
    let (began, before) = (Instant::now(), server.time());
    runtime.block_on(async {
        let (address, count) = (server.address, REQUESTS / CONNECTIONS);
        let client = |_| {
            tokio::spawn(async move {
                if is_http2 { over_http2(address, count).await } else { over_http1(address, count).await }
            })
        };
        let clients: Vec<_> = (0..CONNECTIONS).map(client).collect();
        for client in clients {
            client.await.expect("no panic");
        }
    });
    #[allow(clippy::cast_precision_loss)]
    let requests = REQUESTS as f64;
    [requests / began.elapsed().as_secs_f64(), server.time().saturating_sub(before).as_secs_f64() * 1e6 / requests]
}

/// Bytes of a connection that has been used once and is kept.
fn idle(runtime: &Runtime, server: &Server) -> f64 {
    let open = |count| async move {
        let mut kept = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(server.address).await.expect("it listens");
            let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP/1");
            tokio::spawn(connection);
            let answer = client.send_request(get()).await.expect("it is answered");
            answer.collect().await.expect("the body is whole");
            kept.push(client);
        }
        kept
    };
    runtime.block_on(async {
        let some = open(IDLE / 10).await;
        let before = server.says("smaps_rollup", "Private_Dirty:");
        let more = open(IDLE).await;
        let after = server.says("smaps_rollup", "Private_Dirty:");
        drop((some, more));
        #[allow(clippy::cast_precision_loss)]
        let bytes = (after.saturating_sub(before) * 1024) as f64 / IDLE as f64;
        bytes
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    // One thread for the client, one for the server.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let servers = ["axum", "graceful"].map(Server::start);
    println!("| figure | {} | {} | ratio |\n|---|---:|---:|---:|", servers[0].name, servers[1].name);
    let print = |figure: &str, digits: usize, values: [Vec<f64>; 2]| {
        let ratios = values[0].iter().zip(&values[1]).map(|(axum, graceful)| graceful / axum).collect();
        let [axum, graceful] = values.map(median);
        println!("| {figure} | {axum:.digits$} | {graceful:.digits$} | {:.3} |", median(ratios));
    };
    for (is_http2, name) in [(false, "HTTP/1"), (true, "HTTP/2")] {
        let mut rates = [Vec::new(), Vec::new()];
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..ROUNDS {
            // The one that is second has warmer caches.
            for which in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
                let [rate, time] = round(&runtime, &servers[which], is_http2);
                rates[which].push(rate);
                times[which].push(time);
            }
        }
        print(&format!("{name}: requests a second"), 0, rates);
        print(&format!("{name}: processor time of a request, µs"), 2, times);
    }
    print("an idle connection: bytes", 0, servers.each_ref().map(|server| vec![idle(&runtime, server)]));
}
