//! Workers that are more than one run: restarted, repeated, or with a budget of their own.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::done::Ending;
use crate::exit::Failure;
use crate::lifecycle::Lifecycle;
use crate::message;
use crate::policy::{OnFailure, Policy};
use crate::rows::{RowId, Way};
use crate::scope::{is_stopping, run_until_stopping, stopping};
use crate::state::State;

/// Restarts are counted, and a worker counts as healthy, over this long.
const A_MINUTE: Duration = Duration::from_secs(60);

/// What a supervised worker comes to: its last run, and how that went.
#[derive(Debug)]
pub(crate) struct Ran<R> {
    pub(crate) ending: Ending<R>,
    pub(crate) way: Way,
}

/// A worker's runs, one after the other, as its policy has it. `next` makes a run, or says that there is no
/// other. Runs inside the worker's own task: what it asks, the worker asks.
pub(crate) async fn supervise<Fut, R>(
    life: &Lifecycle,
    row: RowId,
    policy: &Policy,
    mut next: impl FnMut() -> Option<Fut>,
    judge: impl Fn(&R) -> Option<String>,
) -> Ran<R>
where
    Fut: Future<Output = Ending<R>>,
{
    let who = || life.who(row);
    let counters = life.rows.get(row);
    let mut restarts = Restarts::new(policy);
    let mut due = Instant::now();
    loop {
        let Some(run) = next() else {
            return Ran {
                ending: Ending::Aborted,
                way: Way::Aborted,
            };
        };
        let began = Instant::now();
        let ending = within(policy.stop_timeout(), run).await;

        // What became of it.
        let failure = match &ending {
            Ending::Finished(result) => judge(result).map(|text| Failure::error(who(), text)),
            Ending::Panicked(payload) => Some(Failure::panic(who(), payload.as_ref())),
            Ending::Aborted => {
                life.overran(row, policy.stop_timeout().unwrap_or_default());
                return Ran {
                    ending,
                    way: Way::Aborted,
                };
            }
        };
        let way = match (&ending, &failure) {
            (_, None) => Way::Finished,
            (Ending::Panicked(_), _) => Way::Panicked,
            _ => Way::Failed,
        };
        if let Some(failure) = &failure {
            match policy.on_failure() {
                OnFailure::Log => life.scribe.say(message::logged(failure)),
                OnFailure::Restart if is_stopping() => {
                    life.scribe.say(message::logged(failure));
                    return Ran { ending, way };
                }
                OnFailure::Restart if restarts.allow(began) => {}
                OnFailure::Stop | OnFailure::Restart => {
                    life.fail(failure.clone().of_task(tokio::task::try_id()));
                    return Ran { ending, way };
                }
            }
        }

        // Again, when it is due or after a pause that the stop cuts short; or not again. What has run is counted, and
        // so is the next run, unless it does not come.
        let repeats = policy.every().is_some();
        let restarts_now =
            !repeats && failure.is_some() && policy.on_failure() == OnFailure::Restart;
        if !repeats && !restarts_now {
            return Ran { ending, way };
        }
        counters.started.fetch_add(1, Ordering::Relaxed);
        counters.end(way).fetch_add(1, Ordering::Release);
        let comes = if let Some(period) = policy.every() {
            due = after(due, period);
            tick(life, due).await
        } else {
            let pause = restarts.pause();
            if let Some(failure) = &failure {
                life.scribe.say(message::restarting(failure, pause));
            }
            run_until_stopping(sleep(pause)).await.is_some()
        };
        if !comes {
            counters.end(way).fetch_sub(1, Ordering::Release);
            counters.started.fetch_sub(1, Ordering::Relaxed);
            return Ran { ending, way };
        }
        counters
            .restarted
            .fetch_add(u64::from(restarts_now), Ordering::Relaxed);
    }
}

/// A run, its panics caught.
pub(crate) async fn guarded<F: Future>(run: F) -> Ending<F::Output> {
    let mut run = pin!(run);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ending::Finished),
            Err(payload) => Poll::Ready(Ending::Panicked(payload)),
        },
    )
    .await
}

