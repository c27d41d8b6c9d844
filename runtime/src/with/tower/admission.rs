//! Which requests a layer takes, and its answer to the others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{CONNECTION, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::life::lifecycle::Lifecycle;
use crate::life::phase::refusals;
use crate::model::budget::Budget;
use crate::model::label::Label;
use crate::model::state::Stage;
use crate::work::ambient;

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

/// The options of a layer, and the count that one of them limits.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) options: Options,
    /// What of the lifecycle's phase makes it refuse requests.
    refusals: u32,
    /// Requests in hand; counted only where they are limited.
    requests: AtomicUsize,
}

impl Admission {
    pub(super) fn new(options: Options) -> Self {
        let refusals = refusals(options.stage, options.refuses);
        Self { options, refusals, requests: AtomicUsize::new(0) }
    }

    /// Takes a place under the limit, if there is one, or returns the status with which to refuse a request.
    #[inline]
    pub(super) fn admit(&self, life: Option<&Lifecycle>) -> Result<(), StatusCode> {
        if life.is_some_and(|life| !life.phase.refuses_nothing(self.refusals)) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        if self.options.limit.is_some_and(|limit| !self.take_place(limit)) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        Ok(())
    }

    /// Takes a place under the limit.
    fn take_place(&self, limit: usize) -> bool {
        let one_more = |requests| (requests < limit).then_some(requests + 1);
        self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Gives the place back.
    #[inline]
    pub(super) fn leave(&self) {
        if self.options.limit.is_some() {
            self.requests.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How long after the beginning of a stop connections are closed.
    pub(super) fn closes_after(&self, life: &Lifecycle) -> Duration {
        let longest = life.phase.budget().and_then(Budget::total).map_or(Duration::MAX, |total| total / 2);
        let drain = life.settings.drain.min(longest);
        self.options.close_after.unwrap_or(drain / 2).min(drain)
    }

    /// Whether enough of the drain is over to close connections.
    #[inline]
    pub(super) fn is_closing(&self, life: &Lifecycle) -> bool {
        life.phase.budget().is_some_and(|budget| self.is_closing_in(life, budget))
    }

    #[cold]
    fn is_closing_in(&self, life: &Lifecycle, budget: &Budget) -> bool {
        life.phase.is_drained() || life.now() - budget.asked() >= self.closes_after(life)
    }

    /// The answer to a request that is not taken.
    #[cold]
    pub(super) fn refusal(&self, status: StatusCode, is_kept: bool) -> Response<()> {
        let delay = self.options.retry_after;
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let mut response = Response::new(());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        // Its client should not keep the connection.
        if is_kept && ambient::lifecycle().is_some_and(|life| self.is_closing(&life)) {
            close(headers);
        }
        response
    }
}

/// Asks the client not to keep the connection, and leaves other options of `Connection` as they are.
#[cold]
pub(super) fn close(headers: &mut HeaderMap) {
    let says_so = |value: &HeaderValue| {
        let value = value.to_str().unwrap_or_default();
        let mut options = value.split(',');
        options.any(|option| option.trim().eq_ignore_ascii_case("close"))
    };
    if !headers.get_all(CONNECTION).iter().any(says_so) {
        headers.append(CONNECTION, HeaderValue::from_static("close"));
    }
}
