//! What the watch does in a test, whose own clock may be paused.

use std::time::{Duration, Instant};

use super::Watch;
use crate::life::running_tests;
use crate::model::budget::{Budget, TEST_GRACE};
use crate::model::failure;
use crate::model::settings::NO_LIMIT;
use crate::say::lines;

impl Watch {
    /// In a test: code that is inside the same poll in two samples a whole budget apart never yields, and nothing but
    /// this ends it.
    pub(super) fn end_spinning_test(&mut self) {
        let longest = self.longest_poll();
        let due = self.earlier.as_ref().is_none_or(|earlier| earlier.age() >= longest);
        if !due {
            return;
        }
        let now = self.life.sample();
        if self.earlier.replace(now).is_some_and(|earlier| earlier.has_one_still(&self.life.polls())) {
            self.give_up_test();
            self.exit(failure::OUT_OF_TIME);
        }
    }

    /// Nothing but the end of the process ends this test. It is named at once, and the others get the time they need.
    pub(super) fn give_up_test(&self) {
        self.life.writer.speak_up();
        self.life.writer.say_report(lines::test_never_yields(self.life.settings.test.as_ref()));
        running_tests::let_others_end();
    }

    /// How long a poll of a test may take.
    fn longest_poll(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        self.life.settings.stop_timeout.saturating_add(TEST_GRACE).min(LONGEST)
    }
}

/// The budget of a test, whose own clock may be paused, in real time.
pub(super) fn in_real_time(budget: &Budget) -> Budget {
    let total = budget.total().unwrap_or(NO_LIMIT);
    Budget::new(tokio::time::Instant::from_std(Instant::now()), total.saturating_add(TEST_GRACE))
}
