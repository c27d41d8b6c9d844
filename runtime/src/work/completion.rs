//! How a worker ended, and the result it leaves behind.

use std::any::Any;
use std::mem::needs_drop;
use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::model::failure::Failure;
use crate::model::label::{EndedAs, EntryId};
use crate::work::current;
use crate::work::current::Busy;

/// What there is to say of a worker's result.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// Nothing, or nothing more.
    Settled(EndedAs),
    /// It is this error.
    Failed(String),
}

impl Judgement {
    pub(crate) const WELL: Self = Self::Settled(EndedAs::Finished);

    #[inline]
    pub(crate) fn of(error: Option<String>) -> Self {
        error.map_or(Self::WELL, Self::Failed)
    }
}

/// How a worker's code ended.
#[derive(Debug)]
pub(crate) enum Ending<T> {
    Finished(T),
    Panicked(Box<dyn Any + Send>),
    Aborted,
}

/// What a worker leaves behind for its handle.
///
/// The worker counts as gone when its future is. Should nobody want the result, then its destructor is part
/// of the stop as well: it is waited for, and named when it blocks.
#[derive(Debug)]
pub struct Done<T> {
    ending: Option<Ending<T>>,
    entry: EntryId,
    /// Whose result it is, where dropping it runs any code.
    of: Option<Arc<Lifecycle>>,
}

impl<T> Done<T> {
    #[inline]
    pub(crate) fn new(ending: Ending<T>, life: &Arc<Lifecycle>, entry: EntryId) -> Self {
        let runs_code = needs_drop::<T>() || matches!(ending, Ending::Panicked(_));
        if runs_code {
            life.result_left(entry);
        }
        Self { ending: Some(ending), entry, of: runs_code.then(|| Arc::clone(life)) }
    }

    #[inline]
    pub(crate) fn take(mut self) -> Option<Ending<T>> {
        if let Some(life) = self.of.take() {
            life.result_taken(self.entry);
        }
        let ending = self.ending.take();
        // Nothing is left in it.
        std::mem::forget(self);
        ending
    }
}

impl<T> Drop for Done<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(life) = &self.of {
            let _dropping = Dropping::begin(life, self.entry);
            drop(self.ending.take());
        }
    }
}

/// A result being dropped, counted until that is over, by return or by panic.
struct Dropping<'a> {
    life: &'a Lifecycle,
    entry: EntryId,
    /// Somebody else's panic is unwinding this thread.
    was_panicking: bool,
    _busy: Busy,
}

impl<'a> Dropping<'a> {
    fn begin(life: &'a Arc<Lifecycle>, entry: EntryId) -> Self {
        life.result_dropping();
        let was_panicking = std::thread::panicking();
        Self { life, entry, was_panicking, _busy: current::busy_with(life, entry) }
    }
}

impl Drop for Dropping<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            let failure = Failure::destructor(self.life.subject(self.entry));
            self.life.fail_by_policy(self.entry, failure);
        }
        self.life.result_dropped(self.entry);
    }
}

impl<T> Done<T> {
    /// The same with another ending, made of this one.
    pub(crate) fn map<U>(mut self, map: impl FnOnce(Ending<T>) -> Ending<U>) -> Done<U> {
        let (of, entry) = (self.of.take(), self.entry);
        let ending = self.ending.take().unwrap_or(Ending::Aborted);
        Done { ending: Some(map(ending)), entry, of }
    }
}
