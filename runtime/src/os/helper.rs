//! A thread for jobs that may block. The first job starts it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, PoisonError};

use crate::os::lock::Lock;
use crate::os::threads;

/// Work that may never return.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A handle to the thread, which runs its jobs in order.
#[derive(Clone, Default)]
pub(crate) struct Helper(Arc<(Lock<Jobs>, Condvar)>);

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    is_started: bool,
    is_over: bool,
}

impl Helper {
    /// Queues a job. Gives it back if the system grants no thread.
    pub(crate) fn run(&self, name: &str, job: Job) -> Result<(), Job> {
        let (jobs, more) = &*self.0;
        let mut jobs = jobs.lock();
        if !jobs.is_started {
            let mine = self.clone();
            if threads::start(name, Box::new(move || mine.work())).is_err() {
                return Err(job);
            }
            jobs.is_started = true;
        }
        jobs.waiting.push_back(job);
        more.notify_one();
        Ok(())
    }

    /// Ends the thread once it has done the jobs it was given.
    pub(crate) fn end(&self) {
        let (jobs, more) = &*self.0;
        jobs.lock().is_over = true;
        more.notify_one();
    }

    /// Whether its thread has not ended.
    #[cfg(test)]
    pub(crate) fn is_running(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    fn next(&self) -> Option<Job> {
        let (jobs, more) = &*self.0;
        let has_none = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.is_over;
        more.wait_while(jobs.lock(), has_none).unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }
}

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper").finish_non_exhaustive()
    }
}
