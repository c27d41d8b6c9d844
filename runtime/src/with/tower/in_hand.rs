//! The requests in hand, and what the layer does with each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use super::ResponseBody;
use crate::life::lifecycle::Lifecycle;
use crate::model::label::{EntryId, Label};
use crate::model::state::Stage;
use crate::work::hold::Held;

/// What all services and requests of a layer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    /// Where requests are counted, in the lifecycle that had the first one.
    pub(super) entry: OnceLock<(Weak<Lifecycle>, EntryId)>,
    /// Requests in hand; counted only where they are limited.
    pub(super) requests: AtomicUsize,
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

    /// Takes a request in hand, or returns the status with which to refuse it.
    pub(super) fn admit(self: &Arc<Self>, life: Option<&Arc<Lifecycle>>) -> Result<InHand, StatusCode> {
        if life.is_some_and(|life| self.turns_away(life)) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        let place = match self.options.limit {
            Some(limit) => Some(Place::take(self, limit).ok_or(StatusCode::TOO_MANY_REQUESTS)?),
            None => None,
        };
        let held = match life {
            Some(life) => Some(self.hold(life).ok_or(StatusCode::SERVICE_UNAVAILABLE)?),
            None => None,
        };
        Ok(InHand { held, _place: place })
    }

    pub(super) fn turns_away(&self, life: &Lifecycle) -> bool {
        let Options { stage, refuses, .. } = self.options;
        life.phase.is_aborting(stage) || refuses && life.phase.is_cancelled(stage)
    }

    /// `None` when the stage has ended: the stop would not wait for it.
    pub(super) fn hold(&self, life: &Arc<Lifecycle>) -> Option<Held> {
        let entry = || life.registry.keep_named(self.options.label.clone());
        let (first, known) = self.entry.get_or_init(|| (Arc::downgrade(life), entry()));
        let is_first = std::ptr::eq(first.as_ptr(), Arc::as_ptr(life));
        let entry = if is_first { *known } else { entry() };
        Held::in_row(Arc::clone(life), entry, self.options.stage)
    }

    /// Whether enough of the drain is over to close connections.
    pub(super) fn is_closing(&self, life: &Lifecycle) -> bool {
        let Some(budget) = life.phase.budget() else {
            return false;
        };
        let longest = budget.total().map_or(Duration::MAX, |total| total / 2);
        let drain = life.settings.drain.min(longest);
        let after = self.options.close_after.unwrap_or(drain / 2).min(drain);
        life.phase.is_drained() || life.now() - budget.asked() >= after
    }

    pub(super) fn refusal<B>(&self, status: StatusCode) -> Response<ResponseBody<B>> {
        let delay = self.options.retry_after;
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        response
    }
}

/// A request in hand.
#[derive(Debug)]
pub(super) struct InHand {
    /// Makes the stop wait.
    pub(super) held: Option<Held>,
    /// Counts towards the limit.
    pub(super) _place: Option<Place>,
}

impl InHand {
    pub(super) fn life(&self) -> Option<&Lifecycle> {
        self.held.as_ref().map(Held::life)
    }
}

/// A place under the limit.
#[derive(Debug)]
pub(super) struct Place(Arc<Shared>);

impl Place {
    pub(super) fn take(shared: &Arc<Shared>, limit: usize) -> Option<Self> {
        let one_more = |requests| (requests < limit).then_some(requests + 1);
        let taken = shared.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Self(Arc::clone(shared)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
