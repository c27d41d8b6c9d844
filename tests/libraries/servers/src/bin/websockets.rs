//! WebSockets of axum, with peers that do not answer Close; subscriptions of GraphQL.

use std::env;
use std::net::Ipv4Addr;
use std::time::Duration;

use async_graphql::futures_util::Stream;
use async_graphql::{EmptyMutation, Object, Schema, Subscription};
use async_graphql_axum::{GraphQLProtocol, GraphQLSubscription, GraphQLWebSocket};
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use futures_util::{SinkExt, StreamExt, stream};
use tokio::net::TcpListener;
use tokio::time::{interval, sleep, timeout};

/// How long a client has for its own Close.
const GOODBYE: Duration = Duration::from_secs(1);

/// Echoes until the stop, then takes a second to say goodbye.
async fn echo(mut socket: WebSocket) {
    while let Some(Some(Ok(message))) = graceful::run_until_stopping(socket.recv()).await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
    println!("told");
    sleep(Duration::from_secs(1)).await;
    let _ = socket.send(Message::text("goodbye")).await;
    let _ = socket.send(Message::Close(None)).await;
    // As the protocol has it: the connection is closed when both have said Close.
    while let Some(Ok(_)) = socket.recv().await {}
    println!("over");
}

/// The same for connections on which nobody but the handler can end the wait.
async fn echo_limited(mut socket: WebSocket) {
    graceful::stopping().await;
    let _ = socket.send(Message::Close(None)).await;
    let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    println!("over");
}

async fn echo_held(socket: WebSocket) {
    let _hold = graceful::hold("websocket");
    echo(socket).await;
}

struct Query;

#[Object]
impl Query {
    async fn version(&self) -> u32 {
        1
    }
}

struct Ticks;

#[Subscription]
impl Ticks {
    async fn ticks(&self) -> impl Stream<Item = u32> {
        stream::unfold((interval(Duration::from_millis(50)), 0), async |(mut clock, number)| {
            clock.tick().await;
            Some((number, (clock, number + 1)))
        })
    }
}

fn schema() -> Schema<Query, EmptyMutation, Ticks> {
    Schema::new(Query, EmptyMutation, Ticks)
}

async fn subscriptions(upgrade: WebSocketUpgrade, protocol: GraphQLProtocol) -> axum::response::Response {
    upgrade.protocols(["graphql-transport-ws"]).on_upgrade(async move |socket| {
        let (mut sink, stream) = socket.split();
        GraphQLWebSocket::new_with_pair(&mut sink, stream.take_until(graceful::stopping()), schema(), protocol)
            .serve()
            .await;
        let _ = sink.close().await;
    })
}

#[graceful::main]
async fn main() -> std::io::Result<()> {
    let how = env::args().nth(1).unwrap_or_default();
    let app = Router::new()
        .route("/", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)))
        .route("/limited", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo_limited)))
        .route("/held", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo_held)))
        .route("/subscriptions", any(subscriptions))
        .route_service("/endless", GraphQLSubscription::new(schema()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    graceful::ready();
    if how == "served" {
        graceful::http::serve(listener, app).await;
        return Ok(());
    }
    axum::serve(listener, app).with_graceful_shutdown(graceful::stopping()).await
}
