//! tonic: a client that watches the health service, and connections that get old.

use std::env;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use graceful::State;
use graceful::tower::GracefulLayer;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

async fn slow() -> &'static str {
    println!("in hand");
    sleep(Duration::from_secs(4)).await;
    "slow\n"
}

#[graceful::worker]
async fn health(reporter: HealthReporter, clears: bool) {
    reporter.set_service_status("", ServingStatus::Serving).await;
    graceful::wait_for(State::Draining).await;
    reporter.set_service_status("", ServingStatus::NotServing).await;
    if clears {
        graceful::stopping().await;
        let mut reporter = reporter;
        reporter.clear_service_status("").await;
    }
}

#[graceful::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let how = env::args().nth(1).unwrap_or_default();
    let (reporter, service) = health_reporter();
    health(reporter, how == "cleared").spawn();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    graceful::ready();
    let routes = Routes::from(Router::new().route("/slow", get(slow))).add_service(service);
    if how == "served" {
        graceful::http::serve(listener, routes).await;
        return Ok(());
    }
    let incoming = TcpIncoming::from(listener);
    let mut server = Server::builder();
    server = match &*how {
        "aged" => server.max_connection_age(Duration::from_secs(1)),
        "aged with grace" => {
            let server = server.max_connection_age(Duration::from_secs(1));
            server.max_connection_age_grace(Duration::from_secs(1))
        }
        _ => server,
    };
    if how == "layered" {
        let mut server = server.layer(GracefulLayer::new());
        server.add_routes(routes).serve_with_incoming_shutdown(incoming, graceful::stopping()).await?;
    } else {
        server.add_routes(routes).serve_with_incoming_shutdown(incoming, graceful::stopping()).await?;
    }
    Ok(())
}
