#!/usr/bin/env bash
# axum 0.8.9, tower 0.5.3: a `ConcurrencyLimitLayer::new(1)` on a `Router` limits nothing, or does, depending on how the
# router is served.
#
#   axum::serve(listener, router)                        each connection makes the layer anew: five run five at once
#   axum::serve(listener, router.into_make_service())    one layer for all of them: one at once
#   the router as a tower service, cloned for each call  each call makes the layer anew: five run five at once
#
# The documentation of `axum::serve` shows the first two side by side. `Router::with_state(())` makes the layers once;
# the second form calls it once, the first for each connection, the third never. `GlobalConcurrencyLimitLayer` is one
# limit in all three.
#
# Seen on 2026-11-30 with rustc 1.95:
#
#   serve(router): 5 at once
#   serve(into_make_service): 1 at once
#   router as a service: 5 at once
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "layers"
version = "0.1.0"
edition = "2024"

[dependencies]
axum = { version = "=0.8.9", default-features = false, features = ["http1", "tokio"] }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt-multi-thread", "time"] }
tower = { version = "=0.5.3", features = ["limit", "util"] }
TOML
cat >src/main.rs <<'RUST'
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tower::limit::ConcurrencyLimitLayer;

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

async fn handler() {
    MOST.fetch_max(RUNNING.fetch_add(1, SeqCst) + 1, SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    RUNNING.fetch_sub(1, SeqCst);
}

fn router() -> Router {
    Router::new().route("/", get(handler)).layer(ConcurrencyLimitLayer::new(1))
}

/// Five requests, each on a connection of its own.
async fn five(listener: &TcpListener) -> Vec<tokio::task::JoinHandle<()>> {
    let address = listener.local_addr().unwrap();
    let ask = move |_| {
        tokio::spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
        })
    };
    (0..5).map(ask).collect()
}

async fn report(what: &str, requests: Vec<tokio::task::JoinHandle<()>>) {
    for request in requests {
        request.await.unwrap();
    }
    println!("{what}: {} at once", MOST.swap(0, SeqCst));
}

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let requests = five(&listener).await;
    tokio::spawn(async { axum::serve(listener, router()).await });
    report("serve(router)", requests).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let requests = five(&listener).await;
    tokio::spawn(async { axum::serve(listener, router().into_make_service()).await });
    report("serve(into_make_service)", requests).await;

    let router = router();
    let call = |_| {
        let router = router.clone();
        tokio::spawn(async move {
            let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
            assert!(answer.status().is_success());
        })
    };
    report("router as a service", (0..5).map(call).collect()).await;
}
RUST
seen="$(cargo run --quiet)"
printf '%s\n' "$seen"
[[ "$seen" == "serve(router): 5 at once
serve(into_make_service): 1 at once
router as a service: 5 at once" ]] || { echo "that has changed" >&2; exit 1; }
