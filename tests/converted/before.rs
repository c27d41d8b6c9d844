//! Servers as the documentation of their libraries writes them. `after.rs` has the same ones, converted.

use std::convert::Infallible;
use std::env;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, sleep};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use warp::Filter;

fn main() {
    match env::args().nth(1).as_deref() {
        Some("shutdown") => shutdown(),
        Some("sse") => sse(),
        Some("websockets") => websockets(),
        Some("grpc") => grpc(),
        Some("warp") => filters(),
        other => panic!("no server {other:?}"),
    }
}

async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("listening on {}", listener.local_addr().expect("it is bound"));
    listener
}

async fn terminated() {
    let sigterm = signal(SignalKind::terminate());
    sigterm.expect("it can be handled").recv().await;
}

async fn slow() -> &'static str {
    println!("in hand");
    sleep(Duration::from_secs(1)).await;
    "slow\n"
}

fn ticks() -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(interval(Duration::from_millis(100)), async |mut clock| {
        clock.tick().await;
        Some((Ok(Event::default().data("tick")), clock))
    })
}

// ----- shutdown -----
#[tokio::main]
async fn shutdown() {
    let app = Router::new().route("/", get(async || "hello\n")).route("/slow", get(slow));
    let listener = listen().await;
    axum::serve(listener, app).with_graceful_shutdown(terminated()).await.expect("it serves");
}

// ----- sse -----
#[tokio::main]
async fn sse() {
    let events = async || Sse::new(ticks());
    let app = Router::new().route("/", get(events));
    let listener = listen().await;
    axum::serve(listener, app).await.expect("it serves");
}

// ----- websockets -----
#[tokio::main]
async fn websockets() {
    async fn echo(mut socket: WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
    let app = Router::new().route("/", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)));
    let listener = listen().await;
    axum::serve(listener, app).await.expect("it serves");
}

// ----- grpc -----
#[tokio::main]
async fn grpc() {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let incoming = TcpIncoming::from(listen().await);
    Server::builder().add_service(health).serve_with_incoming(incoming).await.expect("it serves");
}

// ----- warp -----
#[tokio::main]
async fn filters() {
    let slowly = warp::path("slow").then(slow);
    let hello = warp::path::end().map(|| "hello\n");
    warp::serve(slowly.or(hello)).incoming(listen().await).run().await;
}
