//! How often a worker is restarted, and after which pauses.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::policy::Policy;

/// Restarts are counted, and a worker counts as healthy, over this long.
pub(crate) const A_MINUTE: Duration = Duration::from_secs(60);

/// So many restarts in a row are a habit.
const HABIT: u32 = 10;

/// The bookkeeping of restarts.
pub(crate) struct Restarts<'a> {
    policy: &'a Policy,
    /// When the restarts were that count against the limit.
    recent: VecDeque<Instant>,
    /// How many there were since a run was well for a minute.
    in_a_row: u32,
    /// The next pause, before the jitter.
    pause: Duration,
}

impl<'a> Restarts<'a> {
    pub(crate) fn new(policy: &'a Policy) -> Self {
        Self { policy, recent: VecDeque::new(), in_a_row: 0, pause: policy.backoff.0 }
    }

    /// Whether one more is within the limit. `began`: when the run that failed did; after one that was healthy for a
    /// minute the pauses begin anew.
    pub(crate) fn allow(&mut self, began: Instant) -> bool {
        let now = Instant::now();
        if now.duration_since(began) >= A_MINUTE {
            self.pause = self.policy.backoff.0;
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let Some((limit, within)) = self.policy.max_restarts else {
            return true;
        };
        while self.recent.front().is_some_and(|earlier| now.duration_since(*earlier) >= within) {
            self.recent.pop_front();
        }
        let allowed = self.recent.len() < limit as usize;
        if allowed {
            self.recent.push_back(now);
        }
        allowed
    }

    /// Once there are ten in a row, and at growing intervals from then on: how many.
    pub(crate) fn are_a_habit(&self) -> Option<u32> {
        let tens = self.in_a_row / HABIT;
        (self.in_a_row.is_multiple_of(HABIT) && tens.is_power_of_two()).then_some(self.in_a_row)
    }

    /// The pause before the next run: doubled each time, with a jitter of up to a half, so that many do not restart
    /// together.
    pub(crate) fn pause(&mut self) -> Duration {
        let (first, longest) = self.policy.backoff;
        let pause = self.pause.clamp(first, longest);
        self.pause = pause.saturating_mul(2).min(longest);
        // The standard library's only source of randomness; good enough to spread restarts.
        let chance = RandomState::new().hash_one(Instant::now()) % 1024;
        pause / 2 + pause.mul_f64(chance_of(chance)) / 2
    }
}

/// A number below 1024 as a fraction of 1024.
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
        // Some are alike by chance, as birthdays are.
        assert!(pauses.len() > 50, "{pauses:?}");
    }

    #[test]
    fn a_habit_is_said_at_growing_intervals_until_a_run_is_well() {
        let policy = Policy::new();
        let mut restarts = Restarts::new(&policy);
        let now = Instant::now();
        let said = |restarts: &mut Restarts<'_>, count| {
            let mut said = Vec::new();
            for _ in 0..count {
                restarts.allow(now);
                said.extend(restarts.are_a_habit());
            }
            said
        };
        assert_eq!(said(&mut restarts, 100), [10, 20, 40, 80]);
        restarts.allow(now.checked_sub(A_MINUTE).unwrap());
        assert_eq!(said(&mut restarts, 9), [10]);
    }

    #[test]
    fn restarts_beyond_the_limit_are_refused() {
        let mut policy = Policy::new();
        policy.max_restarts = Some((2, A_MINUTE));
        let mut restarts = Restarts::new(&policy);
        let now = Instant::now();
        assert_eq!([(); 3].map(|()| restarts.allow(now)), [true, true, false]);
    }
}
