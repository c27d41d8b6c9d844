//! The requests in hand, and what the layer does with each.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

#[cfg(feature = "http")]
use http::Version;
use http::header::{HeaderValue, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};

use super::ResponseBody;
#[cfg(feature = "http")]
use super::connection::Connection;
use crate::life::lifecycle::Lifecycle;
use crate::model::budget::Budget;
use crate::model::label::{EntryId, Label};
use crate::model::state::Stage;
use crate::model::text;
use crate::work::ambient;
#[cfg(feature = "http")]
use crate::work::hold;
use crate::work::hold::Held;

/// What all services and requests of a layer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    /// Where requests are counted, in the lifecycle that had the first one.
    entry: OnceLock<(Weak<Lifecycle>, EntryId)>,
    /// Requests in hand; counted only where they are limited.
    requests: AtomicUsize,
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) label: Label,
    pub(super) stage: Stage,
    pub(super) limit: Option<usize>,
    pub(super) close_after: Option<Duration>,
    pub(super) retry_after: Duration,
    /// Whether requests are refused once the stage is told to stop.
    pub(super) refuses: bool,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self { options, entry: OnceLock::new(), requests: AtomicUsize::new(0) }
    }

    fn turns_away(&self, life: &Lifecycle) -> bool {
        let Options { stage, refuses, .. } = self.options;
        life.phase.is_aborting(stage) || refuses && life.phase.is_cancelled(stage)
    }

    /// `None` when the stage has ended: the stop would not wait for it.
    #[inline]
    fn hold(&self, life: Arc<Lifecycle>) -> Option<Held> {
        let entry = self.entry(&life);
        Held::in_row(life, entry, self.options.stage)
    }

    /// Where requests are counted.
    #[inline]
    pub(super) fn entry(&self, life: &Arc<Lifecycle>) -> EntryId {
        let entry = || life.registry.keep_named(self.options.label.clone());
        let (first, known) = self.entry.get_or_init(|| (Arc::downgrade(life), entry()));
        if std::ptr::eq(first.as_ptr(), Arc::as_ptr(life)) { *known } else { entry() }
    }

    /// Takes a place under the limit, if there is one, or returns the status with which to refuse a request.
    #[inline]
    fn admit(&self, life: Option<&Lifecycle>) -> Result<(), StatusCode> {
        if life.is_some_and(|life| self.turns_away(life)) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        if self.options.limit.is_some_and(|limit| !self.take_place(limit)) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        Ok(())
    }

    /// Gives the place back.
    #[inline]
    fn leave(&self) {
        if self.options.limit.is_some() {
            self.requests.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes a place under the limit.
    fn take_place(&self, limit: usize) -> bool {
        let one_more = |requests| (requests < limit).then_some(requests + 1);
        self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// How long after the beginning of a stop connections are closed.
    pub(super) fn closes_after(&self, life: &Lifecycle) -> Duration {
        let longest = life.phase.budget().and_then(Budget::total).map_or(Duration::MAX, |total| total / 2);
        let drain = life.settings.drain.min(longest);
        self.options.close_after.unwrap_or(drain / 2).min(drain)
    }

    /// Whether enough of the drain is over to close connections.
    #[inline]
    fn is_closing(&self, life: &Lifecycle) -> bool {
        let Some(budget) = life.phase.budget() else {
            return false;
        };
        life.phase.is_drained() || life.now() - budget.asked() >= self.closes_after(life)
    }

    /// For a request that is not taken.
    #[cold]
    pub(super) fn refusal(&self, status: StatusCode) -> Refusal {
        let is_closing = ambient::lifecycle().is_some_and(|life| self.is_closing(&life));
        Refusal { status, retry_after: self.options.retry_after, is_closing }
    }
}

/// The answer to a request that is not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    retry_after: Duration,
    is_closing: bool,
}

impl Refusal {
    #[cold]
    pub(super) fn response<B>(&self, is_kept: bool) -> Response<ResponseBody<B>> {
        let delay = self.retry_after;
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        if self.is_closing && is_kept {
            super::close(headers);
        }
        response
    }
}

/// A request in hand.
pub(super) struct InHand {
    keeper: Keeper,
    pub(super) method: Method,
    path: Option<PathAndQuery>,
    /// Whether nothing is left of the answer that the server has not taken.
    pub(super) is_answered: bool,
}

/// Makes the stop wait.
enum Keeper {
    /// Outside any lifecycle nothing does.
    Layer(Arc<Shared>, Option<Held>),
    /// What is counted is the same; the connection has everything at hand.
    #[cfg(feature = "http")]
    Connection(Arc<Connection>),
}

impl InHand {
    /// Takes a request in hand, or returns the status with which to refuse it.
    #[inline]
    pub(super) fn take<B>(
        shared: &Arc<Shared>,
        request: &Request<B>,
        life: Option<Arc<Lifecycle>>,
    ) -> Result<Self, StatusCode> {
        shared.admit(life.as_deref())?;
        let is_outside = life.is_none();
        let held = life.and_then(|life| shared.hold(life));
        if held.is_none() && !is_outside {
            shared.leave();
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        Ok(Self::of(Keeper::Layer(Arc::clone(shared), held), request))
    }

    /// The same for a request on a connection that this crate serves.
    #[cfg(feature = "http")]
    #[inline]
    pub(super) fn take_on<B>(connection: &Arc<Connection>, request: &mut Request<B>) -> Result<Self, StatusCode> {
        let (life, shared) = (&*connection.life, &*connection.shared);
        connection.request_began(request.version() == Version::HTTP_2, request.extensions_mut());
        let taken = shared.admit(Some(life)).and_then(|()| {
            if hold::begin(life, connection.entry, shared.options.stage) {
                return Ok(());
            }
            shared.leave();
            Err(StatusCode::SERVICE_UNAVAILABLE)
        });
        if let Err(status) = taken {
            connection.request_ended();
            return Err(status);
        }
        Ok(Self::of(Keeper::Connection(Arc::clone(connection)), request))
    }

    #[inline]
    fn of<B>(keeper: Keeper, request: &Request<B>) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path_and_query().cloned());
        Self { keeper, method, path, is_answered: false }
    }

    #[inline]
    fn life(&self) -> Option<&Lifecycle> {
        match &self.keeper {
            Keeper::Layer(_, held) => held.as_ref().map(Held::life),
            #[cfg(feature = "http")]
            Keeper::Connection(connection) => Some(&connection.life),
        }
    }

    /// Its client is told that it is the last one on the connection.
    #[cfg(feature = "http")]
    #[cold]
    pub(super) fn says_so(&self) {
        if let Keeper::Connection(connection) = &self.keeper {
            connection.says_so();
        }
    }

    /// What comes after it on its connection is no HTTP any more, or no request.
    #[cfg(feature = "http")]
    #[cold]
    pub(super) fn opens_a_tunnel(&self) {
        if let Keeper::Connection(connection) = &self.keeper {
            connection.opens_a_tunnel();
        }
    }

    /// Whether its client should send no other request on the connection.
    #[inline]
    pub(super) fn is_last(&self) -> bool {
        match &self.keeper {
            Keeper::Layer(shared, held) => held.as_ref().is_some_and(|held| shared.is_closing(held.life())),
            #[cfg(feature = "http")]
            Keeper::Connection(connection) => connection.is_ending() || connection.shared.is_closing(&connection.life),
        }
    }

    /// It ends without an answer. In a stop, that is noted.
    #[cold]
    fn unanswered(&self) {
        let Some(life) = self.life().filter(|life| life.phase.budget().is_some() && !thread::panicking()) else {
            return;
        };
        let path = self.path.as_ref().map_or("", PathAndQuery::path);
        life.diagnostics.cuts.note("request", text::name(&format!("{} {path}", self.method)));
    }
}

impl fmt::Debug for InHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHand").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for InHand {
    #[inline]
    fn drop(&mut self) {
        if !self.is_answered {
            self.unanswered();
        }
        match &self.keeper {
            Keeper::Layer(shared, _) => shared.leave(),
            #[cfg(feature = "http")]
            Keeper::Connection(connection) => {
                let (life, shared) = (&*connection.life, &*connection.shared);
                shared.leave();
                connection.request_ended();
                hold::end(life, connection.entry, shared.options.stage);
            }
        }
    }
}
