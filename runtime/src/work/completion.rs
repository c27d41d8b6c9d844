//! The result that a worker leaves behind.

use std::mem::needs_drop;
use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::model::exit::Exit;
use crate::model::failure::{Failure, FailureKind};
use crate::model::label::EntryId;
use crate::work::current::Busy;
use crate::work::{current, failing};

/// What a worker leaves behind for its handle, until that takes it. Small where all was well: tokio moves it a few times.
///
/// The worker counts as gone when its future is. If no handle takes the result, its destructor is part of the
/// stop as well: the stop waits for it, and names it when it blocks.
#[derive(Debug)]
pub struct Completion<T>(Option<Left<T>>);

/// The lifecycle in it counts it: there is one if dropping it runs any code.
#[derive(Debug)]
enum Left<T> {
    Well(T, EntryId, Option<Arc<Lifecycle>>),
    Otherwise(Box<(Exit<T>, EntryId, Option<Arc<Lifecycle>>)>),
}

impl<T> Completion<T> {
    #[inline]
    pub(crate) fn of_result(result: T, life: &Arc<Lifecycle>, entry: EntryId) -> Self {
        Self(Some(Left::Well(result, entry, needs_drop::<T>().then(|| count(life, entry)))))
    }

    #[cold]
    pub(crate) fn of_exit(exit: Exit<T>, life: &Arc<Lifecycle>, entry: EntryId) -> Self {
        let runs_code = needs_drop::<T>() || matches!(exit, Exit::Panicked(_));
        Self(Some(Left::Otherwise(Box::new((exit, entry, runs_code.then(|| count(life, entry)))))))
    }

    /// The result, if all was well; else how the worker has ended.
    #[inline]
    pub(crate) fn take(mut self) -> Result<T, Exit<T>> {
        let left = self.0.take();
        // Nothing is left in it.
        std::mem::forget(self);
        match left {
            Some(Left::Well(result, entry, life)) => {
                if let Some(life) = life {
                    life.result_taken(entry);
                }
                Ok(result)
            }
            Some(Left::Otherwise(left)) => Err(take_exit(*left)),
            None => Err(Exit::Aborted),
        }
    }
}

#[cold]
fn take_exit<T>((exit, entry, life): (Exit<T>, EntryId, Option<Arc<Lifecycle>>)) -> Exit<T> {
    if let Some(life) = life {
        life.result_taken(entry);
    }
    exit
}

/// Counts a result that is left behind.
fn count(life: &Arc<Lifecycle>, entry: EntryId) -> Arc<Lifecycle> {
    life.result_left(entry);
    Arc::clone(life)
}

impl<T> Drop for Completion<T> {
    #[inline]
    fn drop(&mut self) {
        match self.0.take() {
            Some(Left::Well(result, entry, Some(life))) => drop_counted(result, &life, entry),
            Some(Left::Otherwise(left)) => {
                let (exit, entry, life) = *left;
                if let Some(life) = life {
                    drop_counted(exit, &life, entry);
                }
            }
            _ => {}
        }
    }
}

#[cold]
fn drop_counted<T>(left: T, life: &Arc<Lifecycle>, entry: EntryId) {
    let _dropping = Dropping::begin(life, entry);
    drop(left);
}

/// A result being dropped, counted until that is over, by return or by panic.
struct Dropping<'a> {
    life: &'a Lifecycle,
    entry: EntryId,
    /// Another panic was unwinding this thread already.
    was_panicking: bool,
    busy: Option<Busy>,
}

impl<'a> Dropping<'a> {
    fn begin(life: &'a Arc<Lifecycle>, entry: EntryId) -> Self {
        life.members.begin_dropping();
        let was_panicking = std::thread::panicking();
        Self { life, entry, was_panicking, busy: Some(current::busy_with(life, entry)) }
    }
}

impl Drop for Dropping<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            let failure = Failure::new(self.life.registry.get(self.entry).subject(), FailureKind::Destructor);
            failing::by_policy(self.life, self.entry, None, failure);
        }
        // First, for the stop goes on when the result is dropped, and its report names what a thread is busy with.
        self.busy = None;
        self.life.result_dropped(self.entry);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;
    use crate::model::label::Label;
    use crate::run::test::unit;

    #[test]
    fn no_thread_is_busy_with_a_result_that_is_dropped() {
        let life = unit::lifecycle();
        let entry = life.registry.start_named(0, Label::at("consume".into(), Location::caller()));
        let (send, results) = channel::<Completion<String>>();
        let drops = thread::spawn(move || results.into_iter().for_each(drop));
        for _ in 0..2_000 {
            let result = Completion::of_result("error".to_owned(), &life, entry);
            send.send(result).expect("it receives");
            while !life.members.are_results_gone() {
                std::hint::spin_loop();
            }
            assert!(life.polls().is_empty());
        }
        drop(send);
        drops.join().expect("it does not panic");
    }
}
