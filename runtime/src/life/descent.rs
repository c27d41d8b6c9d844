//! Whom a worker comes from, and those that were stopped before they had a slot.

use std::collections::HashMap;
use std::iter::successors;

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

/// Whom a worker was spawned by: what stops it, and the task.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) token: CancellationToken,
    pub(crate) task: Option<Id>,
}

/// Workers that have ended and had children, each with whom it was spawned by.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) parents: HashMap<Id, Option<Id>>,
    /// How many there were after the last sweep.
    pub(crate) swept: usize,
}

impl Ended {
    /// Whether `ancestor` is among those that a worker with this parent comes from, by way of workers that have ended.
    pub(crate) fn descends(&self, parent: Option<Id>, ancestor: Id) -> bool {
        let mut line = successors(parent, |one| self.parents.get(one).copied().flatten());
        line.any(|one| one == ancestor)
    }
}

/// Workers stopped one by one before they had a slot.
#[derive(Debug, Default)]
pub(crate) struct Early {
    pub(crate) tasks: HashMap<Id, AbortHandle>,
    /// How many there were after the last sweep.
    pub(crate) swept: usize,
}

impl Early {
    /// Keeps in mind that this one is to stop. Those that ended without a slot are swept out as the map grows.
    pub(crate) fn add(&mut self, handle: AbortHandle) {
        if self.tasks.len() > 2 * self.swept {
            self.tasks.retain(|_, handle| !handle.is_finished());
            self.swept = self.tasks.len().max(16);
        }
        if !handle.is_finished() {
            self.tasks.insert(handle.id(), handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_ended_without_a_seat_are_not_kept_in_mind() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            let mut early = Early::default();
            for _ in 0..1000 {
                let task = tokio::spawn(async {});
                early.add(task.abort_handle());
                task.await.expect("it does not panic");
            }
            assert!(early.tasks.len() <= 33, "{}", early.tasks.len());

            let tasks: Vec<_> = (0..100).map(|_| tokio::spawn(std::future::pending::<()>())).collect();
            for task in &tasks {
                early.add(task.abort_handle());
            }
            assert!(tasks.iter().all(|task| early.tasks.contains_key(&task.id())));
        });
    }
}
