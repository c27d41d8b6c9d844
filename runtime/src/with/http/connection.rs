//! One connection, from its socket to its end.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::{Builder, UpgradeableConnection};
use hyper_util::service::TowerToHyperService;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tower_service::Service;

use super::socket::{Socket, Transport};
use super::{Accept, BoxError, Limits};
use crate::life::alarms::Alarm;
use crate::life::lifecycle::Lifecycle;
use crate::with::net::Stream;
use crate::with::tower::connection::{Activity, ConnectInfo, Connection};
use crate::with::tower::{GracefulLayer, OnConnection};
use crate::work::cancellation::{Stopping, stopping};

/// For how long, once answers say that the connection ends, it stays open for a request that its client may be about
/// to send, or has begun to send.
const LAST_CHANCE: Duration = Duration::from_millis(500);

/// How long a client may take nothing of its answer during a stop.
const SEND_IN_A_STOP: Duration = Duration::from_secs(5);

/// How long the end of a connection may take once it has no request in hand: the `GOAWAY` of HTTP/2 and its ping, or
/// what TLS says at the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long the client of a WebSocket may be silent once the server has said Close, and how often that is looked at.
const CLOSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1));

/// What all connections of a server share.
pub(super) struct Server {
    pub(super) builder: Builder<TokioExecutor>,
    pub(super) layer: GracefulLayer,
    pub(super) limits: Limits,
    pub(super) connect_info: Option<Arc<ConnectInfo>>,
    pub(super) accept: Option<Box<Accept>>,
}

impl Server {
    /// Serves one connection to its end.
    pub(super) async fn connection<A, B>(&self, stream: Stream, app: A)
    where
        A: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        A::Error: Into<BoxError>,
        A::Future: Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Some(life) = stream.own().map(|own| Arc::clone(own.life())) else {
            return;
        };
        let peer = stream.peer_addr().zip(self.connect_info.clone());
        let connection = Connection::new(&life, &self.layer, peer);
        let mut driver = Driver::new(self, &life, &connection);
        let transport = match &self.accept {
            None => Transport::Left(stream),
            Some(accept) => match driver.drive(accept(stream).as_mut(), |_| {}).await {
                Some(Ok(transport)) => transport,
                // A client that speaks no TLS, or none that the server speaks, is no failure of the service.
                Some(Err(_)) | None => return,
            },
        };
        connection.is_established();
        driver.begins_anew();
        let socket = TokioIo::new(Socket::new(transport, Arc::clone(&connection)));
        let (app, connection) = (TowerToHyperService::new(app), &connection);
        let service = OnConnection { app, connection: Arc::clone(connection) };
        {
            let served = pin!(self.builder.serve_connection_with_upgrades(socket, service));
            // An error is the client's: it has gone, or does not speak HTTP.
            let _ = driver.drive(served, UpgradeableConnection::graceful_shutdown).await;
        }
        // After an upgrade, to a WebSocket for instance, another task has the socket.
        driver.is_upgraded = true;
        driver.wait_for_its_end().await;
        driver.is_over = true;
    }
}

/// Looks at what a connection is at, and ends it when its client takes too long or the stop has come.
struct Driver<'a> {
    limits: Limits,
    layer: &'a GracefulLayer,
    life: &'a Arc<Lifecycle>,
    connection: &'a Connection,
    stopping: Stopping,
    /// Wakes the task, and for when it is set.
    alarm: Arc<Alarm>,
    alarm_at: Option<std::time::Instant>,
    /// What it was at when the driver last looked, and since when.
    seen: (Activity, u32),
    since: Instant,
    /// When it was told to stop.
    told: Option<Instant>,
    /// When it was asked to shut down, and how often its client had taken something by then.
    shut: Option<(Instant, u32)>,
    is_upgraded: bool,
    is_over: bool,
}

/// What becomes of a connection.
enum Verdict {
    /// Nothing before this moment.
    Wait(Instant),
    /// It ends in good order.
    Close,
    /// It has ended.
    Over,
    /// Its client is not waited for.
    CutOff,
}

impl<'a> Driver<'a> {
    fn new(server: &'a Server, life: &'a Arc<Lifecycle>, connection: &'a Connection) -> Self {
        Self {
            limits: server.limits,
            layer: &server.layer,
            life,
            connection,
            stopping: stopping(),
            alarm: Arc::default(),
            alarm_at: None,
            seen: connection.look(),
            since: Instant::now(),
            told: None,
            shut: None,
            is_upgraded: false,
            is_over: false,
        }
    }

    /// Returns what the future does, or `None` if the connection is over before that.
    async fn drive<F: Future + ?Sized>(
        &mut self,
        mut future: Pin<&mut F>,
        mut shut_down: impl FnMut(Pin<&mut F>),
    ) -> Option<F::Output> {
        // Used in a stop only; until then there is the alarm.
        let mut timer = pin!(None);
        poll_fn(|context| {
            // What has come is dealt with first: a connection with a request on it is not idle.
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            if self.alarm_at.is_some() && !self.alarm.has_rung() && self.is_not_told(context) {
                return Poll::Pending;
            }
            self.check(context, future.as_mut(), timer.as_mut(), &mut shut_down)
        })
        .await
    }

    /// Another task has the socket. What its handler waits for is not known, but for the last thing in the life of a
    /// WebSocket: the client's Close.
    async fn wait_for_its_end(&self) {
        if self.connection.close_is_said().await.is_none() {
            return;
        }
        let (mut heard, mut since) = (self.connection.heard(), Instant::now());
        while timeout(CLOSE.1, self.connection.closed()).await.is_err() {
            let now = self.connection.heard();
            if now != heard {
                (heard, since) = (now, Instant::now());
            } else if since.elapsed() >= CLOSE.0 {
                if self.life.phase.budget().is_some() {
                    let what = "a WebSocket whose client says no Close".to_owned();
                    self.life.diagnostics.cuts.note("connection", what);
                }
                self.connection.give_up();
                return self.connection.closed().await;
            }
        }
    }

