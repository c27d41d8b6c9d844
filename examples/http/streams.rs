//! Responses that would go on forever, and end by themselves at the stop.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{interval, timeout};

/// Counts seconds as server-sent events. The last one asks the browser to reconnect, which it does by itself.
pub(crate) async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let clock = interval(Duration::from_secs(1));
    let seconds = stream::unfold((clock, 0), async |(mut clock, second)| {
        clock.tick().await;
        Some((Event::default().data(second.to_string()), (clock, second + 1)))
    });
    let goodbye = Event::default().event("stopping").data("come back").retry(Duration::from_secs(1));
    let events = seconds.take_until(graceful::stopping()).chain(stream::iter([goodbye]));
    Sse::new(events.map(Ok))
}

/// Sends each message back, over a WebSocket.
pub(crate) async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(converse)
}

async fn converse(mut socket: WebSocket) {
    while let Some(Some(Ok(message))) = graceful::run_until_stopping(socket.recv()).await {
        let is_for_us = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_for_us && socket.send(message).await.is_err() {
            return;
        }
    }
    let goodbye = CloseFrame { code: close_code::RESTART, reason: "stopping".into() };
    // Fails if the client has gone first.
    if socket.send(Message::Close(Some(goodbye))).await.is_ok() {
        let its_goodbye = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = timeout(Duration::from_secs(1), its_goodbye).await;
    }
}
