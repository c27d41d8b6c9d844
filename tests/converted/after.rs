//! The servers of `before.rs`, converted.

use std::convert::Infallible;
use std::env;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};
use tonic::service::Routes;
use warp::Filter;

fn main() -> ExitCode {
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
#[graceful::main]
async fn shutdown() {
    let app = Router::new().route("/", get(async || "hello\n")).route("/slow", get(slow));
    let listener = listen().await;
    graceful::http::serve(listener, app).await;
}

// ----- sse -----
#[graceful::main]
async fn sse() {
    let events = async || Sse::new(ticks().take_until(graceful::stopping()));
    let app = Router::new().route("/", get(events));
    let listener = listen().await;
    graceful::http::serve(listener, app).await;
}

// ----- websockets -----
#[graceful::main]
async fn websockets() {
    async fn echo(mut socket: WebSocket) {
        while let Some(Some(Ok(message))) = graceful::run_until_stopping(socket.recv()).await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
    let app = Router::new().route("/", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)));
    let listener = listen().await;
    graceful::http::serve(listener, app).await;
}

// ----- grpc -----
#[graceful::main]
async fn grpc() {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let incoming = listen().await;
    graceful::http::serve(incoming, Routes::new(health)).await;
}

// ----- warp -----
#[graceful::main]
async fn filters() {
    let slowly = warp::path("slow").then(slow);
    let hello = warp::path::end().map(|| "hello\n");
    graceful::http::serve(listen().await, warp::service(slowly.or(hello))).await;
}
