//! Stopping and aborting single workers, and those below them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use super::{BATCH, Slots};
use crate::life::orders::{Order, Orders};
use crate::life::scope::Scope;
use crate::life::shard::Slot;
use crate::life::slot_key::{SHARDS, SlotKey};
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::loom::{Mutex, MutexGuard};

/// A worker that has a slot, as code that stops it needs it.
struct Found {
    key: SlotKey,
    stage: Stage,
    has_token: bool,
    waker: Option<Waker>,
    children: Option<Arc<Scope>>,
}

impl Found {
    /// The worker knows that it is stopping as soon as this is acted upon.
    fn of(key: SlotKey, slot: &mut Slot) -> Self {
        slot.is_told = true;
        let (stage, has_token) = (slot.stage, slot.has_token);
        Self { key, stage, has_token, waker: slot.waker.clone(), children: slot.children.clone() }
    }
}

impl Slots {
    /// Stops one worker of this stage, by its task, and those below it. `tokens` are those of the stages.
    pub(crate) fn stop(&self, handle: AbortHandle, tokens: &[CancellationToken; 4]) {
        // Under this lock, so that a worker that takes its slot meanwhile is found by one of the two searches.
        let mut orders = self.lock_orders();
        match self.find(handle.id()) {
            Some(key) => {
                drop(orders);
                self.stop_slot(key, tokens);
            }
            None => orders.add(handle, Order::Stop),
        }
    }

    /// Stops the worker in this slot, and those below it.
    pub(crate) fn stop_slot(&self, key: SlotKey, tokens: &[CancellationToken; 4]) {
        let found = self.with(key, |slot| {
            slot.is_stopped = true;
            Found::of(key, slot)
        });
        let Some(found) = found else { return };
        let children = found.children.clone();
        self.tell(found, tokens);
        if let Some(children) = children {
            self.stop_scope(&children, tokens);
        }
    }

    /// Stops the members of a scope, and those below them.
    pub(crate) fn stop_scope(&self, scope: &Arc<Scope>, tokens: &[CancellationToken; 4]) {
        scope.stop();
        self.each_below(scope, |found| self.tell(found, tokens));
    }

    /// Wakes the members of a scope and those below them, whose next poll ends them.
    pub(crate) fn wake_below(&self, scope: &Arc<Scope>) {
        self.each_below(scope, |found| {
            if let Some(waker) = found.waker {
                waker.wake();
            }
        });
    }

    fn tell(&self, found: Found, tokens: &[CancellationToken; 4]) {
        if found.has_token {
            self.own_token(found.key, &tokens[found.stage.index()]).cancel();
        }
        if let Some(waker) = found.waker {
            waker.wake();
        }
    }

    /// The workers below a scope that have a slot, some at a time: nothing is done under a lock.
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
                    let is_below = slot.parent.as_ref().is_some_and(|parent| parent.is_below(scope));
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
                if slot.parent.as_ref().is_some_and(|parent| parent.is_below(scope)) {
                    *counts.entry(slot.entry).or_default() += 1;
                }
            }
        }
        counts
    }

    /// Has a worker end at its next poll, by its task. It has to be looked up then.
    pub(crate) fn abort(&self, handle: AbortHandle, pending: impl FnOnce()) {
        let task = handle.id();
        let mut orders = self.lock_orders();
        orders.add(handle, Order::Abort);
        pending();
        let key = self.find(task);
        drop(orders);
        if let Some(waker) = key.and_then(|key| self.with(key, |slot| slot.waker.clone())).flatten() {
            waker.wake();
        }
    }

    /// A scope whose members end at their next poll: until it is empty they have to look for that.
    pub(crate) fn hold_abort(&self, pending: impl FnOnce()) {
        self.lock_orders().scopes += 1;
        pending();
    }

    /// One of those is empty. `over` is called when no abort is pending any more.
    pub(crate) fn release_abort(&self, over: impl FnOnce()) {
        let mut orders = self.lock_orders();
        orders.scopes = orders.scopes.saturating_sub(1);
        if !orders.is_abort_pending() {
            over();
        }
    }

    /// Whether this worker was aborted through its handle; forgets it.
    pub(crate) fn take_abort(&self, task: Option<Id>, over: impl FnOnce()) -> bool {
        let mut orders = self.lock_orders();
        let is_aborted = orders.take(task, Order::Abort);
        if !orders.is_abort_pending() {
            over();
        }
        is_aborted
    }

    /// Whether this worker was stopped before it had a slot; forgets it.
    pub(crate) fn take_stop(&self, task: Option<Id>) -> bool {
        self.lock_orders().take(task, Order::Stop)
    }

    /// Whether the worker of this task was told to stop through its handle.
    pub(crate) fn is_singled_out(&self, task: Id) -> bool {
        let orders = self.lock_orders();
        match self.find(task) {
            Some(key) => self.is_stopped(key),
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
