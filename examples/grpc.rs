//! gRPC with tonic: calls in hand are answered during the stop, streams end by themselves, health is reported from the
//! first moment on.

use std::env;
use std::time::Duration;

use axum::routing::post;
use axum::{Router, extract};
use futures_util::stream::{self, Stream, StreamExt};
use graceful::State;
use graceful::net::ListenError;
use tokio::time::{interval, sleep};
use tonic::service::Routes;
use tonic::{Request, Response, Status, server};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// Takes its time.
async fn reverse(text: Request<String>) -> Result<Response<String>, Status> {
    println!("reverse: a call begins");
    sleep(Duration::from_secs(2)).await;
    Ok(Response::new(text.into_inner().chars().rev().collect()))
}

/// Counts forever. At the stop the stream ends in good order, with the status OK: clients that want more call again.
async fn count(_: Request<()>) -> Result<Response<impl Stream<Item = Result<u32, Status>>>, Status> {
    let clock = interval(Duration::from_millis(100));
    let numbers = stream::unfold((clock, 0), async |(mut clock, number)| {
        clock.tick().await;
        Some((Ok(number), (clock, number + 1)))
    });
    Ok(Response::new(numbers.take_until(graceful::stopping())))
}

/// What tonic's code generator, which needs protoc, makes of
///
/// ```proto
/// service Demo {
///   rpc Reverse(google.protobuf.StringValue) returns (google.protobuf.StringValue);
///   rpc Count(google.protobuf.Empty) returns (stream google.protobuf.UInt32Value);
/// }
/// ```
fn demo() -> Router {
    let call_reverse = async |request: extract::Request| {
        let mut grpc = server::Grpc::new(ProstCodec::default());
        grpc.unary(service_fn(reverse), request).await
    };
    let call_count = async |request: extract::Request| {
        let mut grpc = server::Grpc::new(ProstCodec::default());
        grpc.server_streaming(service_fn(count), request).await
    };
    Router::new().route("/Demo/Reverse", post(call_reverse)).route("/Demo/Count", post(call_count))
}

/// Reports the state of the lifecycle to clients and load balancers that ask `grpc.health.v1.Health`. Those who watch it
/// are told by `http::serve`, at the stop, to watch elsewhere.
#[graceful::worker]
async fn health(reporter: HealthReporter) {
    reporter.set_service_status("", ServingStatus::NotServing).await;
    graceful::wait_for(State::Ready).await;
    if graceful::is_ready() {
        reporter.set_service_status("", ServingStatus::Serving).await;
    }
    graceful::wait_for(State::Draining).await;
    reporter.set_service_status("", ServingStatus::NotServing).await;
}

#[graceful::main(name = "grpc", stop_timeout = "20s")]
async fn main() -> Result<(), ListenError> {
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
    let listener = graceful::net::listen("grpc", &address).await?;
    if let Some(address) = listener.local_addr() {
        println!("listening on {address}");
    }

    let (reporter, health_service) = health_reporter();
    health(reporter).spawn();
    graceful::ready();
    println!("ready; press Ctrl-C");
    // The stop waits for each call to the end of its stream, and names it. Idle connections get a `GOAWAY` and close.
    let routes = Routes::from(demo()).add_service(health_service).prepare();
    graceful::http::serve(listener, routes).await;
    Ok(())
}
