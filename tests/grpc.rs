//! The example `grpc` as its clients see it at a stop.
#![cfg(unix)]

use std::process::Command;
use std::time::Duration;

use graceful_tests::Child;
use graceful_tests::client::{address_after, wait_until_refused};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;

const SECOND: Duration = Duration::from_secs(1);

/// What the protocol calls them.
const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

/// The example, ready, and a connection to it.
async fn start(drain: &str) -> (Child, Channel) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-grpc"));
    let service = Child::start(command.arg("0").env("GRACEFUL_DRAIN", drain));
    service.prints("ready; press Ctrl-C");
    let address = address_after(&service, "listening on ");
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("it is an address");
    let channel = endpoint.connect().await.expect("it listens");
    (service, channel)
}

/// The unary call.
async fn reverse(channel: Channel, text: &str) -> Result<String, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.expect("the connection stands");
    let path = PathAndQuery::from_static("/Demo/Reverse");
    let codec = ProstCodec::<String, String>::default();
    let answer = client.unary(Request::new(text.to_owned()), path, codec);
    Ok(answer.await?.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_call_in_hand_is_answered_and_nobody_else_is_let_in() {
    let (service, channel) = start("0s").await;
    let call = tokio::spawn(reverse(channel, "graceful"));
    service.prints("reverse: a call begins");
    let asked = service.terminate();
    service.says("stopping: SIGTERM");
    wait_until_refused(address_after(&service, "listening on "));
    let answer = call.await.expect("it does not panic");
    assert_eq!(answer.expect("it is answered"), "lufecarg");
    let end = service.end();
    end.assert_code(0);
    end.assert_gone_between(asked, SECOND, 4 * SECOND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_by_itself_with_the_status_ok() {
    let (service, channel) = start("0s").await;
    let mut client = Grpc::new(channel);
    client.ready().await.expect("the connection stands");
    let path = PathAndQuery::from_static("/Demo/Count");
    let codec = ProstCodec::<(), u32>::default();
    let answer = client.server_streaming(Request::new(()), path, codec).await;
    let mut numbers = answer.expect("the stream begins").into_inner();
    assert_eq!(numbers.message().await.expect("in good order"), Some(0));

    let asked = service.terminate();
    let mut next = 1;
    while let Some(number) = numbers.message().await.expect("in good order") {
        assert_eq!(number, next);
        next += 1;
    }
    let end = service.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, 2 * SECOND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_not_serving_from_the_drain_on_and_who_watches_it_holds_nothing_up() {
    let (service, channel) = start("2s").await;
    let mut client = HealthClient::new(channel.clone());
    let ask = || HealthCheckRequest { service: String::new() };
    let watched = client.watch(ask()).await.expect("the stream begins");
    let mut watched = watched.into_inner();
    // The reporter may change the status a moment after the first client connects.
    let mut next = async || watched.message().await.expect("in good order");
    while next().await.expect("the stream goes on").status != SERVING {}

    let asked = service.terminate();
    let told = watched.message().await.expect("in good order");
    assert_eq!(told.map(|now| now.status), Some(NOT_SERVING));
    let status = client.check(ask()).await.expect("it is answered");
    assert_eq!(status.into_inner().status, NOT_SERVING);
    assert_eq!(reverse(channel, "on").await.expect("a drain goes on serving"), "no");
    let end = watched.message().await.expect_err("it is watched elsewhere");
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    let end = service.end();
    end.assert_code(0);
    end.assert_gone_between(asked, 2 * SECOND, 4 * SECOND);
}
