//! The services that are restarted beside the example `http`: the same pages, and three ways to meet SIGTERM.

mod upload;

use std::env;
use std::error::Error;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use self::upload::upload;

static IS_READY: AtomicBool = AtomicBool::new(true);

async fn readyz() -> StatusCode {
    if IS_READY.load(Ordering::Relaxed) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn terminated() {
    let sigterm = signal(SignalKind::terminate());
    sigterm.expect("SIGTERM can be handled").recv().await;
}

/// What the service does between SIGTERM and the moment from which it takes no more connections.
async fn told(handling: &str, delay: Duration) {
    match handling {
        "unhandled" => pending().await,
        "future" => terminated().await,
        "delay" => {
            terminated().await;
            IS_READY.store(false, Ordering::Relaxed);
            sleep(delay).await;
        }
        other => panic!("no contender `{other}`"),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [handling, delay, port, health] = arguments.as_slice() else {
        return Err("usage: contender <handling> <delay in ms> <port> <health port>".into());
    };
    let delay = Duration::from_millis(delay.parse()?);
    let health = TcpListener::bind(format!("127.0.0.1:{health}")).await?;
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening");
    tokio::spawn(async {
        let app = Router::new().route("/readyz", get(readyz));
        axum::serve(health, app).await
    });
    let app = Router::new().route("/", get(async || "try /slow\n")).route("/upload", post(upload));
    let handling = handling.clone();
    axum::serve(listener, app).with_graceful_shutdown(async move { told(&handling, delay).await }).await?;
    Ok(())
}
