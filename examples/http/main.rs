//! An HTTP service to copy: requests in hand are answered, streams end by themselves, health is reported until the end.

#[path = "../timeline/chart.rs"]
mod chart;
mod health;
mod port;
mod serve;
mod streams;
#[path = "../timeline/svg.rs"]
mod svg;
mod timeline;

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use axum::{BoxError, Router};
use futures_util::StreamExt;
use graceful::tower::GracefulLayer;
use listenfd::ListenFd;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::sleep;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::port::Port;
use crate::timeline::Timeline;

/// How long an answer may take to begin. Less than the stop's budget, so that the stop cuts off no answer that was
/// going to come.
const PATIENCE: Duration = Duration::from_secs(10);

async fn slow() -> &'static str {
    println!("/slow: a request begins");
    sleep(Duration::from_secs(5)).await;
    println!("/slow: answered");
    "finished, whatever came in between\n"
}

/// How many requests may be slow at once. More are refused, not queued: a stop would have to wait for the queue.
const SLOW_AT_ONCE: usize = 8;

/// The answer to one request too many.
async fn overloaded(_: BoxError) -> impl IntoResponse {
    let code = StatusCode::SERVICE_UNAVAILABLE;
    (code, [(RETRY_AFTER, "5")], "too many at once\n")
}

/// Counts the bytes of the body.
async fn upload(body: Body) -> Result<String, StatusCode> {
    let mut length = 0;
    let mut data = body.into_data_stream();
    while let Some(part) = data.next().await {
        length += part.map_err(|_| StatusCode::BAD_REQUEST)?.len();
    }
    Ok(format!("{length} bytes\n"))
}

fn app() -> Router {
    let limit = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        // Global, since axum makes the service of a route anew for each request.
        .layer(GlobalConcurrencyLimitLayer::new(SLOW_AT_ONCE));
    Router::new()
        .route("/", get(async || "try /slow\n"))
        .route("/slow", get(slow).layer(limit))
        .route("/bug", get(async || -> () { panic!("a bug") }))
        .route("/upload", post(upload))
        .route("/events", get(streams::events))
        .route("/echo", any(streams::echo))
        // A bug fails one request: that one gets a 500.
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE))
        // Outermost, so that the stop waits for what the others answer too.
        .layer(GracefulLayer::new().concurrency_limit(10_000))
}

/// The port among the arguments, or else in the environment. `--timeline path` draws the stop there.
fn port(mut arguments: impl Iterator<Item = String>) -> Result<Option<String>, &'static str> {
    let mut port = env::var("PORT").ok();
    while let Some(argument) = arguments.next() {
        if argument == "--timeline" {
            let path = arguments.next().ok_or("--timeline takes a path")?;
            graceful::keep(Timeline(path.into()));
        } else {
            port = Some(argument);
        }
    }
    Ok(port)
}

#[graceful::main(name = "http", stop_timeout = "20s")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut handed_over = ListenFd::from_env();
    let port = port(env::args().skip(1))?;
    let port = port.as_deref().unwrap_or("3000");
    let http = Port::open(handed_over.take_tcp_listener(0)?, port, "PORT").await?;
    let port = env::var("HEALTH_PORT");
    let port = port.as_deref().unwrap_or("0");
    let health = Port::open(handed_over.take_tcp_listener(1)?, port, "HEALTH_PORT").await?;

    let (address, probed) = (http.address()?, health.address()?);
    let metrics = PrometheusBuilder::new().install_recorder()?;
    health::health(health, metrics).spawn();
    graceful::ready();
    println!("listening on http://{address}");
    println!("health on http://{probed}/readyz");
    println!("in another terminal: curl -i http://{address}/slow");
    println!("press Ctrl-C here while it waits");
    serve::serve(http, app()).await;
    Ok(())
}
