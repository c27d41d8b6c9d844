//! Stopping and aborting single workers, and the workers below them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use super::{BATCH, Slots};
use crate::life::orders::{Order, Orders};
use crate::life::scope::Scope;
use crate::life::shard::{Slot, Told};
use crate::life::slot_key::{SHARDS, SlotKey};
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::loom::{Mutex, MutexGuard};

/// What code that stops a worker needs of its slot.
struct Found {
    key: SlotKey,
    stage: Stage,
    has_token: bool,
    waker: Option<Waker>,
    children: Option<Arc<Scope>>,
}

impl Found {
    /// Marks the worker as told: the caller stops or aborts it next.
    fn of(key: SlotKey, slot: &mut Slot) -> Self {
        slot.told = slot.told.max(Told::Yes);
        let (stage, has_token) = (slot.stage, slot.has_token);
        Self { key, stage, has_token, waker: slot.waker.clone(), children: slot.children().cloned() }
    }
}

impl Slots {
    /// Stops the worker of this task, and the workers below it. `tokens` are those of the stages.
    pub(crate) fn stop(&self, handle: AbortHandle, tokens: &[CancellationToken; 4]) {
        // Under this lock: a worker that takes its slot meanwhile is found here, or it finds its order.
        let mut orders = self.lock_orders();
        match self.find(handle.id()) {
            Some(key) => {
                drop(orders);
                self.stop_slot(key, tokens);
            }
            None => orders.add(handle, Order::Stop),
        }
    }

    /// Stops the worker in this slot, and the workers below it.
    pub(crate) fn stop_slot(&self, key: SlotKey, tokens: &[CancellationToken; 4]) {
        let found = self.with(key, |slot| {
            slot.told = Told::ByItsHandle;
            Found::of(key, slot)
        });
        let Some(found) = found else { return };
        let children = found.children.clone();
        self.tell(found, tokens);
        if let Some(children) = children {
            self.stop_scope(&children, tokens);
        }
    }

    /// Stops the members of a scope, and the workers below them.
    pub(crate) fn stop_scope(&self, scope: &Arc<Scope>, tokens: &[CancellationToken; 4]) {
        // Rule 4 of a scope: the flag, then the search.
        scope.stop();
        self.tell_below(scope, tokens);
    }

    /// Tells the members of a scope that is stopped or aborted, and the workers below them.
    pub(crate) fn tell_below(&self, scope: &Arc<Scope>, tokens: &[CancellationToken; 4]) {
        self.each_below(scope, |found| self.tell(found, tokens));
    }

    fn tell(&self, found: Found, tokens: &[CancellationToken; 4]) {
        if found.has_token {
            self.own_token(found.key, &tokens[found.stage.index()]).cancel();
        }
        if let Some(waker) = found.waker {
            waker.wake();
        }
    }

    /// Calls `act` for each worker below a scope that has a slot, in batches: not under a lock.
    fn each_below(&self, scope: &Arc<Scope>, mut act: impl FnMut(Found)) {
        for number in 0..self.shards.len() {
            let first = u32::try_from(number).unwrap_or(0);
            let mut from = 0;
            loop {
                let mut shard = self.lock(number);
                let rest = shard.places.get_mut(from..).unwrap_or_default();
                let length = rest.len().min(BATCH);
                let batch = rest[..length].iter_mut().enumerate().filter_map(|(offset, place)| {
                    let slot = place.slot.as_mut()?;
                    let is_below = slot.parent().is_some_and(|parent| parent.is_below(scope));
                    let index = u32::try_from(from + offset).unwrap_or(0);
                    is_below.then(|| Found::of(SlotKey::new(index * SHARDS + first, place.taken), slot))
                });
                let found: Vec<_> = batch.collect();
                drop(shard);
                found.into_iter().for_each(&mut act);
                if length < BATCH {
                    break;
                }
                from += length;
            }
        }
    }

    /// How many workers of each entry below this scope have a slot.
    pub(crate) fn count_below(&self, scope: &Arc<Scope>) -> HashMap<EntryId, u64> {
        let mut counts = HashMap::new();
        for number in 0..self.shards.len() {
            let shard = self.lock(number);
            for slot in shard.places.iter().filter_map(|place| place.slot.as_ref()) {
                if slot.parent().is_some_and(|parent| parent.is_below(scope)) {
                    *counts.entry(slot.entry).or_default() += 1;
                }
            }
        }
        counts
    }

    /// Ends the worker of this task at its next poll. `pending` makes polls check for the order. Returns the scope of what
    /// the worker has started, if it has a slot.
    pub(crate) fn abort(&self, handle: AbortHandle, pending: impl FnOnce()) -> Option<Arc<Scope>> {
        let task = handle.id();
        let mut orders = self.lock_orders();
        orders.add(handle, Order::Abort);
        pending();
        let key = self.find(task);
        drop(orders);
        let (waker, children) = self.with(key?, |slot| (slot.waker.clone(), slot.children().cloned()))?;
        if let Some(waker) = waker {
            waker.wake();
        }
        children
    }

    /// Counts a scope as aborted: until it is empty, its members check for that at each poll.
    pub(crate) fn hold_abort(&self, pending: impl FnOnce()) {
        self.lock_orders().scopes += 1;
        pending();
    }

    /// An aborted scope is empty. Calls `over` if no abort is pending any more.
    pub(crate) fn release_abort(&self, over: impl FnOnce()) {
        let mut orders = self.lock_orders();
        orders.scopes = orders.scopes.saturating_sub(1);
        if !orders.is_abort_pending() {
            over();
        }
    }

    /// Whether this worker was aborted through its handle; removes the order.
    pub(crate) fn take_abort(&self, task: Option<Id>, over: impl FnOnce()) -> bool {
        let mut orders = self.lock_orders();
        let is_aborted = orders.take(task, Order::Abort);
        if !orders.is_abort_pending() {
            over();
        }
        is_aborted
    }

    /// Whether this worker was stopped before it had a slot; removes the order.
    pub(crate) fn take_stop(&self, task: Option<Id>) -> bool {
        self.lock_orders().take(task, Order::Stop)
    }

    /// Whether the worker of this task was stopped apart from its stage, or has an order that it has not seen.
    pub(crate) fn is_singled_out(&self, task: Id) -> bool {
        let orders = self.lock_orders();
        match self.find(task) {
            Some(key) => orders.has(task) || self.is_stopped(key),
            None => orders.has(task),
        }
    }

    fn find(&self, task: Id) -> Option<SlotKey> {
        let lock = |shard| Mutex::lock(shard).unwrap_or_else(PoisonError::into_inner);
        (0..).zip(&self.shards).find_map(|(number, shard)| lock(shard).find(task, number))
    }

    fn lock_orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
