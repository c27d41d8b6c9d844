#!/usr/bin/env bash
# redis 1.8.1: an asynchronous `BLPOP` without limit gives up after 500 ms, and the server then pops a job for nobody.
#
# By default a multiplexed connection waits 500 ms for any answer. A timeout of 0 in `blpop` asks the server to wait for
# ever, so the call is an error after half a second. The connection stays open and the server goes on waiting: it takes the
# next job from the list and sends it to a call that is gone. `BLMOVE` to a list of jobs in hand loses none, and
# `AsyncConnectionConfig::set_response_timeout(None)` leaves the wait to the server.
#
# Needs `redis-server` (Debian's package of that name).
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   blpop() says timed out
#   jobs in the list after one was added: 0
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "popped"
version = "0.1.0"
edition = "2024"

[dependencies]
redis = { version = "=1.8.1", default-features = false, features = ["tokio-comp"] }
tokio = { version = "1.54", features = ["macros", "rt-multi-thread", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, RedisResult};
use tokio::time::sleep;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn connect(client: &Client) -> MultiplexedConnection {
    loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => return connection,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::main]
async fn main() {
    let socket = std::env::current_dir().unwrap().join("socket");
    let mut server = Command::new("redis-server");
    server.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket).stdout(Stdio::null());
    let _server = Server(server.spawn().expect("redis-server is installed"));
    let client = Client::open(format!("redis+unix://{}", socket.display())).unwrap();
    let (mut consumer, mut producer) = (connect(&client).await, connect(&client).await);

    let popped: RedisResult<(String, String)> = consumer.blpop("jobs", 0.0).await;
    println!("blpop() says {}", popped.map_or_else(|error| error.to_string(), |(_, job)| job));
    let _: usize = producer.rpush("jobs", "a job").await.unwrap();
    let left: usize = producer.llen("jobs").await.unwrap();
    println!("jobs in the list after one was added: {left}");
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "blpop() says timed out
jobs in the list after one was added: 0" ]] || { echo "that has changed" >&2; exit 1; }
