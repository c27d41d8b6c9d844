//! A request in hand, from its arrival to the end of its answer.

use std::fmt;
use std::sync::Arc;
use std::task::Context;
use std::thread;

use bytes::Buf;
#[cfg(feature = "http")]
use http::Version;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode, response};
use http_body::{Body, Frame};

use super::admission::close;
use super::binding::{Binding, Shared};
#[cfg(feature = "http")]
use super::connection::Connection;
use super::head::Head;

pub(super) struct InHand {
    keeper: Keeper,
    head: Head,
    /// How much of the answer the server has not taken, where that is known: it may not ask for an end after that.
    left: u64,
}

/// The head of the answer does not say how long the body is, or there is none yet.
const UNKNOWN: u64 = u64::MAX;

/// Makes the stop wait.
enum Keeper {
    Layer(Arc<Binding>),
    /// What is counted is the same, and the connection counts its own.
    #[cfg(feature = "http")]
    Connection(Arc<Connection>),
}

impl InHand {
    /// Takes a request in hand, or returns the status with which to refuse it.
    #[inline]
    pub(super) fn take<B>(shared: &Shared, request: &Request<B>) -> Result<Self, StatusCode> {
        let binding = shared.here();
        binding.begin()?;
        Ok(Self { keeper: Keeper::Layer(binding), head: Head::of(request), left: UNKNOWN })
    }

    /// The same for a request on a connection that this crate serves.
    #[cfg(feature = "http")]
    #[inline]
    pub(super) fn take_on<B>(connection: &Arc<Connection>, request: &mut Request<B>) -> Result<Self, StatusCode> {
        connection.request_began(request.version() == Version::HTTP_2, request.extensions_mut());
        if let Err(status) = connection.binding.begin() {
            connection.request_ended();
            return Err(status);
        }
        let keeper = Keeper::Connection(Arc::clone(connection));
        Ok(Self { keeper, head: Head::of(request), left: UNKNOWN })
    }

    #[inline]
    fn binding(&self) -> &Binding {
        match &self.keeper {
            Keeper::Layer(binding) => binding,
            #[cfg(feature = "http")]
            Keeper::Connection(connection) => &connection.binding,
        }
    }

    /// The service has answered. Adds `Connection: close` where that is due.
    #[inline]
    pub(super) fn answer(&mut self, response: &mut response::Parts, body: &impl Body) {
        let status = response.status;
        #[cfg(feature = "http")]
        if let Keeper::Connection(connection) = &self.keeper {
            // With HTTP/1 the socket leaves the connection; with HTTP/2 it stays.
            if self.head.becomes_a_tunnel(status) {
                connection.opens_a_tunnel();
            }
            if status == StatusCode::SWITCHING_PROTOCOLS && is_websocket(&response.headers) {
                connection.opens_a_websocket();
            }
        }
        if self.is_last() {
            self.close(status, &mut response.headers);
        }
        if body.is_end_stream() || self.head.has_no_body(status) {
            self.left = 0;
        } else if body.size_hint().exact().is_none() {
            self.left = length(&response.headers);
        }
    }

    /// The server takes a part of the body, and perhaps the last one.
    #[inline]
    pub(super) fn send<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool) {
        if is_last {
            self.left = 0;
        } else if self.left != UNKNOWN
            && let Some(data) = frame.data_ref()
        {
            self.left = self.left.saturating_sub(data.remaining() as u64);
        }
    }

    /// The answer has nothing to say at the moment. Returns its last words, where it would never end by itself and has
    /// to.
    #[inline]
    pub(super) fn last_words(&mut self, context: &mut Context<'_>) -> Option<HeaderMap> {
        if self.head.is_health_watch() { self.last_words_of_watch(context) } else { None }
    }

    #[cold]
    fn last_words_of_watch(&mut self, context: &mut Context<'_>) -> Option<HeaderMap> {
        let end = || match &self.keeper {
            #[cfg(feature = "http")]
            Keeper::Connection(connection) => Some(connection.ending()),
            Keeper::Layer(binding) => binding.stopping(),
        };
        self.head.watch(end)?.poll(context).is_ready().then(unavailable)
    }

    /// Nothing is left of the answer: it is whole, or has failed.
    #[inline]
    pub(super) fn end(&mut self) {
        self.left = 0;
    }

    /// Whether its client should send no other request on the connection.
    #[inline]
    fn is_last(&self) -> bool {
        match &self.keeper {
            Keeper::Layer(binding) => binding.is_closing(),
            #[cfg(feature = "http")]
            Keeper::Connection(connection) => connection.is_ending() || connection.binding.is_closing(),
        }
    }

    #[cold]
    fn close(&self, status: StatusCode, headers: &mut HeaderMap) {
        if !self.head.is_kept() || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        #[cfg(feature = "http")]
        if let Keeper::Connection(connection) = &self.keeper {
            connection.says_so();
        }
        close(headers);
    }

    /// It ends without an answer. In a stop, that is noted.
    #[cold]
    fn unanswered(&self) {
        let life = self.binding().life();
        if let Some(life) = life.filter(|life| life.phase.budget().is_some() && !thread::panicking()) {
            life.diagnostics.cuts.note("request", self.head.name());
        }
    }
}

/// The status of a call that clients make again.
#[cold]
fn unavailable() -> HeaderMap {
    let trailers = [("grpc-status", "14"), ("grpc-message", "stopping")];
    trailers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).into_iter().collect()
}

