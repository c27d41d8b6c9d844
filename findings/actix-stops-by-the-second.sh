#!/usr/bin/env bash
# actix-web 4.18.1: a graceful stop with a request in hand takes whole seconds, however soon the request is answered.
#
# A worker that is asked to stop while connections are open looks again a second later, and then each second. So an answer
# that is out after 0.1 s costs a second. That is the whole time of a stop in most deployments, and of a test of one.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   nothing in hand: stopped after 0 s
#   an answer of 0.1 s in hand: answered after 0 s, stopped after 1 s
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "seconds"
version = "0.1.0"
edition = "2024"

[dependencies]
actix-web = { version = "=4.18.1", default-features = false, features = ["macros"] }
tokio = { version = "1", features = ["io-util", "net", "sync", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer, web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Whole seconds since then.
fn since(then: Instant) -> u64 {
    then.elapsed().as_secs()
}

async fn try_it(in_hand: bool) {
    let (begins, mut begun) = mpsc::channel(1);
    let app = move || {
        let begins = begins.clone();
        let slow = move || {
            let begins = begins.clone();
            async move {
                begins.send(()).await.unwrap();
                sleep(Duration::from_millis(100)).await;
                "answered"
            }
        };
        App::new().route("/", web::get().to(slow))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let served = actix_web::rt::spawn(server);
    if !in_hand {
        let asked = Instant::now();
        handle.stop(true).await;
        served.await.unwrap().unwrap();
        println!("nothing in hand: stopped after {} s", since(asked));
        return;
    }
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    begun.recv().await.unwrap();
    let asked = Instant::now();
    let stopped = actix_web::rt::spawn(handle.stop(true));
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("answered"), "{answer}");
    let answered = since(asked);
    stopped.await.unwrap();
    served.await.unwrap().unwrap();
    println!("an answer of 0.1 s in hand: answered after {answered} s, stopped after {} s", since(asked));
}

#[actix_web::main]
async fn main() {
    try_it(false).await;
    try_it(true).await;
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "nothing in hand: stopped after 0 s
an answer of 0.1 s in hand: answered after 0 s, stopped after 1 s" ]] || { echo "that has changed" >&2; exit 1; }
