//! The arithmetic of a stop's one budget: which part of the stop gets how much of it, and when.

use std::time::Duration;

use tokio::time::Instant;

/// The most that is set aside for aborting, reporting and leaving.
const MAX_RESERVE: Duration = Duration::from_secs(2);

/// The first of the lines that say what a stop, a restart or a handle waits for; each later one takes twice as long.
pub(crate) const FIRST_LINE: Duration = Duration::from_secs(1);

/// How long a result may take from its worker to the code that drops it, on a busy machine.
pub(crate) const SETTLING: Duration = Duration::from_millis(50);

/// How often the stop checks whether it has arrived.
pub(crate) const SETTLING_POLL: Duration = Duration::from_millis(1);

/// How long before the abort the last sample begins.
pub(crate) const LAST_SAMPLE: Duration = Duration::from_millis(50);

/// Two samples this far apart that find the same poll have found a poll that blocks.
pub(crate) const APART: Duration = Duration::from_millis(10);

/// How long writing the report takes, unless a lock or a subscriber blocks the writer.
pub(crate) const WRITING: Duration = Duration::from_millis(2);

/// The least time for leaving: after the stop was asked for, and when only the user's code is left.
pub(crate) const LEAVING: Duration = Duration::from_millis(20);

/// How often the watch checks whether a moment that was put off has come.
pub(crate) const LOOKING: Duration = Duration::from_millis(5);

/// How much longer the process may stay when none of the user's code is left.
pub(crate) const OVERLOADED: Duration = Duration::from_millis(500);

/// How much longer than its budget a test may take in real time: its clock may be paused.
pub(crate) const TEST_GRACE: Duration = Duration::from_secs(1);

/// Much more than building a runtime takes; and the interval between attempts to create a thread meanwhile.
pub(crate) const PROBING: Duration = Duration::from_millis(50);

/// The time untracked tasks get to run their destructors.
pub(crate) const UNTRACKED: Duration = Duration::from_millis(50);

/// The longest the process stays for its last lines to be written.
pub(crate) const LAST_LINES: Duration = Duration::from_millis(100);

/// The shortest: what a healthy pipe takes, with room to spare.
pub(crate) const LAST_LINES_AT_LEAST: Duration = Duration::from_millis(20);

/// The longest the process stays for functions given to `at_exit`.
pub(crate) const EXIT_FUNCTIONS: Duration = Duration::from_millis(50);

/// The longest that a process which dies of SIGABRT stays for its dump.
pub(crate) const DUMPING: Duration = Duration::from_secs(1);

/// How long a worker's task may outlive the worker, where its thread is kept from running.
pub(crate) const TASK_SETTLING: Duration = Duration::from_millis(5);

/// Two samples closer together than this say nothing: any poll is the same poll a moment later.
pub(crate) const SAME_POLL: Duration = Duration::from_millis(5);

/// How long a dump waits for the workers it has woken.
#[cfg(taskdump)]
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_millis(50);

/// A thread that wakes this much too late has stood still. A busy machine delays it less, and so does a CPU quota,
/// which makes a process wait for the rest of a period: 100 ms by default.
pub(crate) const LATE: Duration = Duration::from_millis(200);

/// The time that work in hand gets to finish.
pub(crate) const MOMENT: Duration = Duration::from_millis(50);

/// A stop that was asked for, and the time it has.
///
/// ```text
/// asked                        abort          report      end
///   |---- finish by yourselves ---|-- destructors --|- leave -|
///   |                             |<------- reserve --------->|
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// When the stop was asked for.
    asked: Instant,
    /// From then until the process is gone. `None` where there is no deadline.
    total: Option<Duration>,
}

impl Budget {
    /// A total that reaches beyond what the clock can count is no deadline.
    pub(crate) fn new(asked: Instant, total: Duration) -> Self {
        Self { asked, total: Some(total).filter(|total| asked.checked_add(*total).is_some()) }
    }

    pub(crate) fn asked(&self) -> Instant {
        self.asked
    }

    pub(crate) fn total(&self) -> Option<Duration> {
        self.total
    }

    /// The latest end of the drain, its hooks included.
    pub(crate) fn half(&self) -> Option<Instant> {
        self.total.map(|total| self.asked + total / 2)
    }

    /// When workers are aborted whose stage had not been told to stop.
    pub(crate) fn half_reserve(&self) -> Option<Instant> {
        self.total.map(|total| self.asked + total.saturating_sub(reserve(total) / 2))
    }

    /// When workers told to stop that still run are aborted: a tenth of the budget before its end, 2 s at most.
    pub(crate) fn abort_at(&self) -> Option<Instant> {
        self.total.map(|total| self.asked + total.saturating_sub(reserve(total)))
    }

