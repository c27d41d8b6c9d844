//! Health, on a port of its own: what probes ask, and what a person asks at 3 a.m.: a page for browsers, a table for curl.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use graceful::net::Listener;
use graceful::page::Page;
use metrics_exporter_prometheus::PrometheusHandle;

/// Last: it answers until all others are gone.
#[graceful::worker(stop = "last")]
pub(crate) async fn health(listener: Listener, metrics: PrometheusHandle) {
    let app = Router::new()
        // A process that is stopping is alive: restarting it would cut off requests in hand.
        .route("/livez", get("alive\n"))
        .route("/readyz", get(readyz))
        .route_service("/debug/graceful", Page::new())
        .route("/metrics", get(async move || metrics.render()));
    graceful::http::serve(listener, app).await;
}

/// Not ready as soon as the stop is asked for; requests are still served during the drain, until load balancers have
/// noticed.
async fn readyz() -> (StatusCode, String) {
    let code = if graceful::is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, format!("{}\n", graceful::state()))
}
