//! A layer for HTTP services on [`tower`](https://docs.rs/tower): axum, tonic, hyper. Feature `tower`.
//!
//! ```text
//! let app = Router::new()
//!     .route("/", get(index))
//!     .layer(graceful::tower::GracefulLayer::new());
//! ```
//!
//! See [`GracefulLayer`]. The example `http` has it in a whole service.

mod in_hand;

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use self::in_hand::{InHand, Options, Shared};
use crate::life::lifecycle::Lifecycle;
use crate::model::label::Label;
use crate::model::state::Stage;
use crate::work::ambient;
use crate::work::ambient::Caller;

/// Makes the stop wait for the requests in hand, and clients leave before the listener closes.
///
/// * Each request is a [`hold`](crate::hold()) from its arrival until its response body has ended or was dropped:
///   the stop waits for streams too, names them, and [`status()`](crate::status()) counts them.
/// * HTTP/1 responses get `Connection: close` in the second half of the drain and from then on, so that
///   keep-alive clients go elsewhere while there is still time. HTTP/2 never gets that header.
/// * Handlers find a [`StopBudget`] in the request's extensions: how long they may still take.
/// * With a [`concurrency_limit`](Self::concurrency_limit), requests beyond it are answered
///   `429 Too Many Requests`.
/// * A request that the stop would not wait for any more is answered `503 Service Unavailable`: the layer's stage
///   has ended, or is being aborted. With [`refuse_when_stopping`](Self::refuse_when_stopping) that begins when
///   the stage is told to stop.
///
/// A refusal has `Retry-After` and an empty body. gRPC clients take both codes for `UNAVAILABLE`.
///
/// The requests belong to the stage of the code that makes the layer: main's, or that of the worker that serves. Make
/// it once and put it outermost; its clones, and the services it wraps, count together. Outside any lifecycle it only
/// limits.
///
/// It costs no allocation but the extension's, and no lock: four counters that all requests share.
///
/// What it does not do:
///
/// * It does not see bytes leave. A body has ended when the server has taken its last frame; await the server's
///   own graceful shutdown as well, which also sends HTTP/2 its `GOAWAY` and closes idle connections.
/// * It does not see what becomes of a connection after an upgrade. Take a [`hold`](crate::hold()) for a WebSocket.
/// * It ends nothing. Streams end at [`stopping()`](crate::stopping()), slow clients by timeouts.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use graceful::tower::{GracefulLayer, StopBudget};
/// use http::{Request, Response};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// /// Says how long it may take.
/// struct App;
///
/// impl Service<Request<()>> for App {
///     type Response = Response<String>;
///     type Error = Infallible;
///     type Future = Ready<Result<Response<String>, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, request: Request<()>) -> Self::Future {
///         let budget = request.extensions().get::<StopBudget>();
///         let left = budget.and_then(StopBudget::remaining);
///         ready(Ok(Response::new(format!("{left:?}"))))
///     }
/// }
///
/// let app = GracefulLayer::new().concurrency_limit(1000).layer(App);
/// ```
#[derive(Clone, Debug)]
pub struct GracefulLayer(Arc<Shared>);

impl GracefulLayer {
    /// A layer whose requests are held under the name `request`, in the caller's stage.
    #[track_caller]
    pub fn new() -> Self {
        Self(Arc::new(Shared::new(Options {
            label: Label::at("request".into(), Location::caller()).of_hold(),
            stage: Caller::find().map_or(Stage::Main, |caller| caller.stage()),
            limit: None,
            close_after: None,
            retry_after: Duration::from_secs(1),
            refuses: false,
        })))
    }

    /// The name of the holds, in the report and in [`status()`](crate::status()).
    #[must_use = "it returns the changed layer"]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(|options| options.label.name = name.into())
    }

    /// The most requests in hand at a time, response bodies included. One more is answered 429 at once; to queue it
    /// instead, take tower's `ConcurrencyLimitLayer`.
    #[must_use = "it returns the changed layer"]
    pub fn concurrency_limit(self, requests: usize) -> Self {
        self.with(|options| options.limit = Some(requests))
    }

    /// How long after the beginning of a stop HTTP/1 responses start to carry `Connection: close`; half of the drain
    /// unless set, and never later than its end.
    ///
    /// Set it to the time that your load balancer needs to take the instance out: a client that is sent away sooner
    /// comes back on a fresh connection.
    #[must_use = "it returns the changed layer"]
    pub fn close_after(self, delay: Duration) -> Self {
        self.with(|options| options.close_after = Some(delay))
    }

    /// The value of `Retry-After`, in whole seconds, rounded up; 1 s unless set.
    #[must_use = "it returns the changed layer"]
    pub fn retry_after(self, delay: Duration) -> Self {
        self.with(|options| options.retry_after = delay)
    }

    /// Answers 503 as soon as the stage is told to stop. Otherwise requests that still arrive then are served as long
    /// as the stop waits for them: few do, on connections that were open or being opened, and most clients do not retry
    /// a 503.
    #[must_use = "it returns the changed layer"]
    pub fn refuse_when_stopping(self) -> Self {
        self.with(|options| options.refuses = true)
    }

    fn with(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = self.0.options.clone();
        change(&mut options);
        Self(Arc::new(Shared::new(options)))
    }
}

