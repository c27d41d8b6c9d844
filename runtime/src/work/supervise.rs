//! Workers that are more than one run: restarted, repeated, or with a budget of their own.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::life::lifecycle::Lifecycle;
use crate::model::exit::{Exit, ExitKind};
use crate::model::failure::{Failure, Subject};
use crate::model::label::EntryId;
use crate::model::outcome;
use crate::model::policy::{OnFailure, Policy};
use crate::model::state::State;
use crate::say::lines;
use crate::work::cancellation::{is_stopping, run_until_stopping, stopping};

/// Restarts are counted, and a worker counts as healthy, over this long.
const A_MINUTE: Duration = Duration::from_secs(60);

/// A run of a worker, its panics caught.
pub(crate) type Run<R> = Pin<Box<dyn Future<Output = Exit<R>> + Send>>;

/// Makes the next run, or says that there is no other.
pub(crate) type Next<R> = Box<dyn FnMut() -> Option<Run<R>> + Send>;

/// The failure in a result.
pub(crate) type Judge<R> = Box<dyn Fn(&R) -> Option<String> + Send>;

/// A worker's runs, one after the other, as its policy has it. `next` makes a run, or says that there is no
/// other. Runs inside the worker's own task: what it asks, the worker asks.
///
/// Every program has a copy of this for each type of result, so what does not depend on it is elsewhere.
pub(crate) async fn supervise<R>(
    life: &Lifecycle,
    entry: EntryId,
    policy: &Policy,
    mut next: Next<R>,
    judge: Judge<R>,
) -> Exit<R> {
    let mut supervisor = Supervisor::new(life, entry, policy);
    if policy.every().is_some() && life.phase.state() >= State::Draining {
        // The stop came before the first run.
        return Exit::Aborted;
    }
    loop {
        let Some(run) = next() else {
            return Exit::Aborted;
        };
        let began = Instant::now();
        let (ran, has_panicked) = within(supervisor.limit(), run).await;
        if has_panicked {
            let failure = Failure::destructor(supervisor.subject());
            life.fail_by_policy(entry, failure.of_task(tokio::task::try_id()));
        }
        let (exit, error) = match ran {
            Exit::Returned(result) | Exit::Failed(result) => {
                let error = judge(&result);
                Exit::of(result, error)
            }
            exit => (exit, None),
        };
        let failure = match &exit {
            Exit::Returned(_) => None,
            Exit::Failed(_) => error.map(|text| Failure::error(supervisor.subject(), text)),
            Exit::Panicked(payload) => Some(Failure::panic(supervisor.subject(), payload.as_ref())),
            Exit::Aborted => {
                supervisor.overran();
                None
            }
        };
        if !supervisor.comes_again(began, exit.kind(), failure).await {
            return exit;
        }
    }
}

/// A run, its panics caught, and those of its destructor.
pub(crate) fn guarded<F>(run: F) -> Run<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    Box::pin(async move {
        let mut run = pin!(Some(run));
        poll_fn(|context| {
            let poll = || {
                let poll = match run.as_mut().as_pin_mut() {
                    Some(running) => running.poll(context),
                    None => Poll::Pending,
                };
                if poll.is_ready() {
                    run.set(None);
                }
                poll
            };
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(poll) => poll.map(Exit::Returned),
                Err(payload) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| run.set(None))).map_err(mem::forget);
                    Poll::Ready(Exit::Panicked(payload))
                }
            }
        })
        .await
    })
}

/// Polls `run` to its end, or until `limit` is over. Says whether its destructor panicked then.
async fn within<R>(limit: Option<Limit>, mut run: Run<R>) -> (Exit<R>, bool) {
    let Some(mut limit) = limit else {
        return (run.await, false);
    };
    let exit = poll_fn(|context| {
        if let Poll::Ready(exit) = run.as_mut().poll(context) {
            return Poll::Ready(exit);
        }
        limit.as_mut().poll(context).map(|()| Exit::Aborted)
    })
    .await;
    let is_clean = outcome::discard(run);
    (exit, !is_clean)
}

/// Resolves when a run has had its time.
type Limit = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What goes on between the runs of a worker.
struct Supervisor<'a> {
    life: &'a Lifecycle,
    entry: EntryId,
    policy: &'a Policy,
    restarts: Restarts<'a>,
    /// When the last tick was due.
    due: Instant,
}

impl<'a> Supervisor<'a> {
    fn new(life: &'a Lifecycle, entry: EntryId, policy: &'a Policy) -> Self {
        Self { life, entry, policy, restarts: Restarts::new(policy), due: Instant::now() }
    }

    /// The worker's own budget, which begins when it is told to stop.
    fn limit(&self) -> Option<Limit> {
        let limit = self.policy.stop_timeout()?;
        Some(Box::pin(async move {
            stopping().await;
            sleep(limit).await;
        }))
    }

