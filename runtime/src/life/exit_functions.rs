//! Functions that run when the process ends, on whatever way: `at_exit`. They are the user's code, so they run on threads
//! of their own, and the way out waits for them only so long.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::os::threads;

/// So many threads run them at the most, if each one hangs.
const MOST_THREADS: u32 = 10;

/// Restores a terminal, removes a file.
pub(crate) type Run = Box<dyn FnOnce() + Send>;

/// The functions of a lifecycle, until they are run.
#[derive(Clone, Default)]
pub(crate) struct ExitFunctions(Arc<(Mutex<Functions>, Condvar)>);

#[derive(Default)]
struct Functions {
    waiting: VecDeque<(Arc<str>, Run)>,
    /// Those that have begun and not ended.
    running: Vec<Arc<str>>,
    panicked: Vec<(Arc<str>, Box<dyn Any + Send>)>,
    /// How many have ended.
    ended: usize,
    /// Their time has come: one that is added now is too late.
    begun: bool,
    /// Their time is over.
    given_up: bool,
}

/// What became of those that did not end well.
#[derive(Default)]
pub(crate) struct Ended {
    /// With the payload of each.
    pub(crate) panicked: Vec<(Arc<str>, Box<dyn Any + Send>)>,
    /// The first ones still run, or wait for a thread that the system does not grant.
    pub(crate) left: Vec<Arc<str>>,
}

impl ExitFunctions {
    /// The same name replaces an earlier one. Gives it back if it is too late.
    pub(crate) fn add(&self, name: Arc<str>, run: Run) -> Result<(), Run> {
        let mut functions = self.lock();
        if functions.begun {
            return Err(run);
        }
        let before = functions.waiting.iter().position(|(other, _)| *other == name);
        let before = before.and_then(|index| functions.waiting.remove(index));
        functions.waiting.push_back((name, run));
        drop(functions);
        // What it has captured is not dropped under the lock.
        drop(before);
        Ok(())
    }

    /// Runs them, the last one first, and returns when all have ended, after `within` at the latest. If one takes more
    /// than its share of that, the next one runs beside it. Only the first call runs any.
    pub(crate) fn run(&self, within: Duration) -> Ended {
        let until = Instant::now() + within;
        let mut functions = self.lock();
        if std::mem::replace(&mut functions.begun, true) {
            drop(self.wait_until(functions, until, |functions| functions.given_up || functions.is_over()));
            return Ended::default();
        }
        let share = within / u32::try_from(functions.waiting.len()).unwrap_or(u32::MAX).clamp(1, MOST_THREADS);
        let mut needs_thread = true;
        while !functions.is_over() && Instant::now() < until {
            let mine = self.clone();
            if needs_thread && threads::start("graceful-exit", Box::new(move || mine.work())).is_err() {
                break;
            }
            let ended = functions.ended;
            let share_ends = (Instant::now() + share).min(until);
            functions = self.wait_until(functions, share_ends, |functions| functions.ended > ended);
            needs_thread = functions.ended == ended && !functions.waiting.is_empty();
        }
        functions.given_up = true;
        let waiting = std::mem::take(&mut functions.waiting);
        let left = functions.running.iter().cloned().chain(waiting.iter().rev().map(|(name, _)| Arc::clone(name)));
        let ended = Ended { left: left.collect(), panicked: std::mem::take(&mut functions.panicked) };
        drop(functions);
        // What these have captured may take its time to drop.
        std::mem::forget(waiting);
        ended
    }

    /// Runs one after the other, until none waits.
    fn work(&self) {
        loop {
            let mut functions = self.lock();
            let Some((name, run)) = functions.waiting.pop_back() else { return };
            functions.running.push(Arc::clone(&name));
            drop(functions);
            let ran = catch_unwind(AssertUnwindSafe(run));
            let mut functions = self.lock();
            functions.running.retain(|running| *running != name);
            functions.panicked.extend(ran.err().map(|payload| (name, payload)));
            functions.ended += 1;
            self.0.1.notify_all();
        }
    }

    fn wait_until<'a>(
        &'a self,
        mut functions: MutexGuard<'a, Functions>,
        until: Instant,
        is_enough: impl Fn(&Functions) -> bool,
    ) -> MutexGuard<'a, Functions> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if is_enough(&functions) || left.is_zero() {
                return functions;
            }
            let (waited, _) = self.0.1.wait_timeout(functions, left).unwrap_or_else(PoisonError::into_inner);
            functions = waited;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Functions> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Functions {
    fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }
}

impl fmt::Debug for ExitFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExitFunctions").finish_non_exhaustive()
    }
}
