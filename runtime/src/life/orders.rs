//! Orders that single workers have not seen yet: a stop of a worker without a slot, or an abort.

use std::collections::HashMap;

use tokio::task::{AbortHandle, Id};

/// What a worker has not seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Stop,
    Abort,
}

/// By task, until the worker sees its order or has ended.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    stops: Tasks,
    aborts: Tasks,
    /// How many scopes are aborted and not empty.
    pub(crate) scopes: usize,
}

/// Tasks, of which those that have ended are swept out as the map grows.
#[derive(Debug, Default)]
struct Tasks {
    by_id: HashMap<Id, AbortHandle>,
    /// How many there were after the last sweep.
    swept: usize,
    /// How often one of them was asked for since then.
    asked: usize,
}

impl Orders {
    pub(crate) fn add(&mut self, handle: AbortHandle, order: Order) {
        self.of(order).add(handle);
    }

    pub(crate) fn take(&mut self, task: Option<Id>, order: Order) -> bool {
        let tasks = self.of(order);
        let found = task.is_some_and(|task| tasks.by_id.remove(&task).is_some());
        // One that ended without asking would keep all others asking.
        tasks.asked += 1;
        if tasks.asked > tasks.by_id.len() {
            tasks.sweep();
        }
        found
    }

    /// Whether this task has an order that it has not seen.
    pub(crate) fn has(&self, task: Id) -> bool {
        [&self.stops, &self.aborts].iter().any(|tasks| tasks.by_id.contains_key(&task))
    }

    /// Whether workers must check for an abort at their next poll.
    pub(crate) fn is_abort_pending(&self) -> bool {
        self.scopes > 0 || !self.aborts.by_id.is_empty()
    }

    fn of(&mut self, order: Order) -> &mut Tasks {
        match order {
            Order::Stop => &mut self.stops,
            Order::Abort => &mut self.aborts,
        }
    }
}

impl Tasks {
    fn add(&mut self, handle: AbortHandle) {
        if self.by_id.len() > 2 * self.swept {
            self.sweep();
        }
        if !handle.is_finished() {
            self.by_id.insert(handle.id(), handle);
        }
    }

    fn sweep(&mut self) {
        self.by_id.retain(|_, handle| !handle.is_finished());
        self.swept = self.by_id.len().max(16);
        self.asked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_ended_without_a_slot_are_swept_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            let mut orders = Orders::default();
            for _ in 0..1000 {
                let task = tokio::spawn(async {});
                orders.add(task.abort_handle(), Order::Stop);
                task.await.expect("it does not panic");
            }
            assert!(orders.stops.by_id.len() <= 33, "{}", orders.stops.by_id.len());

            let tasks: Vec<_> = (0..100).map(|_| tokio::spawn(std::future::pending::<()>())).collect();
            for task in &tasks {
                orders.add(task.abort_handle(), Order::Stop);
            }
            assert!(tasks.iter().all(|task| orders.take(Some(task.id()), Order::Stop)));

            let gone = tokio::spawn(async {});
            orders.add(gone.abort_handle(), Order::Abort);
            gone.await.expect("it does not panic");
            assert!(orders.is_abort_pending());
            assert!(!orders.take(None, Order::Abort) && !orders.take(None, Order::Abort));
            assert!(!orders.is_abort_pending(), "it ended without asking");
        });
    }
}
