#!/usr/bin/env bash
# rumqttc 0.25.1: what was published and not sent yet when the connection broke is forgotten at the next one.
#
# `publish().await` with QoS 1 is `Ok` as soon as the request is queued. When the event loop notices that the connection
# broke, it moves what is queued and what is not acknowledged to a list for the next connection. If the broker then says
# that it has no session, as it must where the client asks for a clean one (the default), the whole list is thrown away.
# No call and no event says so. With `set_clean_session(false)` the list is kept, as long as the broker kept the session.
#
# The broker here is a few lines of the script: it accepts, answers CONNECT, and counts PUBLISH packets.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   published when the broker had gone: 10 of 10 are Ok
#   published when it was back: 1 of 1 are Ok
#   the broker has received 1
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "forgotten"
version = "0.1.0"
edition = "2024"

[dependencies]
rumqttc = { version = "=0.25.1", default-features = false }
tokio = { version = "1.54", features = ["rt-multi-thread", "macros", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::time::sleep;

/// A packet: its first byte and its body. None here is longer than 127 bytes.
fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    let mut body = vec![0; head[1].into()];
    stream.read_exact(&mut body).ok()?;
    Some((head[0], body))
}

/// Waits for a client, and tells it that there is no session of it.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    packet(&mut stream).unwrap();
    stream.write_all(&[0x20, 2, 0, 0]).unwrap();
    stream
}

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (come_back, back) = mpsc::channel::<()>();
    let (go, gone) = mpsc::channel::<()>();
    let broker = thread::spawn(move || {
        drop(accept(&listener));
        go.send(()).unwrap();
        back.recv().unwrap();
        let mut stream = accept(&listener);
        let mut received = 0;
        while let Some((kind, body)) = packet(&mut stream) {
            if kind >> 4 == 3 {
                received += 1;
                let id = 2 + usize::from(body[1]);
                stream.write_all(&[0x40, 2, body[id], body[id + 1]]).unwrap();
                if body.ends_with(b"last") {
                    break;
                }
            }
        }
        received
    });

    let (client, mut events) = AsyncClient::new(MqttOptions::new("client", "127.0.0.1", port), 100);
    let is_up = |event| matches!(event, Ok(Event::Incoming(Packet::ConnAck(_))));
    while !is_up(events.poll().await) {}
    gone.recv().unwrap();
    let mut accepted = 0;
    for number in 0..10 {
        accepted += usize::from(client.publish("numbers", QoS::AtLeastOnce, false, number.to_string()).await.is_ok());
    }
    println!("published when the broker had gone: {accepted} of 10 are Ok");
    while events.poll().await.is_ok() {}
    come_back.send(()).unwrap();
    while !is_up(events.poll().await) {
        sleep(Duration::from_millis(50)).await;
    }
    let accepted = usize::from(client.publish("numbers", QoS::AtLeastOnce, false, "last").await.is_ok());
    println!("published when it was back: {accepted} of 1 are Ok");
    while events.poll().await.is_ok() {}
    println!("the broker has received {}", broker.join().unwrap());
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "published when the broker had gone: 10 of 10 are Ok
published when it was back: 1 of 1 are Ok
the broker has received 1" ]] || { echo "that has changed" >&2; exit 1; }
