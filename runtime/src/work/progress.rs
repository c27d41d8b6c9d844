//! Progress: what a worker says itself, since being polled is not the same.

use std::time::Duration;

use crate::work::ambient::{self, Caller};
use crate::work::current;

/// Notes that the calling worker, or main, has done a unit of its work: a message, a round.
///
/// From then on [`is_progressing`], [`status`](crate::status()) and the metrics tell how long ago that was. A worker that
/// waits for what never comes, or goes round in circles, looks healthy otherwise: it is polled. Call it once at the
/// beginning as well if the first unit may be the one that hangs. One that never calls it is not judged, and neither is
/// one that has ended; one that waits for its restart or for its next run is, so do not call it in a worker with `every`
/// and a period as long as what the probe allows.
///
/// It takes a lock that few others want. In an untracked task, and outside any lifecycle, it has no effect.
pub fn progress() {
    if let Some(Caller { life, current: Some(current) }) = Caller::find() {
        life.slots.note_progress(current::slot(&life, current));
    }
}

/// Whether each worker that says when it makes [`progress`] has said so within this time: for a liveness probe, beside
/// whatever else that checks. The answer is up to 32 ms out of date. True where there is none, and outside any lifecycle.
///
/// ```
/// # use std::time::Duration;
/// fn healthz() -> u16 {
///     if graceful::is_progressing(Duration::from_secs(60)) { 200 } else { 503 }
/// }
/// # healthz();
/// ```
pub fn is_progressing(within: Duration) -> bool {
    let since = ambient::lifecycle().and_then(|life| life.slots.since_progress());
    since.is_none_or(|since| since <= within)
}
