//! A server for axum, tonic and every service of [`tower`](https://docs.rs/tower) that stops well. Feature `http`.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//!
//! #[graceful::main(drain = "5s")]
//! async fn main() -> Result<(), graceful::net::ListenError> {
//!     let app = Router::new().route("/", get(async || "hello"));
//!     let listener = graceful::net::listen("http", "0.0.0.0:3000").await?;
//!     graceful::ready();
//!     graceful::http::serve(listener, app).await;
//!     Ok(())
//! }
//! ```
//!
//! [`serve`] takes a [`Listener`], or one of tokio's for TCP or Unix sockets, and a service: axum's `Router` (with the
//! feature `axum`), tonic's `Routes`, whatever else answers an `http::Request`. It speaks HTTP/1 and HTTP/2, with
//! upgrades. Each connection is a worker called `connection`, a child of the worker that serves; each request is counted
//! as [`GracefulLayer`] counts it, which is built in.
//!
//! What becomes of clients at a stop:
//!
//! | what the client is at | what it sees |
//! |---|---|
//! | it sends requests during the drain | answers; those in the second half say `Connection: close` |
//! | it is just connecting | it is accepted and answered; later ones are refused, or wait for the next process |
//! | a request is in hand | the whole answer, with `Connection: close` where its head was not yet sent |
//! | HTTP/2 | `GOAWAY` in two steps; all that it had sent is answered |
//! | a connection is idle | it stays open for half a second from the first `Connection: close` on, so that a request that is on its way is answered, then it is closed |
//! | a part of a request's head was sent | half a second for the rest, then it is closed and counted as cut off |
//! | an upgraded connection, such as a WebSocket | whatever its handler does at [`stopping`](crate::stopping()); the stop waits for it |
//! | a WebSocket of HTTP/1 to which the server has said Close, at any time | 5 s for its own Close, or 6, from the last byte that it has sent; then its handler reads the end of the connection, and in a stop it is counted as cut off |
//! | a `Watch` of gRPC's health service | the status `UNAVAILABLE`, on which clients watch again: see [`GracefulLayer`] |
//! | it takes nothing of its answer | 5 s, then it is closed and counted as cut off; an HTTP/2 client whose window is full is waited for |
//! | it still sends when its answer is out | what it sends is read and thrown away for a moment, so that no reset destroys the answer |
//! | its request is not answered by the deadline | the connection is closed, and counted as cut off; exit code 124 |
//!
//! What is cut off is named in the last lines of the stop: `cut off: 2 requests (GET /slow ×2), 1 connection (reading
//! the head of a request)`. It is no failure by itself.
//!
//! TLS is made by the library of your choice, here `tokio-rustls`:
//!
//! ```text
//! let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
//! graceful::http::serve(listener, app).tls(move |stream| acceptor.accept(stream)).await;
//! ```

mod connection;
mod socket;
mod websocket;

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tower_service::Service;

use self::connection::Server;
use self::socket::{Established, Transport};
use crate::with::net::{Listener, Stream};
use crate::with::tower::GracefulLayer;
use crate::work::ambient::Caller;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves `app` on `listener` until the caller is told to stop, and then until every connection is closed.
///
/// Returns a [`Serve`], which runs when it is awaited, and whose methods change its limits. There is no error to deal
/// with: what happens to one client concerns that client, and when connections cannot be accepted, a line says so and
/// it is tried again.
///
/// The service is cloned for each connection, and what its clones share is shared by all: a limit that is a layer of
/// the app is one limit. Do not put a [`GracefulLayer`] around it: it would count each request twice.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
///
/// # Cancel safety
///
/// When the future is dropped, the listener is closed at once, and connections are served on until their client or the
/// stop ends them.
#[track_caller]
pub fn serve<A>(listener: impl Into<Listener>, app: A) -> Serve<A> {
    Caller::expect("http::serve()");
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().timer(TokioTimer::new()).enable_connect_protocol();
    let (layer, limits) = (GracefulLayer::new(), Limits::default());
    let server = Server { builder, layer, limits, connect_info: None, accept: None };
    Serve { listener: listener.into(), app, server, place: Location::caller() }
}

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    head: Duration,
    idle: Duration,
    send: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), idle: Duration::from_secs(75), send: Duration::from_secs(30) }
    }
}

impl Limits {
    fn shortest(self) -> Duration {
        self.head.min(self.idle).min(self.send)
    }
}

/// Makes a connection of a socket: TLS.
type Accept = dyn Fn(Stream) -> Established + Send + Sync;

/// A server that has not been started: see [`serve`]. It runs when it is awaited.
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<A> {
    listener: Listener,
    app: A,
    server: Server,
    place: &'static Location<'static>,
}

impl<A> Serve<A> {
    /// How long a client may take to send the head of a request, and for the handshake of TLS. 30 s unless set.
    pub fn head_timeout(mut self, limit: Duration) -> Self {
        self.server.limits.head = limit;
        self
    }

