//! The layer for HTTP services, in a lifecycle of a test: what it waits for, what it sends to clients, what it refuses.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{Method, Request, Response, StatusCode, Version};
use axum::routing::{any, get};
use futures_util::{FutureExt, Stream, stream};
use graceful::tower::{GracefulLayer, ResponseBody};
use graceful::{Builder, Stage, State, Worker};
use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tower_service::Service;

const SECOND: Duration = Duration::from_secs(1);

/// A test with a drain, on the paused clock.
fn draining<F: Future>(drain: Duration, test: F) -> F::Output {
    let builder = Builder::new().stop_timeout(20 * SECOND).drain(drain).current_thread();
    graceful::__private::test(builder.start_paused(graceful::__private::PausedClock), test)
}

/// `/` answers at once, `/slow` after a second, `/stream` with a body of three seconds, `/never` never.
fn app(layer: &GracefulLayer) -> Router {
    let slow = async || sleep(SECOND).await;
    let body = async || {
        Body::from_stream(stream::once(async {
            sleep(3 * SECOND).await;
            Ok::<_, Infallible>("the end")
        }))
    };
    Router::new()
        .route("/", any(""))
        .route("/slow", get(slow))
        .route("/stream", get(body))
        .route("/never", get(pending::<()>))
        .route("/panics", get(panics))
        .route("/grpc.health.v1.Health/Watch", any(async || Body::from_stream(silent())))
        .layer(layer.clone())
}

fn silent() -> impl Stream<Item = Result<&'static str, Infallible>> {
    stream::pending()
}

async fn panics() -> &'static str {
    panic!("in a handler")
}

fn request(path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("it is a path");
    request
}

async fn send(app: &Router, request: Request<Body>) -> Response<Body> {
    let Ok(response) = app.clone().call(request).await;
    response
}

async fn ask(app: &Router, path: &str) -> Response<Body> {
    send(app, request(path)).await
}

fn says_close(response: &Response<Body>) -> bool {
    let mut values = response.headers().get_all(CONNECTION).iter();
    values.any(|value| value == "close")
}

fn retry_after(response: &Response<Body>) -> &str {
    response.headers()[RETRY_AFTER].to_str().expect("a number")
}

async fn read(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1000).await;
    String::from_utf8(bytes.expect("the body is whole").to_vec()).expect("it is text")
}

/// How many requests are in hand, and how many there were.
fn holds() -> Option<(u64, u64)> {
    let status = graceful::status();
    let row = status.holds.iter().find(|hold| hold.name == "request")?;
    Some((row.live, row.taken))
}

// ----- holds -----

#[graceful::test(start_paused = true)]
async fn a_request_is_in_hand_until_its_body_has_ended() {
    let app = app(&GracefulLayer::new());
    assert_eq!(holds(), None);
    let response = ask(&app, "/stream").await;
    assert_eq!(holds(), Some((1, 1)));
    let mut body = response.into_body();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        assert!(frame.is_ok());
        assert_eq!(holds(), Some((1, 1)));
    }
    assert_eq!(holds(), Some((0, 1)), "the body is still there, and over");
}

#[graceful::test(start_paused = true)]
async fn a_request_that_is_given_up_is_not_in_hand() {
    let app = app(&GracefulLayer::new());
    drop(ask(&app, "/stream").await);
    assert_eq!(holds(), Some((0, 1)), "its body was dropped");
    assert!(ask(&app, "/never").now_or_never().is_none());
    assert_eq!(holds(), Some((0, 2)), "its future was dropped");
    let panics = tokio::spawn({
        let app = app.clone();
        async move { ask(&app, "/panics").await }
    });
    assert!(panics.await.is_err());
    assert_eq!(holds(), Some((0, 3)), "its handler panicked");
}

#[graceful::test(start_paused = true)]
async fn the_stop_waits_for_a_body() {
    let app = app(&GracefulLayer::new());
    let response = ask(&app, "/stream").await;
    let late = Worker::new("late", || async {
        let begun = Instant::now();
        graceful::stopping().await;
        assert_eq!(begun.elapsed(), 3 * SECOND);
    });
    late.stage(Stage::Late).spawn();
    tokio::spawn(read(response));
}

/// Its service would say nothing more, and never end.
#[graceful::test(start_paused = true)]
async fn a_watch_of_health_ends_when_its_stage_is_told_to_stop() {
    let app = app(&GracefulLayer::new());
    let mut body = ask(&app, "/grpc.health.v1.Health/Watch").await.into_body();
    assert!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).now_or_never().is_none());
    assert_eq!(holds(), Some((1, 1)));
    graceful::spawn("client", async move {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let trailers = frame.expect("there is one").map(|frame| frame.into_trailers().ok());
        let trailers = trailers.expect("in good order").expect("there are some");
        assert_eq!(trailers["grpc-status"], "14");
        assert_eq!(holds(), Some((0, 1)));
        assert!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_none());
    });
}