impl Default for GracefulLayer {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for GracefulLayer {
    type Service = Graceful<S>;

    fn layer(&self, inner: S) -> Graceful<S> {
        let shared = Arc::clone(&self.0);
        Graceful { inner, shared }
    }
}

/// The service that a [`GracefulLayer`] makes.
#[derive(Clone, Debug)]
pub struct Graceful<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for Graceful<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let life = ambient::lifecycle();
        // HTTP/2 has `GOAWAY`; and a tunnel cannot be kept for another request.
        let is_kept = request.version() < Version::HTTP_2 && request.method() != Method::CONNECT;
        let progress = match self.shared.admit(life.as_ref()) {
            Ok(in_hand) => {
                request.extensions_mut().insert(StopBudget(life));
                Progress::Served { response: self.inner.call(request), in_hand: Some(in_hand) }
            }
            Err(status) => Progress::Refused { status, life },
        };
        ResponseFuture { progress, shared: Arc::clone(&self.shared), is_kept }
    }
}

/// How long a handler may still take, when a stop was asked for. In the extensions of each request that went
/// through a [`GracefulLayer`], for code that runs where [`remaining()`](crate::remaining()) finds no lifecycle, and for
/// tests of handlers, which make one with `default()`.
#[derive(Clone, Default)]
pub struct StopBudget(Option<Arc<Lifecycle>>);

impl StopBudget {
    /// The time left, at this moment, until the stop would give the request up. `None` while no stop was asked for, and
    /// outside any lifecycle; [`Duration::MAX`] where there is no deadline.
    pub fn remaining(&self) -> Option<Duration> {
        let life = self.0.as_ref()?;
        Some(life.phase.budget()?.remaining(life.now()))
    }
}

impl fmt::Debug for StopBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopBudget").field(&self.remaining()).finish()
    }
}

pin_project! {
    /// The future of a [`Graceful`] service.
    #[must_use = "a future does nothing until it is awaited"]
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        progress: Progress<F>,
        shared: Arc<Shared>,
        // Whether the client may use the connection again, unless the response forbids it.
        is_kept: bool,
    }
}

pin_project! {
    #[project = ProgressProjected]
    #[derive(Debug)]
    enum Progress<F> {
        Served {
            #[pin]
            response: F,
            in_hand: Option<InHand>,
        },
        Refused {
            status: StatusCode,
            life: Option<Arc<Lifecycle>>,
        },
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let shared = &**this.shared;
        let (mut response, is_closing) = match this.progress.project() {
            ProgressProjected::Served { response, in_hand } => {
                let response = ready!(response.poll(context))?;
                let in_hand = in_hand.take();
                let life = in_hand.as_ref().and_then(InHand::life);
                let is_closing = life.is_some_and(|life| shared.is_closing(life));
                let body = |body| ResponseBody { body: Some(body), in_hand };
                (response.map(body), is_closing)
            }
            ProgressProjected::Refused { status, life } => {
                let is_closing = life.as_ref().is_some_and(|life| shared.is_closing(life));
                (shared.refusal(*status), is_closing)
            }
        };
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_closing && *this.is_kept && !is_upgrade {
            close(response.headers_mut());
        }
        Poll::Ready(Ok(response))
    }
}

/// Asks the client not to keep the connection, and leaves other options of `Connection` as they are.
fn close(headers: &mut HeaderMap) {
    let says_so = |value: &HeaderValue| {
        let value = value.to_str().unwrap_or_default();
        let mut options = value.split(',');
        options.any(|option| option.trim().eq_ignore_ascii_case("close"))
    };
    if !headers.get_all(CONNECTION).iter().any(says_so) {
        headers.append(CONNECTION, HeaderValue::from_static("close"));
    }
}

pin_project! {
    /// The body of a response: while it lasts, the request is in hand. That of a refusal is empty.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        body: Option<B>,
        // Released when the body has ended.
        in_hand: Option<InHand>,
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { body: None, in_hand: None }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(body.poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            *this.in_hand = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let empty = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(empty, Body::size_hint)
    }
}
