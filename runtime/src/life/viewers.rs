//! What the page shows beside a status, and how the end of the process waits for those who look at it (feature `page`).

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::life::poll_record::Sample;
use crate::model::budget::SAME_POLL;
use crate::os::lock::Lock;

/// The chart shows so many seconds.
pub(crate) const PAST: u64 = 60;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Viewers {
    moments: Lock<Moments>,
    /// What was made for the viewers last. Held while it is made, so that it is made once for all of them.
    pub(crate) latest: Lock<Latest>,
    /// Cancelled when the lifecycle is over: each viewer gets the last of it.
    pub(crate) over: CancellationToken,
    at_the_end: Lock<Option<Box<dyn FnOnce() + Send>>>,
    /// What the end of the process waits for.
    jobs: Mutex<Jobs>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Moments {
    /// When the lifecycle came to its present state. `None` in the first one.
    entered: Option<Instant>,
    /// When main ended.
    main_ended: Option<Instant>,
    /// How many members were alive, and when that was noted.
    alive: VecDeque<(Instant, usize)>,
}

#[derive(Debug, Default)]
pub(crate) struct Latest {
    /// When it was made.
    pub(crate) at: Option<Instant>,
    /// A snapshot in JSON.
    pub(crate) text: Arc<str>,
    /// How long that took.
    pub(crate) took: Duration,
    /// Whether it says which polls block.
    pub(crate) is_sampled: bool,
    /// The polls that were under way shortly before the next one.
    pub(crate) sample: Option<Sample>,
}

/// A sample that is older than this says little about the polls of now.
const SAMPLE_LASTS: Duration = Duration::from_secs(3);

impl Latest {
    /// The sample, if it can tell polls that block from others.
    pub(crate) fn sample(&self) -> Option<&Sample> {
        self.sample.as_ref().filter(|sample| (SAME_POLL..SAMPLE_LASTS).contains(&sample.age()))
    }
}

#[derive(Debug, Default)]
struct Jobs {
    /// When the end began.
    began: Option<Instant>,
    running: usize,
}

impl Viewers {
    pub(crate) fn note_state(&self) {
        self.moments.lock().entered = Some(Instant::now());
    }

    /// When the lifecycle came to its present state; `None` if it is the first one.
    pub(crate) fn entered(&self) -> Option<Instant> {
        self.moments.lock().entered
    }

    pub(crate) fn note_mains_end(&self) {
        self.moments.lock().main_ended = Some(Instant::now());
    }

    pub(crate) fn main_ended(&self) -> Option<Instant> {
        self.moments.lock().main_ended
    }

    /// So many members are alive. Once a second while something happens; later calls in the same second are ignored.
    pub(crate) fn note_alive(&self, alive: usize) {
        self.note_alive_at(Instant::now(), alive);
    }

    fn note_alive_at(&self, now: Instant, alive: usize) {
        let mut moments = self.moments.lock();
        let alive_lately = &mut moments.alive;
        let last = alive_lately.back().copied();
        if last.is_none_or(|(last, _)| now - last >= Duration::from_millis(900)) {
            // Nothing is noted while nothing happens: until a second ago they were as many as before.
            if let Some((_, before)) = last.filter(|(last, _)| now - *last >= 2 * SECOND) {
                alive_lately.push_back((now.checked_sub(SECOND).unwrap_or(now), before));
            }
            alive_lately.push_back((now, alive));
        }
        // One that is older says how many there were when the chart begins.
        while alive_lately.get(1).is_some_and(|(then, _)| (now - *then).as_secs() >= PAST) {
            alive_lately.pop_front();
        }
    }

    /// How long ago each note was, and how many were alive then.
    pub(crate) fn alive_lately(&self) -> Vec<(Duration, usize)> {
        let now = Instant::now();
        let ago = |then: Instant| now.saturating_duration_since(then).min(Duration::from_secs(PAST));
        self.moments.lock().alive.iter().map(|(then, alive)| (ago(*then), *alive)).collect()
    }

    /// From now on the end of the process waits for a job, for a moment: until the guard is dropped.
    pub(crate) fn begin_job(self: &Arc<Self>) -> Job {
        self.jobs().running += 1;
        Job(Arc::clone(self))
    }

    /// What is to be done when the end has come.
    pub(crate) fn at_the_end(&self, act: Box<dyn FnOnce() + Send>) {
        *self.at_the_end.lock() = Some(act);
    }

    /// The end has come: from now on it waits for the jobs. The first call does what is to be done.
    pub(crate) fn begin(self: &Arc<Self>) {
        let mut jobs = self.jobs();
        if jobs.began.is_some() {
            return;
        }
        jobs.began = Some(Instant::now());
        jobs.running += 1;
        drop(jobs);
        // The beginning is a job itself: another caller waits for it.
        let beginning = Job(Arc::clone(self));
        let act = self.at_the_end.lock().take();
        if let Some(act) = act {
            act();
        }
        self.over.cancel();
        drop(beginning);
    }

    /// Waits until no job runs, until so long after the beginning at the most.
    pub(crate) fn wait(&self, limit: Duration) {
        let jobs = self.jobs();
        let left = jobs.began.map_or(Duration::ZERO, |began| limit.saturating_sub(began.elapsed()));
        drop(self.done.wait_timeout_while(jobs, left, |jobs| jobs.running > 0));
    }

    /// Begins, and waits.
    pub(crate) fn finish(self: &Arc<Self>, limit: Duration) {
        self.begin();
        self.wait(limit);
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Viewers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewers").finish_non_exhaustive()
    }
}

/// The end of the process waits for it.
#[derive(Debug)]
pub(crate) struct Job(Arc<Viewers>);

impl Drop for Job {
    fn drop(&mut self) {
        self.0.jobs().running -= 1;
        self.0.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_begins_once_and_waits_for_jobs_no_longer_than_it_may() {
        let viewers = Arc::new(Viewers::default());
        viewers.wait(Duration::MAX);
        let token = Arc::new(());
        let held = Arc::clone(&token);
        viewers.at_the_end(Box::new(move || drop(held)));
        let job = viewers.begin_job();
        let began = Instant::now();
        viewers.finish(Duration::from_millis(20));
        assert!(began.elapsed() >= Duration::from_millis(20));
        assert!(viewers.over.is_cancelled() && Arc::strong_count(&token) == 1);
        viewers.finish(Duration::from_millis(20));
        std::thread::spawn(move || drop(job));
        viewers.finish(Duration::MAX);
    }

    #[test]
    fn the_count_of_members_is_noted_once_a_second() {
        let viewers = Viewers::default();
        viewers.note_alive(3);
        viewers.note_alive(4);
        let noted: Vec<_> = viewers.alive_lately().into_iter().map(|(_, alive)| alive).collect();
        assert_eq!(noted, [3]);
    }

    #[test]
    fn while_nothing_was_noted_they_were_as_many_as_before() {
        let (viewers, start) = (Viewers::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        viewers.note_alive_at(at(0), 3);
        viewers.note_alive_at(at(10), 5);
        let noted = || -> Vec<_> { viewers.moments.lock().alive.iter().copied().collect() };
        assert_eq!(noted(), [(at(0), 3), (at(9), 3), (at(10), 5)]);
        viewers.note_alive_at(at(75), 5);
        assert_eq!(noted(), [(at(10), 5), (at(74), 5), (at(75), 5)], "one from before the chart's beginning");
    }
}
