//! A layer for HTTP services on [`tower`](https://docs.rs/tower), in servers of other crates. Feature `tower`.
//!
//! ```text
//! let app = Router::new()
//!     .route("/", get(index))
//!     .layer(graceful::tower::GracefulLayer::new());
//! ```
//!
//! See [`GracefulLayer`]. `graceful::http::serve` has it built in, and does what a layer cannot.

mod admission;
mod binding;
mod body;
#[cfg(feature = "http")]
pub(crate) mod connection;
mod head;
mod in_hand;

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use self::admission::{Admission, Options};
use self::binding::Shared;
pub use self::body::ResponseBody;
#[cfg(feature = "http")]
use self::connection::Connection;
use self::head::Head;
use self::in_hand::InHand;
#[cfg(feature = "http")]
use crate::life::lifecycle::Lifecycle;
use crate::model::label::Label;
use crate::model::name::ToName;
use crate::model::state::Stage;
use crate::work::ambient::Caller;

/// Makes the stop wait for the requests in hand, and clients leave before the listener closes.
///
/// * Each request is a [`hold`](crate::hold()) from its arrival until its response body has ended or was dropped:
///   the stop waits for streams too, names them, and [`status()`](crate::status()) counts them.
/// * HTTP/1 responses get `Connection: close` in the second half of the drain and from then on, so that
///   keep-alive clients go elsewhere while there is still time. HTTP/2 never gets that header.
/// * A request whose future or body is dropped before its end, during a stop, is named in the stop's last lines: by a
///   timeout of the server's own, for instance.
/// * With a [`concurrency_limit`](Self::concurrency_limit), requests beyond it are answered
///   `429 Too Many Requests`.
/// * A request that the stop would not wait for any more is answered `503 Service Unavailable`: the layer's stage
///   has ended, or is being aborted. With [`refuse_when_stopping`](Self::refuse_when_stopping) that begins when
///   the stage is told to stop.
///
/// * A `Watch` of gRPC's health service, whose answer has no end, ends with the status `UNAVAILABLE` when the layer's
///   stage is told to stop, after what the service has to say by then: clients watch again, elsewhere. Other streams
///   are the service's own.
///
/// A refusal has `Retry-After` and an empty body. gRPC clients take both codes for `UNAVAILABLE`.
///
/// The requests belong to the stage of the code that makes the layer: main's, or that of the worker that serves. Make
/// it once and put it outermost; its clones, and the services it wraps, count together. Outside any lifecycle it only
/// limits.
///
/// It costs no lock: four counters that all requests share. It allocates only for a method that is none of HTTP's own,
/// and for a tunnel. How long a handler may still take, [`remaining()`](crate::remaining()) says.
///
/// What it does not do, and `graceful::http::serve` does:
///
/// * It does not see bytes leave. A body has ended when the server has taken its last frame; await the server's
///   own graceful shutdown as well, which also sends HTTP/2 its `GOAWAY` and closes idle connections.
/// * It does not see what becomes of a connection after an upgrade. Take a [`hold`](crate::hold()) for a WebSocket.
/// * It ends nothing else. Streams end at [`stopping()`](crate::stopping()), slow clients by timeouts.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use graceful::tower::GracefulLayer;
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
///     fn call(&mut self, _: Request<()>) -> Self::Future {
///         ready(Ok(Response::new(format!("{:?}", graceful::remaining()))))
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
    pub fn named<'a>(self, name: &'a (impl ToName<'a> + ?Sized)) -> Self {
        self.with(|options| options.label.name = name.to_name())
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

    /// How long after the beginning of a stop connections are closed.
    #[cfg(feature = "http")]
    pub(crate) fn closes_after(&self, life: &Lifecycle) -> Duration {
        self.0.admission.closes_after(life)
    }

    fn with(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = self.0.admission.options.clone();
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
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match InHand::take(&self.shared, &request) {
            Ok(in_hand) => ResponseFuture::of(in_hand, self.inner.call(request)),
            Err(status) => ResponseFuture::refused(&self.shared.admission, status, &request),
        }
    }
}

/// The layer around the service of one connection that this crate serves.
#[cfg(feature = "http")]
pub(crate) struct OnConnection<S> {
    pub(crate) app: S,
    pub(crate) connection: Arc<Connection>,
}

#[cfg(feature = "http")]
impl<S, B, R> hyper::service::Service<Request<B>> for OnConnection<S>
where
    S: hyper::service::Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn call(&self, mut request: Request<B>) -> Self::Future {
        match InHand::take_on(&self.connection, &mut request) {
            Ok(in_hand) => ResponseFuture::of(in_hand, self.app.call(request)),
            Err(status) => ResponseFuture::refused(&self.connection.binding.admission, status, &request),
        }
    }
}

pin_project! {
    /// The future of a [`Graceful`] service.
    #[must_use = "a future does nothing until it is awaited"]
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        answer: Answer<F>,
        // Passed to the body of the response.
        in_hand: Option<InHand>,
    }
}

pin_project! {
    /// Who answers.
    #[derive(Debug)]
    #[project = Answering]
    enum Answer<F> {
        Service { #[pin] response: F },
        Refusal { refusal: Box<Response<()>> },
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    fn of(in_hand: InHand, response: F) -> Self {
        Self { answer: Answer::Service { response }, in_hand: Some(in_hand) }
    }

    #[cold]
    fn refused<B>(admission: &Admission, status: StatusCode, request: &Request<B>) -> Self {
        let refusal = Box::new(admission.refusal(status, Head::of(request).is_kept()));
        Self { answer: Answer::Refusal { refusal }, in_hand: None }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.answer.project() {
            Answering::Service { response } => response,
            Answering::Refusal { refusal } => {
                return Poll::Ready(Ok(refusal.clone().map(|()| ResponseBody::default())));
            }
        };
        let response = ready!(response.poll(context));
        // A response is large: its parts are moved, each once.
        let in_hand = this.in_hand;
        let (mut head, body) = match response {
            Ok(response) => response.into_parts(),
            Err(error) => {
                if let Some(mut in_hand) = in_hand.take() {
                    in_hand.end();
                }
                return Poll::Ready(Err(error));
            }
        };
        if let Some(in_hand) = in_hand {
            in_hand.answer(&mut head, &body);
        }
        Poll::Ready(Ok(Response::from_parts(head, ResponseBody::new(body, in_hand.take()))))
    }
}
