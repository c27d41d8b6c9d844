//! The status as a page that is live, for people, `curl` and machines. Feature `page`.
//!
//! ```no_run
//! # #[cfg(feature = "http")]
//! #[graceful::main]
//! async fn main() -> std::io::Result<()> {
//!     let page = graceful::page::serve(3001)?;
//!     println!("http://{page}/");
//!     graceful::ready();
//!     graceful::stopping().await;
//!     Ok(())
//! }
//! # #[cfg(not(feature = "http"))]
//! # fn main() {}
//! ```
//!
//! It shows the state and readiness; in a stop the cause, what is left of the budget, and what holds the stop up; the
//! workers by function, each below those that have started it, with what they do, their restarts and their last failure;
//! which of them block which thread; hooks; connections, requests and other holds in hand; and how many were alive in the
//! last minute. It is live as long as somebody looks. When the stop is over, the browser keeps the page, and it has become
//! the timeline of the stop.
//!
//! * [`serve`] (with the feature `http`) serves it on a port of its own, on a thread of this crate. It is there while the
//!   program's own threads are all blocked, and it stays until the process ends: also where the deadline passes, or a
//!   second Ctrl-C ends it.
//! * [`Page`] is a service of `tower` that any server can mount, at `/debug/graceful` for instance. Its event stream
//!   ends when the stage of the code that serves it is told to stop: put it into a worker of the stage `last`, such as
//!   `graceful::http::serve(listener, Page::new())` in one with `stop = "last"`.
//!
//! The header `Accept` decides what an answer is: `text/html` the page, `application/json` the [`Status`](crate::Status)
//! as `serde` writes it, `text/event-stream` the page's own snapshots, anything else the table of `status()`. The page
//! loads nothing from elsewhere.
//!
//! It is read-only. It shows names, places in the source, and the texts of errors and panics, as logs do; neither
//! arguments nor the environment. There is no authentication: [`serve`] listens on this machine alone unless told
//! otherwise, and answers only requests that were meant for this machine, so that a web page from elsewhere cannot read it
//! under a name of its own. A [`Page`] in a server of yours is as public as that server.
//!
//! While nobody looks it does nothing. A viewer costs a snapshot a second, which viewers share; its size depends on the
//! number of functions, not of workers: at 10,000 live workers that is a thousandth of a core. Where it would be more than
//! a hundredth, with thousands of different names for example, snapshots are rarer. A viewer who does not read gets no
//! further ones, and delays nobody's.
//!
//! # The timeline without a server
//!
//! With this feature, any program that uses this crate draws its stop when the environment says where:
//!
//! ```sh
//! GRACEFUL_TIMELINE=stop.svg ./orders   # a picture
//! GRACEFUL_TIMELINE=stop.html ./orders  # the page, as it was at the end
//! ```
//!
//! It is the first thing to try when a stop is slow: each state, hook and kind of workers is a bar on one time axis, and
//! what the stop waited for longest is striped and named. It is written at the end of every stop, healthy or not, also
//! where the deadline or a second Ctrl-C ended it; not after a SIGKILL, an abort, or `std::process::exit`. The end of the
//! process waits for the file no longer than for its last lines: 100 ms at the most. `%p` in the path is the process's id, for programs
//! that start others. A path that ends otherwise is an error at start, code 2. Without the feature the variable means
//! nothing.

mod chart;
mod svg;
mod facts;
mod kinds;
mod snapshot;
mod document;
mod body;
mod file;
#[cfg(feature = "http")]
mod server;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tower_service::Service;

use self::body::Ends;
pub use self::body::PageBody;
#[cfg(feature = "http")]
pub use self::server::{serve, serve_on};
use crate::life::lifecycle::Lifecycle;
use crate::report::status::Status;
use crate::work::ambient;
use crate::work::cancellation::stopping;

/// The page as a service: see the [module](self).
///
/// ```
/// use graceful::page::Page;
/// use http::Request;
///
/// # #[graceful::test]
/// # async fn answers() {
/// let answer = Page::new().answer(&Request::get("/").body(()).unwrap());
/// assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
/// # }
/// ```
///
/// In axum: `Router::new().route_service("/debug/graceful", Page::new())`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page(());

impl Page {
    /// The page of the lifecycle in which requests are answered.
    pub fn new() -> Self {
        Self(())
    }

    /// Answers one request, for servers that know no services. Its path does not matter.
    ///
    /// The answer to a method other than GET and HEAD is 405; outside any lifecycle it is 503. The body of an event stream
    /// ends when the caller is told to stop.
    pub fn answer<B>(&self, request: &Request<B>) -> Response<PageBody> {
        match ambient::lifecycle() {
            Some(life) => answer(&life, request, || (Box::pin(stopping()), false)),
            None => refusal(StatusCode::SERVICE_UNAVAILABLE, "no lifecycle runs here\n"),
        }
    }
}

impl<B> Service<Request<B>> for Page {
    type Response = Response<PageBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<PageBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const EVENTS: &str = "text/event-stream";

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Html,
    Json,
    Events,
}

