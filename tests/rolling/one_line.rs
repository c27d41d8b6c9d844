//! A service of this crate as short as it gets: a router, `graceful::http::serve`, and readiness on a port of its own.

mod upload;

use std::env;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use graceful::net::{ListenError, Listener};

use self::upload::upload;

async fn readyz() -> StatusCode {
    if graceful::is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

#[graceful::worker(stop = "last")]
async fn health(listener: Listener) {
    graceful::http::serve(listener, Router::new().route("/readyz", get(readyz))).await;
}

#[graceful::main(stop_timeout = "20s")]
async fn main() -> Result<(), ListenError> {
    let mut ports = env::args().skip(1);
    let mut address = || format!("127.0.0.1:{}", ports.next().unwrap_or_default());
    let (http, probed) = (address(), address());
    let http = graceful::net::listen("http", &http).await?;
    health(graceful::net::listen("health", &probed).await?).spawn();
    graceful::ready();
    println!("listening");
    let app = Router::new().route("/", get(async || "try /slow\n")).route("/upload", post(upload));
    graceful::http::serve(http, app).await;
    Ok(())
}