#[cfg(feature = "http")]
#[cold]
fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(http::header::UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

#[cold]
fn length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(UNKNOWN)
}

impl fmt::Debug for InHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHand").field("head", &self.head).finish_non_exhaustive()
    }
}

impl Drop for InHand {
    #[inline]
    fn drop(&mut self) {
        if self.left > 0 {
            self.unanswered();
        }
        match &self.keeper {
            Keeper::Layer(binding) => binding.end(),
            #[cfg(feature = "http")]
            Keeper::Connection(connection) => {
                connection.request_ended();
                connection.binding.end();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::{Ready, ready};
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use http::{Method, Response};
    use tower_layer::Layer;
    use tower_service::Service;

    use super::*;
    use crate::model::label::EntryId;
    use crate::model::state::Cause;
    use crate::run::test::unit;
    use crate::with::tower::GracefulLayer;

    type Answer = Result<Response<Parts>, &'static str>;

    /// A body that does not know its length.
    #[derive(Debug)]
    struct Parts(VecDeque<&'static [u8]>);

    impl Body for Parts {
        type Data = &'static [u8];
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<&'static [u8]>, &'static str>>> {
            Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
        }
    }

    /// Answers once.
    struct App(Option<Answer>);

    impl Service<Request<()>> for App {
        type Response = Response<Parts>;
        type Error = &'static str;
        type Future = Ready<Answer>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Ready<Answer> {
            ready(self.0.take().expect("it is asked once"))
        }
    }

    /// Two parts of three bytes each.
    fn six_bytes() -> Response<Parts> {
        Response::new(Parts([&b"abc"[..], b"def"].into()))
    }

    fn get() -> Request<()> {
        Request::get("/slow?x=1").body(()).expect("it is a request")
    }

    /// What a stop says was cut off, when a server takes so many frames of the answer; `None` when it does not even wait
    /// for the answer.
    fn cut(request: Request<()>, answer: Answer, frames: Option<usize>) -> Option<String> {
        let life = unit::lifecycle();
        unit::poll(&life, EntryId::MAIN, || {
            let mut app = GracefulLayer::new().layer(App(Some(answer)));
            life.begin_stop(Cause::MainEnded);
            let mut context = Context::from_waker(Waker::noop());
            let answer = pin!(app.call(request));
            let Some(frames) = frames else { return };
            if let Poll::Ready(Ok(answer)) = answer.poll(&mut context) {
                let mut body = pin!(answer.into_body());
                for _ in 0..frames {
                    assert!(body.as_mut().poll_frame(&mut context).is_ready());
                }
            }
        });
        life.diagnostics.cuts.summary()
    }

    #[test]
    fn an_answer_is_whole_when_the_server_asks_for_no_more() {
        assert_eq!(cut(get(), Ok(six_bytes()), Some(3)), None, "it has seen the end");
        assert_eq!(cut(get(), Err("broken"), Some(0)), None, "there is none");
        let head = Request::head("/slow").body(()).expect("it is a request");
        assert_eq!(cut(head, Ok(six_bytes()), Some(0)), None);
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED, StatusCode::SWITCHING_PROTOCOLS] {
            let mut answer = six_bytes();
            *answer.status_mut() = status;
            assert_eq!(cut(get(), Ok(answer), Some(0)), None, "{status}");
        }
    }

    #[test]
    fn a_service_that_fails_has_nothing_in_hand() {
        let life = unit::lifecycle();
        unit::poll(&life, EntryId::MAIN, || {
            let mut app = GracefulLayer::new().layer(App(Some(Err("broken"))));
            let before = life.members.count();
            let mut answer = pin!(app.call(get()));
            assert_eq!(life.members.count(), before + 1);
            assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
            assert_eq!(life.members.count(), before, "its future is still there");
        });
    }

    #[test]
    fn an_answer_that_says_its_length_is_whole_with_its_last_byte() {
        for (length, frames, is_whole) in [(6, 1, false), (6, 2, true), (7, 2, false), (3, 1, true), (0, 0, true)] {
            let mut answer = six_bytes();
            answer.headers_mut().insert(CONTENT_LENGTH, length.into());
            let cut = cut(get(), Ok(answer), Some(frames));
            assert_eq!(cut.is_none(), is_whole, "{length} bytes, {frames} frames: {cut:?}");
        }
    }

    #[test]
    fn what_is_dropped_before_its_end_is_named() {
        let named = |method: Method, uri: &str| {
            let request = Request::builder().method(method).uri(uri).body(()).expect("it is a request");
            cut(request, Ok(six_bytes()), None).expect("it is noted")
        };
        assert_eq!(cut(get(), Ok(six_bytes()), Some(0)).as_deref(), Some("1 request (GET /slow)"));
        assert_eq!(cut(get(), Ok(six_bytes()), Some(2)).as_deref(), Some("1 request (GET /slow)"));
        for method in [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::PATCH,
            Method::from_bytes(b"PROPFIND").expect("it is a method"),
            Method::from_bytes(b"A-METHOD-WITH-A-LONG-NAME").expect("it is a method"),
        ] {
            assert_eq!(named(method.clone(), "/slow?x=1"), format!("1 request ({method} /slow)"));
        }
        assert_eq!(named(Method::OPTIONS, "*"), "1 request (OPTIONS *)");
        assert_eq!(named(Method::CONNECT, "host:80"), "1 request (CONNECT)");
    }
}