    /// How long a connection stays open between two requests. 75 s unless set, which is more than the 60 s of most
    /// proxies: the side that sends the requests should be the one that closes.
    ///
    /// The limits are exact for a connection's first request. Later ones may take longer, by the shortest of them at
    /// the most: no clock is read for each request.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.server.limits.idle = limit;
        self
    }

    /// How long a client may take nothing of an answer that is ready for it. 30 s unless set; 5 s at the most during
    /// a stop.
    pub fn send_timeout(mut self, limit: Duration) -> Self {
        self.server.limits.send = limit;
        self
    }

    /// How often the peer of an HTTP/2 connection is asked whether it is there, and how long it may take to answer. It is
    /// not asked unless this is set: an idle connection has its own limit. For streams that are silent for long.
    pub fn http2_keep_alive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.server.builder.http2().keep_alive_interval(interval).keep_alive_timeout(timeout);
        self
    }

    /// How many requests may be in hand on one HTTP/2 connection. 200 unless set, as hyper has it.
    pub fn http2_max_streams(mut self, streams: u32) -> Self {
        self.server.builder.http2().max_concurrent_streams(streams);
        self
    }

    /// Adds to each request's extensions what this makes of the client's address: `.connect_info(ConnectInfo)` for
    /// axum's extractor. Requests on Unix sockets get none.
    pub fn connect_info<T, F>(mut self, info: F) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(SocketAddr) -> T + Send + Sync + 'static,
    {
        self.server.connect_info = Some(Arc::new(move |peer, extensions: &mut Extensions| {
            extensions.insert(info(peer));
        }));
        self
    }

    /// Makes a connection of each socket before it is served: the handshake of TLS.
    pub fn tls<T, F, Fut>(mut self, accept: F) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Fn(Stream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::io::Result<T>> + Send + 'static,
    {
        self.server.accept = Some(Box::new(move |stream| {
            let accepted = accept(stream);
            Box::pin(async move { accepted.await.map(|stream| Transport::Right(Box::new(stream) as _)) })
        }));
        self
    }

    /// The most requests in hand at a time: see [`GracefulLayer::concurrency_limit`].
    pub fn concurrency_limit(self, requests: usize) -> Self {
        self.layer(|layer| layer.concurrency_limit(requests))
    }

    /// When answers begin to say `Connection: close`: see [`GracefulLayer::close_after`].
    pub fn close_after(self, delay: Duration) -> Self {
        self.layer(|layer| layer.close_after(delay))
    }

    /// The value of `Retry-After` in a refusal: see [`GracefulLayer::retry_after`].
    pub fn retry_after(self, delay: Duration) -> Self {
        self.layer(|layer| layer.retry_after(delay))
    }

    /// Answers 503 from the stop on: see [`GracefulLayer::refuse_when_stopping`].
    pub fn refuse_when_stopping(self) -> Self {
        self.layer(GracefulLayer::refuse_when_stopping)
    }

    fn layer(mut self, change: impl FnOnce(GracefulLayer) -> GracefulLayer) -> Self {
        self.server.layer = change(self.server.layer);
        self
    }
}

impl<A, B> IntoFuture for Serve<A>
where
    A: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    A::Error: Into<BoxError>,
    A::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run(self))
    }
}

/// All connections, as permits; no more than tokio has on 32 bits.
const CONNECTIONS: u32 = 1 << 28;

async fn run<A, B>(serve: Serve<A>)
where
    A: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    A::Error: Into<BoxError>,
    A::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let Serve { mut listener, app, server, place } = serve;
    let (app, server) = (prepare(app), Arc::new(server));
    let open = Arc::new(Semaphore::new(CONNECTIONS as usize));
    while let Some(stream) = listener.accept_at(place).await {
        let Some(own) = stream.own().cloned() else {
            continue;
        };
        let permit = Arc::clone(&open).try_acquire_owned();
        let (server, app) = (Arc::clone(&server), app.clone());
        own.spawn(async move {
            server.connection(stream, app).await;
            drop(permit);
        });
    }
    // Resolves when every connection is closed.
    let _ = open.acquire_many(CONNECTIONS).await;
}

/// axum makes the services of a `Router` anew for each request unless it is told that its state is complete: with them
/// it would make each layer anew, limits included.
#[cfg(feature = "axum")]
fn prepare<A: 'static>(app: A) -> A {
    use std::any::Any;
    let mut app = Some(app);
    if let Some(router) = (&mut app as &mut dyn Any).downcast_mut::<Option<axum::Router>>() {
        *router = router.take().map(|router| router.with_state(()));
    }
    app.expect("it was put back")
}

#[cfg(not(feature = "axum"))]
fn prepare<A: 'static>(app: A) -> A {
    if std::any::type_name::<A>().starts_with("axum::routing::Router")
        && let Some(life) = crate::work::ambient::lifecycle()
    {
        life.writer.say(crate::say::connections::router_is_not_known());
    }
    app
}
