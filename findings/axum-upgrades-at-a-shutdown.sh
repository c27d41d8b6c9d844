#!/usr/bin/env bash
# axum 0.8.9: whether `with_graceful_shutdown` waits for a WebSocket depends on the version of HTTP that the client chose.
#
# Over HTTP/1 an upgraded connection leaves hyper, and `axum::serve` returns while its handler runs; when main returns, it
# is dropped, without a Close. Over HTTP/2 the socket is a stream of a connection that stays, so `axum::serve` returns
# when the handler has ended, however long that takes. The same handler is behind the same route.
#
# Seen on 2026-11-30 with rustc 1.95, with a handler that runs for one second after the shutdown was asked for:
#
#   HTTP/1: serve has returned, and the handler runs
#   HTTP/2: serve has returned, and the handler has ended
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "upgrades"
version = "0.1.0"
edition = "2024"

[dependencies]
axum = { version = "=0.8.9", default-features = false, features = ["http1", "http2", "tokio", "ws"] }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt-multi-thread", "sync", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::sleep;

async fn try_it(version: &str, request: &[u8]) {
    let (begun, asked, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let handler = {
        let (begun, ended) = (begun.clone(), ended.clone());
        async move |upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(async move |_socket| {
                begun.notify_one();
                sleep(Duration::from_secs(1)).await;
                ended.store(true, SeqCst);
            })
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let app = Router::new().route("/", any(handler));
    let shutdown = asked.clone();
    let served = async move { axum::serve(listener, app).with_graceful_shutdown(async move { shutdown.notified().await }).await };
    let served = tokio::spawn(served);
    client.write_all(request).await.unwrap();
    if version == "HTTP/2" {
        tokio::spawn(answer_pings(client));
    }
    begun.notified().await;
    asked.notify_one();
    served.await.unwrap().unwrap();
    let handler = if ended.load(SeqCst) { "has ended" } else { "runs" };
    println!("{version}: serve has returned, and the handler {handler}");
}

/// As every client of HTTP/2 does.
async fn answer_pings(mut client: TcpStream) {
    let mut head = [0; 9];
    while client.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        client.read_exact(&mut payload).await.unwrap();
        if head[3] == 6 && head[4] == 0 {
            let answer = [&[0, 0, 8, 6, 1, 0, 0, 0, 0], &payload[..]].concat();
            client.write_all(&answer).await.unwrap();
        }
    }
}

/// The preface, SETTINGS, and HEADERS of `CONNECT` with `:protocol: websocket`.
fn http2() -> Vec<u8> {
    let literal = |name: &[u8], text: &[u8]| [&[0, name.len() as u8], name, &[text.len() as u8], text].concat();
    let head = [
        literal(b":method", b"CONNECT"),
        literal(b":protocol", b"websocket"),
        literal(b":scheme", b"http"),
        literal(b":path", b"/"),
        literal(b":authority", b"localhost"),
        literal(b"sec-websocket-version", b"13"),
    ]
    .concat();
    let frame = [0, 0, head.len() as u8, 1, 4, 0, 0, 0, 1];
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], &frame, &head].concat()
}

#[tokio::main]
async fn main() {
    let head = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    try_it("HTTP/1", head.as_bytes()).await;
    try_it("HTTP/2", &http2()).await;
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "HTTP/1: serve has returned, and the handler runs
HTTP/2: serve has returned, and the handler has ended" ]] || { echo "that has changed" >&2; exit 1; }
