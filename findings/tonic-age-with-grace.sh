#!/usr/bin/env bash
# tonic 0.14.9: with `max_connection_age_grace` an old connection gets no GOAWAY and its calls are cut; without it, it gets
# one and they are answered.
#
# In gRPC's other servers `MAX_CONNECTION_AGE_GRACE` is added time: at the age the peer is sent GOAWAY, and calls that are
# still there at the end of the grace are cut. In tonic the grace replaces the GOAWAY: age and grace are slept one after
# the other, and then the connection is dropped. So an option that is set to protect long calls cuts them, and clients
# begin new ones on the connection up to the last moment.
#
# Seen on 2026-11-30 with rustc 1.95, with a call of 2 s on a connection with an age of 0.5 s:
#
#   the age alone: GOAWAY, answered
#   a grace of 0.5 s more: no GOAWAY, cut
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "aged"
version = "0.1.0"
edition = "2024"

[dependencies]
axum = { version = "0.8", default-features = false }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt-multi-thread", "time"] }
tonic = { version = "=0.14.9", default-features = false, features = ["router", "server"] }
TOML
cat >src/main.rs <<'RUST'
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

const HALF: Duration = Duration::from_millis(500);

// Types of frames, and the flag of a stream's last one.
const DATA: u8 = 0;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;

async fn try_it(what: &str, server: Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = async || {
        sleep(4 * HALF).await;
        "answered"
    };
    let routes = Routes::from(Router::new().route("/", get(slow)));
    let mut server = server;
    let served = tokio::spawn(server.add_routes(routes).serve_with_incoming(TcpIncoming::from(listener)));

    let mut client = TcpStream::connect(address).await.unwrap();
    // The preface, SETTINGS, and HEADERS of `GET http://x/`.
    let request = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]];
    let headers = [0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, b'x'];
    client.write_all(&[&request.concat(), &headers[..]].concat()).await.unwrap();
    let (mut goaway, mut answered) = ("no GOAWAY", "cut");
    let mut head = [0; 9];
    // Up to the end of the answer, or of the connection.
    while answered == "cut" && client.read_exact(&mut head).await.is_ok() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        client.read_exact(&mut vec![0; length]).await.unwrap();
        match head[3] {
            GOAWAY => goaway = "GOAWAY",
            DATA if head[4] & END_STREAM != 0 => answered = "answered",
            _ => {}
        }
    }
    println!("{what}: {goaway}, {answered}");
    served.abort();
}

#[tokio::main]
async fn main() {
    let server = || Server::builder().max_connection_age(HALF);
    try_it("the age alone", server()).await;
    try_it("a grace of 0.5 s more", server().max_connection_age_grace(HALF)).await;
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "the age alone: GOAWAY, answered
a grace of 0.5 s more: no GOAWAY, cut" ]] || { echo "that has changed" >&2; exit 1; }
