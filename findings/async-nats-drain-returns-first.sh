#!/usr/bin/env bash
# async-nats 0.51.0: `drain().await` returns when it has asked for the drain, not when messages are flushed.
#
# The method's documentation says that it drains all subscriptions, flushes any remaining messages and then closes the
# connection. It only sends that command to the task of the connection. A program that publishes, awaits `drain()` and
# ends loses what that task had not written yet. What can be waited for is `flush()`, or an answer of the server.
#
# Needs `nats-server` (Debian's package of that name; seen with 2.9.10).
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   drain() says Ok(()), and a part of 1000 messages has arrived
#   flush() says Ok(()), and all of 1000 messages have arrived
set -euo pipefail
PATH="$PATH:/usr/sbin"

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "drained"
version = "0.1.0"
edition = "2024"

[dependencies]
async-nats = { version = "=0.51.0", default-features = false, features = ["ring"] }
bytes = "1"
futures-util = { version = "0.3", default-features = false }
tokio = { version = "1.54", features = ["rt-multi-thread", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn connect(url: &str) -> Client {
    loop {
        match async_nats::connect(url).await {
            Ok(client) => return client,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Publishes from a runtime of its own, which ends as that of a program does.
fn publish(url: &str, drains: bool) -> String {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = connect(url).await;
        for _ in 0..1000 {
            client.publish("numbers", vec![0; 10_000].into()).await.unwrap();
        }
        match drains {
            true => format!("drain() says {:?}", client.drain().await),
            false => format!("flush() says {:?}", client.flush().await),
        }
    })
}

fn arrived(listener: &Runtime, messages: &mut Subscriber) -> usize {
    listener.block_on(async {
        let mut count = 0;
        while let Ok(Some(_)) = timeout(Duration::from_secs(3), messages.next()).await {
            count += 1;
        }
        count
    })
}

fn main() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("nats-server");
    server.args(["--addr", "127.0.0.1", "--port", &port.to_string()]).stderr(Stdio::null());
    let _server = Server(server.spawn().expect("nats-server is installed"));
    let url = format!("nats://127.0.0.1:{port}");
    let listener = Runtime::new().unwrap();
    let mut messages = listener.block_on(async {
        let client = connect(&url).await;
        let messages = client.subscribe("numbers").await.unwrap();
        client.flush().await.unwrap();
        messages
    });
    for drains in [true, false] {
        let says = publish(&url, drains);
        match arrived(&listener, &mut messages) {
            1000 => println!("{says}, and all of 1000 messages have arrived"),
            _ => println!("{says}, and a part of 1000 messages has arrived"),
        }
    }
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "drain() says Ok(()), and a part of 1000 messages has arrived
flush() says Ok(()), and all of 1000 messages have arrived" ]] || { echo "that has changed" >&2; exit 1; }
