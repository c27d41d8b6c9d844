//! An HTTP service to copy: requests in hand are answered, streams end by themselves, health is reported until the end.

mod health;
mod streams;

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
use graceful::net;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::sleep;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

/// How long a client may take for the head of a request.
const FOR_A_HEAD: Duration = Duration::from_secs(5);

/// How long an answer may take to begin. Less than the stop's budget, so that the stop cuts off no answer that was
/// going to come.
const FOR_AN_ANSWER: Duration = Duration::from_secs(10);

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
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, FOR_AN_ANSWER))
}

/// Where to listen: on this machine alone, unless `ADDRESS` says otherwise.
fn address(port: &str) -> String {
    let host = env::var("ADDRESS");
    format!("{}:{port}", host.as_deref().unwrap_or("127.0.0.1"))
}

#[graceful::main(name = "http", stop_timeout = "20s", dump = ["SIGUSR1", "SIGABRT"])]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    // A socket that systemd hands over under this name stays open over a restart: see examples/deploy.
    let http = net::listen("http", &address(port.as_deref().unwrap_or("3000"))).await?;
    let port = env::var("HEALTH_PORT");
    let probed = net::listen("health", &address(port.as_deref().unwrap_or("0"))).await?;

    let addresses =
        [&http, &probed].map(|listener| listener.local_addr().map_or_else(String::new, |at| at.to_string()));
    let metrics = PrometheusBuilder::new().install_recorder()?;
    health::health(probed, metrics).spawn();
    // On a thread of its own, on this machine alone: it is there while all else is stuck, and shows the stop to its end.
    let page = env::var("PAGE_PORT").map_or(Ok(0), |port| port.parse())?;
    let page = graceful::page::serve(page)?;
    graceful::ready();
    let [address, probed] = addresses;
    println!("listening on http://{address}");
    println!("health on http://{probed}/readyz");
    println!("look at it on http://{page}/");
    println!("in another terminal: curl -i http://{address}/slow");
    println!("press Ctrl-C here while it waits");
    graceful::http::serve(http.max_connections(10_000), app()).head_timeout(FOR_A_HEAD).await;
    Ok(())
}