    fn subject(&self) -> Subject {
        self.life.registry.get(self.entry).subject()
    }

    /// A run did not end within the worker's own budget.
    fn overran(&self) {
        let failure = Failure::overrun(self.subject(), self.policy.stop_timeout().unwrap_or_default());
        self.life.note_failure(failure.of_task(tokio::task::try_id()));
    }

    /// Whether there is another run, once it is time for it.
    fn comes_again(
        &mut self,
        began: Instant,
        kind: ExitKind,
        failure: Option<Failure>,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            if kind == ExitKind::Aborted || !self.goes_on(began, failure.as_ref()) {
                return false;
            }
            // What has run is counted, and so is the next run, unless it does not come.
            let counters = self.life.registry.get(self.entry);
            counters.started.fetch_add(1, Ordering::Relaxed);
            counters.ended(kind).fetch_add(1, Ordering::Release);
            let comes = if let Some(period) = self.policy.every() {
                self.due = after(self.due, period);
                tick(self.life, self.due).await
            } else {
                let pause = self.restarts.pause();
                if let Some(failure) = &failure {
                    let line = lines::restarting(failure, pause);
                    self.life.writer.say(line);
                }
                run_until_stopping(sleep(pause)).await.is_some()
            };
            if !comes {
                counters.ended(kind).fetch_sub(1, Ordering::Release);
                counters.started.fetch_sub(1, Ordering::Relaxed);
            } else if self.policy.every().is_none() {
                counters.restarted.fetch_add(1, Ordering::Relaxed);
            }
            comes
        })
    }

    /// What the policy makes of how a run ended: whether another one may follow.
    fn goes_on(&mut self, began: Instant, failure: Option<&Failure>) -> bool {
        let repeats = self.policy.every().is_some();
        let Some(failure) = failure else {
            return repeats;
        };
        match self.policy.on_failure() {
            OnFailure::Log => {
                self.life.writer.say(lines::logged(failure));
                repeats
            }
            OnFailure::Restart if is_stopping() => {
                self.life.writer.say(lines::logged(failure));
                false
            }
            OnFailure::Restart if self.restarts.allow(began) => true,
            OnFailure::Stop | OnFailure::Restart => {
                self.life.fail(failure.clone().of_task(tokio::task::try_id()));
                false
            }
        }
    }
}

/// The first moment after now that is a whole number of periods from `due`: ticks that were missed are skipped.
fn after(due: Instant, period: Duration) -> Instant {
    let late = due.elapsed().as_nanos();
    let periods = late / period.as_nanos().max(1) + 1;
    let ahead = period.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX));
    due.checked_add(ahead).unwrap_or_else(|| Instant::now() + A_MINUTE)
}

/// Waits for a tick. `false`: none comes any more, because the drain began or the worker is to stop.
async fn tick(life: &Lifecycle, due: Instant) -> bool {
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
        Self { policy, recent: VecDeque::new(), pause: policy.backoff.0 }
    }

    /// Whether one more is within the limit. `began`: when the run that failed did; one that was healthy for a
    /// minute is forgiven.
    fn allow(&mut self, began: Instant) -> bool {
        let now = Instant::now();
        if now.duration_since(began) >= A_MINUTE {
            self.pause = self.policy.backoff.0;
        }
        while self.recent.front().is_some_and(|earlier| now.duration_since(*earlier) >= A_MINUTE) {
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
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut policy = Policy::new();
        policy.backoff = (Duration::from_millis(100), Duration::from_millis(500));
        let mut restarts = Restarts::new(&policy);
        for longest in [100, 200, 400, 500, 500] {
            let pause = restarts.pause().as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{pause} of {longest}");
        }
    }

    #[test]
    fn a_run_that_was_well_for_a_minute_is_forgiven_and_a_shorter_one_is_not() {
        let mut policy = Policy::new();
        policy.backoff = (Duration::from_millis(100), Duration::from_millis(800));
        let mut restarts = Restarts::new(&policy);
        restarts.pause();
        restarts.pause();
        let now = Instant::now();
        restarts.allow(now);
        assert!(restarts.pause() >= Duration::from_millis(200));
        restarts.allow(now.checked_sub(A_MINUTE).unwrap());
        assert!(restarts.pause() <= Duration::from_millis(100));
    }

    #[test]
    fn many_that_fail_at_once_do_not_come_back_together() {
        let mut policy = Policy::new();
        policy.backoff = (Duration::from_secs(1), Duration::from_secs(1));
        let pauses: HashSet<_> = (0..100).map(|_| Restarts::new(&policy).pause().as_millis()).collect();
        // By chance alike: about as many as people of the same birthday.
        assert!(pauses.len() > 50, "{pauses:?}");
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

    #[test]
    fn a_tick_beyond_what_the_clock_can_count_is_not_due_now() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > now);
    }
}
