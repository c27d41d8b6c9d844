#!/usr/bin/env bash
# rocket 0.5.2: a shutdown with one request in hand takes the whole `grace`, however soon the request is answered.
#
# `Shutdown::grace` reads as an upper limit. When the listener is closed, rocket looks once whether a connection is left;
# if so it sleeps for `grace`, looks again, sleeps for `mercy`, and so on. With nothing in hand it ends at once. So a
# grace for the longest answer, say 25 s, makes every deployment wait that long.
#
# Seen on 2026-11-30 with rustc 1.95, with a grace of 4 s:
#
#   nothing in hand: launch() returned after 0 s
#   an answer of 0.3 s in hand: answered after 0 s, launch() returned after 4 s
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "graces"
version = "0.1.0"
edition = "2024"

[dependencies]
rocket = { version = "=0.5.2", default-features = false }
TOML
cat >src/main.rs <<'RUST'
use std::time::{Duration, Instant};

use rocket::config::{Config, LogLevel, Shutdown};
use rocket::fairing::AdHoc;
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpStream;
use rocket::tokio::sync::mpsc;
use rocket::tokio::time::sleep;
use rocket::tokio::{spawn, task::JoinHandle};
use rocket::{Orbit, Rocket, State, get, routes};

#[get("/")]
async fn slow(begun: &State<mpsc::Sender<()>>) -> &'static str {
    begun.send(()).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    "answered"
}

/// A server, its port, and what hears of requests.
async fn start() -> (JoinHandle<()>, rocket::Shutdown, u16, mpsc::Receiver<()>) {
    let (begins, begun) = mpsc::channel(1);
    let (lifts, mut lifted) = mpsc::channel(1);
    let shutdown = Shutdown { ctrlc: false, grace: 4, mercy: 1, ..Shutdown::default() };
    let config = Config { port: 0, log_level: LogLevel::Off, shutdown, ..Config::debug_default() };
    let liftoff = AdHoc::on_liftoff("port", move |rocket: &Rocket<Orbit>| {
        let port = rocket.config().port;
        Box::pin(async move { lifts.send(port).await.unwrap() })
    });
    let rocket = rocket::custom(config).manage(begins).mount("/", routes![slow]).attach(liftoff);
    let rocket = rocket.ignite().await.unwrap();
    let shutdown = rocket.shutdown();
    let launched = spawn(async { drop(rocket.launch().await.unwrap()) });
    (launched, shutdown, lifted.recv().await.unwrap(), begun)
}

#[rocket::main]
async fn main() {
    let (launched, shutdown, ..) = start().await;
    let asked = Instant::now();
    shutdown.notify();
    launched.await.unwrap();
    println!("nothing in hand: launch() returned after {} s", asked.elapsed().as_secs());

    let (launched, shutdown, port, mut begun) = start().await;
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    begun.recv().await.unwrap();
    let asked = Instant::now();
    shutdown.notify();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("answered"), "{answer}");
    let answered = asked.elapsed().as_secs();
    launched.await.unwrap();
    let returned = asked.elapsed().as_secs();
    println!("an answer of 0.3 s in hand: answered after {answered} s, launch() returned after {returned} s");
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "nothing in hand: launch() returned after 0 s
an answer of 0.3 s in hand: answered after 0 s, launch() returned after 4 s" ]] || { echo "that has changed" >&2; exit 1; }