    /// When the wait for aborted workers ends and the report is written.
    pub(crate) fn report_at(&self) -> Option<Instant> {
        self.total.map(|total| self.asked + total.saturating_sub(reserve(total) / 4))
    }

    /// When the `after_stop` hooks run out of time: a little before the report, which says so.
    pub(crate) fn closed_at(&self) -> Option<Instant> {
        self.total.map(|total| self.asked + total.saturating_sub(reserve(total) * 3 / 8))
    }

    /// When the wait for aborted workers ends if hooks run after it.
    pub(crate) fn closing_at(&self) -> Option<Instant> {
        self.total.map(|total| self.asked + total.saturating_sub(reserve(total) * 7 / 16))
    }

    /// When the process is gone.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.total.map(|total| self.asked + total)
    }

    /// What is left until the abort; `Duration::MAX` where there is no deadline.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.abort_at().map_or(Duration::MAX, |at| at.saturating_duration_since(now))
    }

    /// What is left until the process is gone; `Duration::MAX` where there is no deadline.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.end().map_or(Duration::MAX, |at| at.saturating_duration_since(now))
    }
}

fn reserve(total: Duration) -> Duration {
    (total / 10).min(MAX_RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(total: Duration) -> Option<(Duration, Duration, Duration)> {
        let asked = Instant::now();
        let budget = Budget::new(asked, total);
        Some((budget.abort_at()? - asked, budget.report_at()? - asked, budget.end()? - asked))
    }

    #[test]
    fn a_tenth_is_set_aside() {
        let ms = Duration::from_millis;
        assert_eq!(offsets(ms(1000)), Some((ms(900), ms(975), ms(1000))));
    }

    #[test]
    fn each_moment_comes_after_the_one_before() {
        for total in [1, 10, 500, 25_000, 600_000].map(Duration::from_millis) {
            let asked = Instant::now();
            let budget = Budget::new(asked, total);
            let moments = [
                Some(asked),
                budget.half(),
                budget.abort_at(),
                budget.half_reserve(),
                budget.closing_at(),
                budget.closed_at(),
                budget.report_at(),
                budget.end(),
            ];
            let moments = moments.map(|at| at.expect("there is an end"));
            assert!(moments.windows(2).all(|two| two[0] < two[1]), "{total:?}");
            let reserve = moments[7] - moments[2];
            let before_the_end = |at: usize| moments[7] - moments[at];
            assert_eq!(before_the_end(1), total / 2);
            assert_eq!(before_the_end(3), reserve / 2);
            assert_eq!(before_the_end(6), reserve / 4);
            assert_eq!(budget.total(), Some(total));
            assert_eq!(budget.left(asked), total);
            assert_eq!(budget.remaining(asked) + reserve, total);
        }
    }

    #[test]
    fn two_seconds_are_the_most_that_is_set_aside() {
        let s = Duration::from_secs;
        assert_eq!(offsets(s(60)), Some((s(58), Duration::from_millis(59_500), s(60))));
    }

    #[test]
    fn a_zero_budget_is_over_at_once() {
        assert_eq!(offsets(Duration::ZERO), Some((Duration::ZERO, Duration::ZERO, Duration::ZERO)));
    }

    #[test]
    fn a_budget_beyond_the_clock_is_no_deadline() {
        assert_eq!(offsets(Duration::MAX), None);
        let now = Instant::now();
        assert_eq!(Budget::new(now, Duration::MAX).remaining(now), Duration::MAX);
    }

    #[test]
    fn the_grace_times_add_up_inside_a_budget_of_500_ms() {
        let budget = Budget::new(Instant::now(), Duration::from_millis(500));
        let after = |moment: Option<Instant>| moment.expect("there is a deadline") - budget.asked();
        let (abort, report, end) = (after(budget.abort_at()), after(budget.report_at()), after(budget.end()));

        // Main leaves, and the results of three turns of stages are waited for, before the last sample.
        assert!(LEAVING + 3 * SETTLING + LAST_SAMPLE < abort);
        // Two samples find a poll that blocks before the abort.
        assert!(SAME_POLL < APART && 2 * APART < LAST_SAMPLE && SETTLING_POLL < SETTLING);
        // The stages whose turn had not come are aborted with time for destructors; then come the hooks, and the report.
        let moments = [budget.half_reserve(), budget.closing_at(), budget.closed_at()].map(after);
        assert!([&[abort], &moments[..], &[report, end]].concat().is_sorted_by(|one, next| one < next));
        // The report is written, and the watch sees the end, before it has come.
        assert!(report + WRITING + LOOKING < end);
        // A process that stood still is not late by more than the budget itself.
        assert!(LATE + MOMENT + UNTRACKED < end);
        // What may come after the end: the last lines, where standard error does not take them.
        assert!(LAST_LINES_AT_LEAST <= LEAVING && LAST_LINES <= 2 * UNTRACKED);
    }
}