/// `ends`: when an event stream has to end, and whether nothing follows for anyone then.
fn answer<B>(life: &Arc<Lifecycle>, request: &Request<B>, ends: impl FnOnce() -> (Ends, bool)) -> Response<PageBody> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "read-only\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let (kind, body, policy) = match Form::wanted(request.headers()) {
        Form::Text => (TEXT, PageBody::text(format!("{}\n", Status::take(life, None))), None),
        Form::Json => {
            // Plain data: nothing in it can fail.
            let json = serde_json::to_string(&Status::take(life, None)).unwrap_or_default();
            ("application/json", PageBody::text(json), None)
        }
        Form::Html => {
            let page = document::live(life);
            ("text/html; charset=utf-8", PageBody::text(page.html), Some(page.policy))
        }
        Form::Events if request.uri().query() == Some("once") => {
            (EVENTS, PageBody::text(body::event("message", &snapshot::snapshot(life))), None)
        }
        Form::Events => {
            let (ends, is_last) = ends();
            (EVENTS, PageBody::events(Arc::clone(life), ends, is_last), None)
        }
    };
    let body = if request.method() == Method::HEAD { PageBody::text("") } else { body };
    let mut response = response(StatusCode::OK, kind, body);
    let headers = response.headers_mut();
    if let Some(policy) = policy.and_then(|policy| HeaderValue::try_from(policy).ok()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if kind == EVENTS {
        // nginx would collect events.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    }
    response
}

fn refusal(status: StatusCode, why: &'static str) -> Response<PageBody> {
    response(status, TEXT, PageBody::text(why))
}

/// With the headers of every answer.
fn response(status: StatusCode, kind: &'static str, body: PageBody) -> Response<PageBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (VARY, "accept"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Form {
    /// The form that `Accept` names with the highest weight, the first of equals. Whatever takes anything gets text.
    fn wanted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let mut best = (Self::Text, 0);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "text/html" => Self::Html,
                "application/json" => Self::Json,
                "text/event-stream" => Self::Events,
                "text/plain" => Self::Text,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            #[allow(clippy::cast_possible_truncation)] // in thousandths, as HTTP has them
            let weight = (f32::clamp(weight, 0.0, 1.0) * 1000.0) as i32;
            if weight > best.1 {
                best = (form, weight);
            }
        }
        best.0
    }
}

/// Has the stop drawn when it is over, if the environment says where.
pub(crate) fn prepare(life: &Arc<Lifecycle>) {
    if let Some(path) = life.settings.timeline.clone() {
        let viewers = Arc::clone(&life.listeners.viewers);
        // Weak: the lifecycle keeps what is to be done.
        let life = Arc::downgrade(life);
        viewers.at_the_end(Box::new(move || {
            if let Some(life) = life.upgrade() {
                file::begin(&life, path);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use http_body::Body as _;

    use super::*;
    use crate::model::label::EntryId;
    use crate::model::state::Cause;
    use crate::run::test::unit;

    fn wanted(accept: &[&str]) -> Form {
        let headers = accept.iter().map(|value| (ACCEPT, HeaderValue::from_str(value).expect("a value")));
        Form::wanted(&headers.collect())
    }

    #[test]
    fn accept_decides_what_an_answer_is() {
        assert_eq!(wanted(&[]), Form::Text);
        assert_eq!(wanted(&["*/*"]), Form::Text, "curl");
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        assert_eq!(wanted(&[browser]), Form::Html);
        assert_eq!(wanted(&["application/json"]), Form::Json);
        assert_eq!(wanted(&["application/json, text/plain, */*"]), Form::Json, "most clients of JavaScript");
        assert_eq!(wanted(&["text/html;q=0.5, application/json;q=0.9"]), Form::Json);
        assert_eq!(wanted(&["text/html;q=0", "Text/Event-Stream"]), Form::Events);
        assert_eq!(wanted(&["text/html;q=much"]), Form::Text);
    }

    #[test]
    fn it_is_read_only() {
        let life = unit::lifecycle();
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let request = Request::builder().method(method).body(()).expect("a request");
            let response = answer(&life, &request, || unreachable!("no stream"));
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        }
    }

    #[test]
    fn a_head_has_no_body() {
        let life = unit::lifecycle();
        let request = Request::head("/").header(ACCEPT, "text/html").body(()).expect("a request");
        let response = answer(&life, &request, || unreachable!("no stream"));
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(response.body().is_end_stream());
    }

    #[test]
    fn outside_any_lifecycle_it_says_so() {
        let response = Page::new().answer(&Request::get("/").body(()).expect("a request"));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn the_event_stream_ends_by_itself_with_the_last_snapshot() {
        let life = unit::lifecycle();
        unit::poll(&life, EntryId::MAIN, || assert!(life.begin_stop(Cause::MainEnded)));
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let ends: Ends = Box::pin(async move { drop(told.await) });
        let mut body = pin!(PageBody::events(Arc::clone(&life), ends, false));
        let mut next = || {
            let mut context = Context::from_waker(Waker::noop());
            match body.as_mut().poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let data = frame.into_data().expect("data");
                    Some(String::from_utf8(data.to_vec()).expect("text"))
                }
                Poll::Ready(None) => Some("the end".to_owned()),
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Pending => None,
            }
        };
        let first = next().expect("at once");
        assert!(first.starts_with("retry: 1000\nevent: message\ndata: {\"name\":null,"), "{first}");
        assert!(first.contains("\"is_last\":false") && first.ends_with("}\n\n"), "{first}");
        assert_eq!(next(), None, "the next one has its time");
        tell.send(()).expect("it waits");
        let last = next().expect("at once");
        assert!(last.contains("event: end\n") && last.contains("\"is_last\":true"), "{last}");
        assert_eq!(next().as_deref(), Some("the end"));
    }
}