#[graceful::test(stop_timeout = "1s", start_paused = true)]
#[should_panic(expected = "slow query (tests/tower.rs:")]
async fn a_request_that_never_ends_is_named() {
    let app = app(&GracefulLayer::new().named("slow query"));
    tokio::spawn(async move { ask(&app, "/never").await });
    tokio::task::yield_now().await;
}

#[graceful::test(start_paused = true)]
async fn routes_and_clones_count_together_and_layers_by_themselves() {
    let layer = GracefulLayer::new();
    let (one, other) = (app(&layer), app(&layer));
    let streams = (ask(&one, "/stream").await, ask(&other, "/stream").await);
    assert_eq!(holds(), Some((2, 2)));
    let uploads = app(&layer.named("upload"));
    let third = ask(&uploads, "/stream").await;
    assert_eq!(holds(), Some((2, 2)));
    drop((streams, third));
}

/// The row of its holds is remembered; each lifecycle has its own.
#[test]
fn a_layer_may_outlive_a_lifecycle() {
    let layer = GracefulLayer::new();
    for _ in 0..2 {
        draining(Duration::ZERO, async {
            let response = ask(&app(&layer), "/stream").await;
            assert_eq!(holds(), Some((1, 1)));
            drop(response);
        });
    }
}

/// Two at a time, which share a layer: a request is in hand where its code runs, and the stop of one does not concern
/// the other.
#[test]
fn lifecycles_that_share_a_layer_do_not_mix() {
    let layer = GracefulLayer::new().refuse_when_stopping();
    let (to_other, here) = mpsc::channel();
    let (from_other, there) = mpsc::channel();
    let shared = layer.clone();
    let other = thread::spawn(move || {
        draining(Duration::ZERO, async {
            let app = app(&shared);
            let () = here.recv().expect("the first has a request in hand");
            let responses = (ask(&app, "/stream").await, ask(&app, "/stream").await);
            assert_eq!(holds(), Some((2, 2)));
            from_other.send(()).expect("the first waits");
            let () = here.recv().expect("the first stops");
            let response = ask(&app, "/").await;
            assert_eq!((response.status(), says_close(&response)), (StatusCode::OK, false));
            drop((response, responses));
            assert_eq!(holds(), Some((0, 3)));
        });
    });
    draining(Duration::ZERO, async {
        let app = app(&layer);
        let response = ask(&app, "/stream").await;
        assert_eq!(holds(), Some((1, 1)));
        to_other.send(()).expect("the other waits");
        let () = there.recv().expect("the other has requests in hand");
        assert_eq!(holds(), Some((1, 1)));
        graceful::stop();
        assert_eq!(ask(&app, "/").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        to_other.send(()).expect("the other waits");
        drop(response);
        assert_eq!(holds(), Some((0, 1)));
    });
    other.join().expect("the other ends well");
}

/// Its limit is one, inside and outside.
#[test]
fn a_layer_may_be_used_before_a_lifecycle_and_after_it() {
    let app = app(&GracefulLayer::new().concurrency_limit(1));
    let outside = || {
        let ask = || ask(&app, "/stream").now_or_never().expect("it waits for nobody");
        let response = ask();
        assert_eq!(ask().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(!says_close(&response));
        response
    };
    let before = outside();
    draining(Duration::ZERO, async {
        assert_eq!(ask(&app, "/").await.status(), StatusCode::TOO_MANY_REQUESTS);
        drop(before);
        let response = ask(&app, "/stream").await;
        assert_eq!((holds(), response.status()), (Some((1, 1)), StatusCode::OK));
        graceful::stop();
        drop(response);
        assert!(says_close(&ask(&app, "/").await));
    });
    drop(outside());
}

#[test]
fn outside_any_lifecycle_it_lets_everything_through() {
    let app = app(&GracefulLayer::new().refuse_when_stopping());
    let response = ask(&app, "/").now_or_never().expect("it waits for nobody");
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!says_close(&response));
}

// ----- Connection: close -----

#[test]
fn connections_are_closed_in_the_second_half_of_the_drain_and_after_it() {
    draining(8 * SECOND, async {
        let app = app(&GracefulLayer::new());
        graceful::ready();
        assert!(!says_close(&ask(&app, "/").await));
        graceful::stop();
        sleep(Duration::from_millis(3999)).await;
        assert!(!says_close(&ask(&app, "/").await));
        sleep(Duration::from_millis(1)).await;
        assert!(says_close(&ask(&app, "/").await));
        graceful::stopping().await;
        assert!(says_close(&ask(&app, "/").await));
    });
}

#[test]
fn it_is_decided_when_the_response_begins() {
    draining(8 * SECOND, async {
        let app = app(&GracefulLayer::new());
        graceful::ready();
        graceful::stop();
        sleep(Duration::from_millis(3500)).await;
        assert!(says_close(&ask(&app, "/slow").await));
    });
}

#[test]
fn when_connections_are_closed_can_be_set_up_to_the_end_of_the_drain() {
    for (after, expected) in [(0, 0), (2, 2), (60, 8)] {
        draining(8 * SECOND, async {
            let app = app(&GracefulLayer::new().close_after(after * SECOND));
            graceful::ready();
            graceful::stop();
            let asked = Instant::now();
            while !says_close(&ask(&app, "/").await) {
                sleep(SECOND).await;
            }
            assert_eq!(asked.elapsed(), expected * SECOND);
        });
    }
}

/// A drain of 16 s in a budget of 20 s ends after 10 s.
#[test]
fn a_drain_that_is_cut_short_has_an_earlier_half() {
    draining(16 * SECOND, async {
        let app = app(&GracefulLayer::new());
        graceful::ready();
        graceful::stop();
        sleep(5 * SECOND).await;
        assert_eq!(graceful::state(), State::Draining);
        assert!(says_close(&ask(&app, "/").await));
    });
}

#[graceful::test(start_paused = true)]
async fn without_a_drain_connections_are_closed_from_the_stop_on() {
    graceful::before_stop("hook", || sleep(SECOND));
    let app = app(&GracefulLayer::new().close_after(SECOND));
    graceful::stop();
    assert_eq!(graceful::state(), State::Draining, "for the hook");
    assert!(says_close(&ask(&app, "/").await));
}

/// A hook keeps the state at `Draining`.
#[test]
fn a_drain_that_is_ended_early_is_over() {
    draining(8 * SECOND, async {
        graceful::before_stop("hook", || sleep(3 * SECOND));
        let app = app(&GracefulLayer::new());
        graceful::spawn("asks", async move {
            sleep(SECOND).await;
            assert!(!says_close(&ask(&app, "/").await));
            sleep(SECOND).await;
            assert_eq!(graceful::state(), State::Draining);
            assert!(says_close(&ask(&app, "/").await));
        });
        graceful::ready();
        graceful::stop();
        sleep(SECOND + SECOND / 2).await;
        // Main's end is the drain's.
    });
}

#[graceful::test(start_paused = true)]
async fn only_http_1_connections_that_could_be_kept_are_closed() {
    let upgrade = async || {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response
    };
    let layer = GracefulLayer::new();
    let app = app(&layer).merge(Router::new().route("/upgrade", get(upgrade)).layer(layer));
    graceful::stop();
    for (version, closed) in
        [(Version::HTTP_10, true), (Version::HTTP_11, true), (Version::HTTP_2, false), (Version::HTTP_3, false)]
    {
        let mut request = request("/");
        *request.version_mut() = version;
        let response = send(&app, request).await;
        assert_eq!(says_close(&response), closed, "{version:?}");
    }
    let mut tunnel = request("/");
    *tunnel.method_mut() = Method::CONNECT;
    assert!(!says_close(&send(&app, tunnel).await));
    assert!(!says_close(&ask(&app, "/upgrade").await));
}

#[graceful::test(start_paused = true)]
async fn what_else_connection_says_is_kept() {
    let say = |value: &'static str| get(async move || [(CONNECTION, value)]);
    let app = Router::new()
        .route("/other", say("x-trace"))
        .route("/closes", say("x-trace, Close"))
        .layer(GracefulLayer::new());
    graceful::stop();
    let values = |response: Response<Body>| {
        let all = response.headers().get_all(CONNECTION);
        all.iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(values(ask(&app, "/other").await), ["x-trace", "close"]);
    assert_eq!(values(ask(&app, "/closes").await), ["x-trace, Close"]);
}

// ----- the budget -----

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn handlers_find_what_is_left_of_the_budget() {
    let left = async || {
        let before = graceful::remaining();
        graceful::stop();
        sleep(2 * SECOND).await;
        format!("{before:?}, {:?}", graceful::remaining())
    };
    let app = Router::new().route("/", get(left)).layer(GracefulLayer::new());
    // Of the 10 s, 1 s is kept back for the abort.
    assert_eq!(read(ask(&app, "/").await).await, "None, Some(7s)");
}

// ----- refusals -----

#[graceful::test(start_paused = true)]
async fn one_request_too_many_is_429() {
    let layer = GracefulLayer::new().concurrency_limit(2);
    let app = app(&layer.retry_after(Duration::from_millis(2500)));
    let first = ask(&app, "/stream").await;
    let second = ask(&app, "/stream").await;
    let refused = ask(&app, "/").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(retry_after(&refused), "3");
    assert!(!says_close(&refused));
    assert!(refused.body().is_end_stream());
    assert_eq!(read(refused).await, "");
    assert_eq!(holds(), Some((2, 2)), "a refusal is nothing to wait for");

    drop(first);
    assert_eq!(ask(&app, "/").await.status(), StatusCode::OK);
    drop(second);
}

#[graceful::test(start_paused = true)]
async fn in_the_stop_a_request_is_served_unless_it_should_be_refused() {
    let serves = app(&GracefulLayer::new());
    let refuses = app(&GracefulLayer::new().refuse_when_stopping());
    assert_eq!(ask(&refuses, "/").await.status(), StatusCode::OK);
    graceful::stop();
    assert_eq!(ask(&serves, "/slow").await.status(), StatusCode::OK);
    let refused = ask(&refuses, "/slow").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(retry_after(&refused), "1");
    assert!(says_close(&refused));
}

#[test]
fn while_it_drains_nothing_is_refused() {
    draining(8 * SECOND, async {
        let app = app(&GracefulLayer::new().refuse_when_stopping());
        graceful::ready();
        graceful::stop();
        sleep(7 * SECOND).await;
        assert_eq!(ask(&app, "/").await.status(), StatusCode::OK);
    });
}

#[graceful::test(start_paused = true)]
async fn what_the_stop_would_not_wait_for_is_refused() {
    let app = app(&GracefulLayer::new());
    let last = Worker::new("last", move || {
        let app = app.clone();
        async move {
            graceful::stopping().await;
            let refused = ask(&app, "/").await;
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(says_close(&refused));
        }
    });
    last.stage(Stage::Last).spawn();
    tokio::task::yield_now().await;
}

/// When others are aborted, the last stage still runs for a moment.
#[graceful::test(stop_timeout = "10s", start_paused = true)]
#[should_panic(expected = "at the abort: 503 Service Unavailable")]
async fn nothing_is_begun_once_others_are_aborted() {
    let app = app(&GracefulLayer::new());
    graceful::spawn("stuck", pending::<()>());
    let last = Worker::new("last", move || {
        let app = app.clone();
        async move {
            graceful::stopping().await;
            panic!("at the abort: {}", ask(&app, "/").await.status());
        }
    });
    last.stage(Stage::Last).spawn();
    tokio::task::yield_now().await;
}

#[graceful::test(start_paused = true)]
async fn a_layer_belongs_to_the_stage_of_the_worker_that_makes_it() {
    let health = Worker::new("health", || async {
        let app = app(&GracefulLayer::new().refuse_when_stopping());
        graceful::wait_for(State::Stopping).await;
        // By now main is gone.
        sleep(SECOND).await;
        assert_eq!(ask(&app, "/").await.status(), StatusCode::OK);
        graceful::stopping().await;
        let refused = ask(&app, "/").await.status();
        assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    });
    health.stage(Stage::Last).spawn();
    graceful::spawn("main's work", async {
        graceful::stopping().await;
        sleep(2 * SECOND).await;
    });
    tokio::task::yield_now().await;
}

// ----- as a tower service -----

/// It requires nothing but `Service` and `Body` of what it wraps.
#[test]
fn errors_are_handed_through() {
    #[derive(Clone)]
    struct Fails;

    impl Service<Request<()>> for Fails {
        type Response = Response<String>;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Response<String>, &'static str>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), &'static str>> {
            std::task::Poll::Ready(Err("not ready"))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            std::future::ready(Err("broken"))
        }
    }

    let layer = GracefulLayer::default().concurrency_limit(1);
    let mut service = layer.layer(Fails);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let ready = Service::<Request<()>>::poll_ready(&mut service, &mut context);
    assert_eq!(ready, std::task::Poll::Ready(Err("not ready")));
    for _ in 0..2 {
        let failed = service.call(Request::new(())).now_or_never();
        assert_eq!(failed.expect("at once").unwrap_err(), "broken");
    }
}

#[test]
fn a_body_is_as_long_as_it_was() {
    let layer = GracefulLayer::new();
    let mut app = layer.layer(Router::new().route("/", get("seven b")));
    let Ok(response) = app.call(request("/")).now_or_never().expect("at once");
    assert_eq!(response.body().size_hint().exact(), Some(7));
    assert!(!response.body().is_end_stream());
    let empty = ResponseBody::<String>::default();
    assert!(empty.is_end_stream());
    assert_eq!(empty.size_hint().exact(), Some(0));
}