    /// The handshake is over.
    fn begins_anew(&mut self) {
        (self.seen, self.since, self.shut) = (self.connection.look(), Instant::now(), None);
    }

    #[inline]
    fn is_not_told(&mut self, context: &mut Context<'_>) -> bool {
        self.stopping.is_far() || Pin::new(&mut self.stopping).poll(context).is_pending()
    }

    #[cold]
    fn check<F: Future + ?Sized>(
        &mut self,
        context: &mut Context<'_>,
        mut future: Pin<&mut F>,
        mut timer: Pin<&mut Option<Sleep>>,
        shut_down: &mut impl FnMut(Pin<&mut F>),
    ) -> Poll<Option<F::Output>> {
        self.clear_alarm();
        if self.told.is_none() && Pin::new(&mut self.stopping).poll(context).is_ready() {
            self.told = Some(Instant::now());
            self.connection.ends();
        }
        loop {
            let now = Instant::now();
            match self.verdict(now) {
                Verdict::Wait(until) if self.told.is_none() => {
                    let until = until.into_std();
                    self.life.time.alarms.set(until, &self.alarm, context.waker());
                    self.alarm_at = Some(until);
                    return Poll::Pending;
                }
                Verdict::Wait(until) => {
                    timer.set(Some(sleep_until(until)));
                    if timer.as_mut().as_pin_mut().is_some_and(|timer| timer.poll(context).is_pending()) {
                        return Poll::Pending;
                    }
                }
                Verdict::Close if self.shut.is_none() => {
                    shut_down(future.as_mut());
                    if let Poll::Ready(output) = future.as_mut().poll(context) {
                        return Poll::Ready(Some(output));
                    }
                    self.shut = Some((now, self.connection.writes()));
                }
                Verdict::Close | Verdict::Over => return Poll::Ready(None),
                Verdict::CutOff => {
                    self.note_cut_off();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn clear_alarm(&mut self) {
        if let Some(at) = self.alarm_at.take() {
            self.life.time.alarms.clear(at, &self.alarm);
        }
    }

    fn verdict(&mut self, now: Instant) -> Verdict {
        let connection = self.connection;
        let (activity, step) = connection.look();
        // A connection that ends is waited for as long as its client takes what is left.
        let seen = (activity, if self.shut.is_some() { connection.writes() } else { step });
        if seen != self.seen {
            (self.seen, self.since) = (seen, now);
        }
        let limits = self.limits;
        let send = if self.told.is_some() { limits.send.min(SEND_IN_A_STOP) } else { limits.send };
        match activity {
            Activity::Blocked => {
                // What was blocked before the stop has as long from its beginning.
                let due = self.since.max(self.told.unwrap_or(self.since)) + send;
                return if due <= now { Verdict::CutOff } else { Verdict::Wait(due) };
            }
            // HTTP/2 takes no further request from now on.
            Activity::Answering if self.told.is_some() && self.shut.is_none() && connection.is_http2() => {
                return Verdict::Close;
            }
            Activity::Answering => return Verdict::Wait(now + limits.shortest()),
            // The last answer is out, and hyper may still read the rest of a request that nobody asks for.
            _ if connection.has_said_so() => return Verdict::Over,
            _ => {}
        }
        if let Some((shut, writes)) = self.shut {
            // HTTP/2 keeps what the client's window has no room for, after the request has been answered.
            let is_sending = connection.is_http2() && connection.writes() != writes;
            let due = shut.max(self.since) + if is_sending { send } else { GOODBYE };
            return match due {
                due if due > now => Verdict::Wait(due),
                _ if is_sending => Verdict::CutOff,
                _ => Verdict::Close,
            };
        }
        let due = match self.told {
            Some(_) if connection.is_http2() => now,
            Some(told) => told.max(self.since.max(self.ending_since(told)) + LAST_CHANCE),
            None if activity == Activity::Idle => self.since + limits.idle,
            None => self.since + limits.head,
        };
        match activity {
            _ if due > now => Verdict::Wait(due),
            Activity::ReadingHead => Verdict::CutOff,
            _ => Verdict::Close,
        }
    }

    /// Since when answers say that the connection ends: since a time in the drain, or since it was told to stop.
    fn ending_since(&self, told: Instant) -> Instant {
        let budget = self.life.phase.budget();
        budget.map_or(told, |budget| told.min(budget.asked() + self.layer.closes_after(self.life)))
    }

    /// What a stop has cut off. Requests say so themselves.
    fn note_cut_off(&self) {
        if self.life.phase.budget().is_none() {
            return;
        }
        let what = match self.connection.look() {
            _ if self.is_upgraded || self.connection.has_tunnel() => "upgraded, to a WebSocket or a tunnel",
            _ if self.connection.has_requests() => return,
            (Activity::ReadingHead, _) => "reading the head of a request",
            (Activity::Blocked, _) => "sending an answer",
            (Activity::Idle, _) if self.shut.is_some_and(|(_, writes)| writes != self.connection.writes()) => {
                "sending an answer"
            }
            _ => return,
        };
        self.life.diagnostics.cuts.note("connection", what.to_owned());
    }
}

impl Drop for Driver<'_> {
    /// It may be over before its end: aborted.
    fn drop(&mut self) {
        self.clear_alarm();
        if !self.is_over {
            self.note_cut_off();
        }
    }
}
