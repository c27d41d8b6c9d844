//! Health, on a port of its own: what probes ask, and what a person asks at 3 a.m.

use axum::http::StatusCode;
use axum::http::header::{ACCEPT, HeaderMap};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use graceful::net::Listener;
use metrics_exporter_prometheus::PrometheusHandle;

/// Last: it answers until all others are gone.
#[graceful::worker(stop = "last")]
pub(crate) async fn health(listener: Listener, metrics: PrometheusHandle) {
    let app = Router::new()
        // A process that is stopping is alive: restarting it would cut off requests in hand.
        .route("/livez", get("alive\n"))
        .route("/readyz", get(readyz))
        .route("/debug/graceful", get(status))
        .route("/metrics", get(async move || metrics.render()));
    graceful::http::serve(listener, app).await;
}

/// Not ready as soon as the stop is asked for; requests are still served during the drain, until load balancers have
/// noticed.
async fn readyz() -> (StatusCode, String) {
    let code = if graceful::is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, format!("{}\n", graceful::state()))
}

/// A table for people, JSON for clients that ask for it.
async fn status(headers: HeaderMap) -> Response {
    let status = graceful::status();
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("application/json")) {
        Json(status).into_response()
    } else {
        format!("{status}\n").into_response()
    }
}