/// Polls `run` to its end, or until `limit` has passed since the worker was told to stop.
async fn within<R>(limit: Option<Duration>, run: impl Future<Output = Ending<R>>) -> Ending<R> {
    let Some(limit) = limit else { return run.await };
    let mut run = pin!(run);
    let mut overdue = pin!(async {
        stopping().await;
        sleep(limit).await;
    });
    poll_fn(|context| {
        if let Poll::Ready(ending) = run.as_mut().poll(context) {
            return Poll::Ready(ending);
        }
        overdue.as_mut().poll(context).map(|()| Ending::Aborted)
    })
    .await
}

/// The first moment after now that is a whole number of periods from `due`: ticks that were missed are skipped.
fn after(due: Instant, period: Duration) -> Instant {
    let late = due.elapsed().as_nanos();
    let periods = late / period.as_nanos().max(1) + 1;
    let ahead = period.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX));
    due.checked_add(ahead)
        .unwrap_or_else(|| Instant::now() + A_MINUTE)
}

/// Waits for a tick. `false`: none comes any more, because the drain began or the worker is to stop.
async fn tick(life: &Lifecycle, due: Instant) -> bool {
    let mut events: [Pin<Box<dyn Future<Output = bool> + Send + '_>>; 3] = [
        Box::pin(async {
            life.reach(State::Draining).await;
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
        let ready = events
            .iter_mut()
            .find_map(|event| match event.as_mut().poll(context) {
                Poll::Ready(ticks) => Some(ticks),
                Poll::Pending => None,
            });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// The bookkeeping of restarts.
struct Restarts<'a> {
    policy: &'a Policy,
    /// When the restarts of the last minute were.
    recent: VecDeque<Instant>,
    /// The next pause, before the jitter.
    pause: Duration,
}

impl<'a> Restarts<'a> {
    fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            recent: VecDeque::new(),
            pause: policy.backoff.0,
        }
    }

    /// Whether one more is within the limit. `began`: when the run that failed did; one that was healthy for a
    /// minute is forgiven.
    fn allow(&mut self, began: Instant) -> bool {
        let now = Instant::now();
        if now.duration_since(began) >= A_MINUTE {
            self.pause = self.policy.backoff.0;
        }
        while self
            .recent
            .front()
            .is_some_and(|earlier| now.duration_since(*earlier) >= A_MINUTE)
        {
            self.recent.pop_front();
        }
        let Some(limit) = self.policy.max_restarts else {
            return true;
        };
        let allowed = self.recent.len() < limit as usize;
        if allowed {
            self.recent.push_back(now);
        }
        allowed
    }

    /// The pause before the next run: doubled each time, with a jitter of up to a half, so that many do not come
    /// back together.
    fn pause(&mut self) -> Duration {
        let (first, longest) = self.policy.backoff;
        let pause = self.pause.clamp(first, longest);
        self.pause = pause.saturating_mul(2).min(longest);
        // The standard library's only source of chance; good enough to spread restarts.
        let chance = RandomState::new().hash_one(Instant::now()) % 1024;
        pause / 2 + pause.mul_f64(chance_of(chance)) / 2
    }
}

/// A number below 1024 as a part of one.
fn chance_of(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or_default()) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut policy = Policy::new();
        policy.backoff = (Duration::from_millis(100), Duration::from_millis(500));
        let mut restarts = Restarts::new(&policy);
        for longest in [100, 200, 400, 500, 500] {
            let pause = restarts.pause().as_millis();
            assert!(
                (longest / 2..=longest).contains(&pause),
                "{pause} of {longest}"
            );
        }
    }

    #[test]
    fn restarts_beyond_the_limit_are_refused() {
        let mut policy = Policy::new();
        policy.max_restarts = Some(2);
        let mut restarts = Restarts::new(&policy);
        let now = Instant::now();
        assert_eq!([(); 3].map(|()| restarts.allow(now)), [true, true, false]);
    }

    #[test]
    fn a_tick_that_was_missed_is_skipped() {
        let period = Duration::from_secs(10);
        let due = Instant::now().checked_sub(Duration::from_secs(25)).unwrap();
        assert_eq!(after(due, period), due + 3 * period);
    }
}
