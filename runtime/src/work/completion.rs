//! The result that a worker leaves behind.

use std::mem::needs_drop;
use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::model::exit::Exit;
use crate::model::failure::Failure;
use crate::model::label::EntryId;
use crate::work::current::Busy;
use crate::work::{current, failing};

/// What a worker leaves behind for its handle.
///
/// The worker counts as gone when its future is. If no handle takes the result, its destructor is part of the
/// stop as well: the stop waits for it, and names it when it blocks.
#[derive(Debug)]
pub struct Completion<T> {
    exit: Option<Exit<T>>,
    entry: EntryId,
    /// The lifecycle that counts it, if dropping it runs any code.
    of: Option<Arc<Lifecycle>>,
}

impl<T> Completion<T> {
    #[inline]
    pub(crate) fn new(exit: Exit<T>, life: &Arc<Lifecycle>, entry: EntryId) -> Self {
        let runs_code = needs_drop::<T>() || matches!(exit, Exit::Panicked(_));
        if runs_code {
            life.result_left(entry);
        }
        Self { exit: Some(exit), entry, of: runs_code.then(|| Arc::clone(life)) }
    }

    #[inline]
    pub(crate) fn take(mut self) -> Exit<T> {
        if let Some(life) = self.of.take() {
            life.result_taken(self.entry);
        }
        let exit = self.exit.take();
        // Nothing is left in it.
        std::mem::forget(self);
        exit.unwrap_or(Exit::Aborted)
    }
}

impl<T> Drop for Completion<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(life) = &self.of {
            let _dropping = Dropping::begin(life, self.entry);
            drop(self.exit.take());
        }
    }
}

/// A result being dropped, counted until that is over, by return or by panic.
struct Dropping<'a> {
    life: &'a Lifecycle,
    entry: EntryId,
    /// Another panic was unwinding this thread already.
    was_panicking: bool,
    _busy: Busy,
}

impl<'a> Dropping<'a> {
    fn begin(life: &'a Arc<Lifecycle>, entry: EntryId) -> Self {
        life.members.begin_dropping();
        let was_panicking = std::thread::panicking();
        Self { life, entry, was_panicking, _busy: current::busy_with(life, entry) }
    }
}

impl Drop for Dropping<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            let failure = Failure::destructor(self.life.registry.get(self.entry).subject());
            failing::by_policy(self.life, self.entry, None, failure);
        }
        self.life.result_dropped(self.entry);
    }
}
