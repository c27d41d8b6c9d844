//! The ticks of a worker that runs periodically.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::life::lifecycle::Lifecycle;
use crate::model::state::State;
use crate::work::cancellation::stopping;
use crate::work::restarts::A_MINUTE;

/// The first moment after now that is a whole number of periods from `due`: ticks that were missed are skipped.
pub(crate) fn after(due: Instant, period: Duration) -> Instant {
    let late = due.elapsed().as_nanos();
    let periods = late / period.as_nanos().max(1) + 1;
    let ahead = period.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX));
    due.checked_add(ahead).unwrap_or_else(|| Instant::now() + A_MINUTE)
}

/// The moment `delay` from now, or one beyond any program's life.
pub(crate) fn first(delay: Duration) -> Instant {
    const YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(delay).unwrap_or_else(|| now + YEARS)
}

/// Waits for a tick. `false`: none comes any more, because the drain began or the worker was told to stop.
pub(crate) async fn tick(life: &Lifecycle, due: Instant) -> bool {
    let mut events: [Pin<Box<dyn Future<Output = bool> + Send + '_>>; 3] = [
        Box::pin(async {
            life.notifier.until(|| life.phase.state() >= State::Draining).await;
            false
        }),
        Box::pin(async {
            stopping().await;
            false
        }),
        Box::pin(async {
            sleep_until(due).await;
            true
        }),
    ];
    poll_fn(|context| {
        let ready = events.iter_mut().find_map(|event| match event.as_mut().poll(context) {
            Poll::Ready(ticks) => Some(ticks),
            Poll::Pending => None,
        });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_was_missed_is_skipped() {
        let period = Duration::from_secs(10);
        let due = Instant::now().checked_sub(Duration::from_secs(25)).unwrap();
        assert_eq!(after(due, period), due + 3 * period);
    }

    #[test]
    fn a_tick_beyond_what_the_clock_can_count_is_not_due_now() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > now);
        assert!(first(Duration::MAX) > now);
    }
}
