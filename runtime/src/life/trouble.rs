//! What went wrong lately with the workers of one entry: their last failure, and their restarts.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::os::lock::Lock;

/// Restarts count as recent for so many seconds.
const RECENT: u64 = 60;

/// Nothing is allocated before the first failure.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Lock<Option<Box<Record>>>);

#[derive(Debug)]
struct Record {
    began: Instant,
    /// The text of the last failure, and when it was.
    last: (String, Instant),
    /// When each worker that waits for its restart runs again.
    due: Vec<Instant>,
    /// How many restarts there were in each of the last seconds that had any, by the second since `began`.
    recent: VecDeque<(u64, u64)>,
}

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lately {
    /// The text of the last failure, and how long ago it was.
    pub(crate) failure: Option<(String, Duration)>,
    /// How many workers wait for their restart.
    pub(crate) restarting: u64,
    /// How long it is until the next of these.
    pub(crate) next: Option<Duration>,
    /// How many restarts there were in the last minute.
    pub(crate) restarts: u64,
}

impl Trouble {
    /// One of the workers has failed.
    pub(crate) fn note_failure(&self, text: String) {
        let now = Instant::now();
        let mut record = self.0.lock();
        let last = (text, now);
        match &mut *record {
            Some(record) => record.last = last,
            None => *record = Some(Box::new(Record { began: now, last, due: Vec::new(), recent: VecDeque::new() })),
        }
    }

    /// A worker that has failed runs again at `due`.
    pub(crate) fn waits(&self, due: Instant) {
        self.with(|record| record.due.push(due));
    }

    /// It waits no longer. Counts a restart if there was one.
    pub(crate) fn waited(&self, due: Instant, restarts: bool) {
        self.with(|record| {
            if let Some(index) = record.due.iter().position(|other| *other == due) {
                record.due.swap_remove(index);
            }
            if restarts {
                let second = record.began.elapsed().as_secs();
                record.forget(second);
                match record.recent.back_mut() {
                    Some((last, count)) if *last == second => *count += 1,
                    _ => record.recent.push_back((second, 1)),
                }
            }
        });
    }

    pub(crate) fn lately(&self) -> Lately {
        let now = Instant::now();
        let seen = self.with(|record| {
            record.forget(record.began.elapsed().as_secs());
            let (text, at) = &record.last;
            Lately {
                failure: Some((text.clone(), now.saturating_duration_since(*at))),
                restarting: record.due.len() as u64,
                next: record.due.iter().min().map(|due| due.saturating_duration_since(now)),
                restarts: record.recent.iter().map(|(_, count)| count).sum(),
            }
        });
        seen.unwrap_or_default()
    }

    /// Begins anew, under another name.
    pub(super) fn clear(&self) {
        let before = self.0.lock().take();
        drop(before);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Record) -> T) -> Option<T> {
        self.0.lock().as_deref_mut().map(act)
    }
}

impl Record {
    /// Forgets restarts that are no longer recent.
    fn forget(&mut self, second: u64) {
        while self.recent.front().is_some_and(|(then, _)| second - then >= RECENT) {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn restarts_are_counted_for_a_minute() {
        let trouble = Trouble::default();
        trouble.note_failure("failed: no route".to_owned());
        for seconds in 0..90 {
            let due = Instant::now();
            trouble.waits(due);
            trouble.waited(due, true);
            let lately = trouble.lately();
            assert_eq!((lately.restarts, lately.next), ((seconds + 1).min(60), None));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(trouble.lately().restarts, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_restart_is_the_first_one_that_is_due() {
        let trouble = Trouble::default();
        trouble.note_failure("panicked: no route".to_owned());
        let [late, early] = [7, 3].map(|seconds| Instant::now() + Duration::from_secs(seconds));
        trouble.waits(late);
        trouble.waits(early);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(trouble.lately().next, Some(Duration::from_secs(2)));
        trouble.waited(early, false);
        let lately = trouble.lately();
        assert_eq!((lately.next, lately.restarts), (Some(Duration::from_secs(6)), 0));
        let failure = lately.failure.expect("it failed");
        assert_eq!(failure, ("panicked: no route".to_owned(), Duration::from_secs(1)));
    }
}
