//! Where waiting workers are found: a worker that first returns `Pending` takes a slot.
//!
//! A slot holds what others need of a worker while it waits: how to wake it, since when it runs, and the
//! token it stops by. A worker that never waits takes none. Only wakers of tokio's own tasks are kept
//! here, so that waking everybody runs no code of the user's.

use std::collections::{HashMap, HashSet};
use std::iter::successors;
use std::sync::{OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use crate::life::descent::{Early, Ended, Parent};
use crate::life::shard::{Place, Shard, Slot};
use crate::life::slot_key::{SHARDS, SlotKey};
use crate::life::slot_tokens::SlotTokens;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::loom::{Mutex, MutexGuard};

/// How many wakers are copied out of a shard at a time. They are called outside the lock.
const BATCH: usize = 64;

/// The workers of one function that have a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parked {
    pub(crate) count: u64,
    /// How many of them have not been told to stop, their stage being a later one.
    pub(crate) untold: u64,
    /// How long ago the first of them took its slot.
    pub(crate) oldest: Duration,
}

/// All slots of a lifecycle.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// When the first slot was taken.
    first: OnceLock<Instant>,
    shards: [Mutex<Shard>; SHARDS as usize],
    /// What stops those that have a token. Never asked under a shard's lock.
    tokens: [SlotTokens; SHARDS as usize],
    /// Workers stopped one by one before they had a slot.
    early: Mutex<Early>,
    /// Workers whose handles stop their children, and nobody else any more.
    ended: Mutex<Ended>,
}

impl Slots {
    /// Takes a slot in the shard this thread prefers.
    pub(crate) fn take(
        &self,
        preferred: u32,
        entry: EntryId,
        stage: Stage,
        task: Option<Id>,
        parent: Option<Parent>,
    ) -> SlotKey {
        let (token, parent) = match parent {
            Some(Parent { token, task }) => (Some(token), task),
            None => (None, None),
        };
        let number = preferred % SHARDS;
        let mut shard = self.lock(number as usize);
        let index = shard.free_place();
        if let (Some(by_task), Some(task)) = (&mut shard.by_task, task) {
            by_task.insert(task, index);
        }
        let place = &mut shard.places[index as usize];
        place.slot = Some(Slot {
            entry,
            stage,
            since: self.millis(),
            has_token: token.is_some(),
            is_told: false,
            waker: None,
            task,
            parent,
            has_children: false,
        });
        let key = SlotKey::new(index * SHARDS + number, place.taken);
        drop(shard);
        if let Some(token) = token {
            self.tokens[key.shard()].set_parents(key.index(), key.generation(), token);
        }
        key
    }

    /// The slot that was taken for a child before it ran is this task's.
    pub(crate) fn claim(&self, key: SlotKey, task: Option<Id>) {
        let mut shard = self.lock(key.shard());
        if let Some(place) = shard.place(key)
            && let Some(slot) = &mut place.slot
        {
            slot.task = task;
            if let (Some(by_task), Some(task)) = (&mut shard.by_task, task) {
                by_task.insert(task, key.index());
            }
        }
    }

    /// Leaves how to wake the worker, for as long as it sits here.
    pub(crate) fn set_waker(&self, key: SlotKey, waker: &Waker) {
        self.with(key, |slot| slot.waker = Some(waker.clone()));
    }

    pub(crate) fn leave(&self, key: SlotKey) {
        let mut shard = self.lock(key.shard());
        let Some(slot) = shard.place(key).and_then(Place::vacate) else {
            return;
        };
        shard.free.push(key.index());
        if let (Some(by_task), Some(task)) = (&mut shard.by_task, slot.task) {
            by_task.remove(&task);
        }
        drop(shard);
        if let (true, Some(task)) = (slot.has_children, slot.task) {
            self.note_ended_parent(task, slot.parent);
        }
        if slot.has_token {
            self.tokens[key.shard()].leave(key.index(), key.generation());
        }
        // A waker's last clone may free a task: not under our lock.
        drop(slot);
    }

    /// Whether the worker was stopped apart from its stage: through its handle, its token or its parent.
    pub(crate) fn is_stopped(&self, key: SlotKey) -> bool {
        self.tokens[key.shard()].is_stopped(key.index(), key.generation())
    }

    /// The worker's own token, made now if this is the first time: a child of its parent's or of `stage`.
    pub(crate) fn own_token(&self, key: SlotKey, stage: &CancellationToken) -> CancellationToken {
        if self.with(key, |slot| slot.has_token = true).is_some() {
            self.tokens[key.shard()].own(key.index(), key.generation(), stage)
        } else {
            stage.child_token()
        }
    }

    /// The worker in this slot spawns another one. Returns its task.
    pub(crate) fn spawns(&self, key: SlotKey) -> Option<Id> {
        self.with(key, |slot| {
            slot.has_children = true;
            slot.task
        })
        .flatten()
    }

    /// Keeps in mind whose child it was, for as long as it has any of its own.
    #[cold]
    fn note_ended_parent(&self, task: Id, parent: Option<Id>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.parents.insert(task, parent);
        if ended.parents.len() > 2 * ended.swept {
            self.sweep(&mut ended);
        }
    }

    /// Forgets those that nobody descends from any more.
    fn sweep(&self, ended: &mut Ended) {
        let mut wanted = HashSet::new();
        for number in 0..self.shards.len() {
            let shard = self.lock(number);
            let slots = shard.places.iter().filter_map(|place| place.slot.as_ref());
            for parent in slots.map(|slot| slot.parent) {
                let line = successors(parent, |one| ended.parents.get(one).copied().flatten());
                wanted.extend(line);
            }
        }
        ended.parents.retain(|task, _| wanted.contains(task));
        ended.swept = ended.parents.len().max(16);
    }

    /// Stops the workers that come from one that has ended.
    fn stop_children(&self, task: Id, tokens: &[CancellationToken; 4]) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !ended.parents.contains_key(&task) {
            return;
        }
        let mut children = Vec::new();
        for number in 0..self.shards.len() {
            let shard = self.lock(number);
            let first = u32::try_from(number).unwrap_or(0);
            for (place, number) in shard.places.iter().zip((first..).step_by(SHARDS as usize)) {
                let slot = place.slot.as_ref();
                if let Some(slot) = slot.filter(|slot| ended.descends(slot.parent, task)) {
                    children.push((SlotKey::new(number, place.taken), slot.stage));
                }
            }
        }
        drop(ended);
        for (key, stage) in children {
            self.stop_slot(key, &tokens[stage.index()]);
        }
    }

    /// The worker knows that it is to stop, whoever told it.
    pub(crate) fn note_told(&self, key: SlotKey) {
        self.with(key, |slot| slot.is_told = true);
    }

    fn stop_slot(&self, key: SlotKey, stage: &CancellationToken) {
        self.note_told(key);
        self.own_token(key, stage).cancel();
        // Whoever waits by the slot alone does not hear the token.
        if let Some(waker) = self.with(key, |slot| slot.waker.clone()).flatten() {
            waker.wake();
        }
    }

    /// Stops one worker of this stage, by its task, and those it has spawned. `tokens` are those of the stages.
    pub(crate) fn stop(&self, handle: AbortHandle, stage: Stage, tokens: &[CancellationToken; 4]) {
        // Under this lock, so that a worker that takes its slot meanwhile is found by one of the two looks.
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (0..)
            .zip(&self.shards)
            .find_map(|(number, shard)| shard.lock().unwrap_or_else(PoisonError::into_inner).find(handle.id(), number));
        if let Some(key) = found {
            drop(early);
            self.stop_slot(key, &tokens[stage.index()]);
        } else {
            let task = handle.id();
            early.add(handle);
            drop(early);
            self.stop_children(task, tokens);
        }
    }

    /// Whether this worker was stopped before it had a slot; forgets it.
    pub(crate) fn was_stopped_early(&self, task: Option<Id>) -> bool {
        let Some(task) = task else { return false };
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        early.tasks.remove(&task).is_some()
    }

    /// Wakes everybody of a stage who waits. New ones that sit down meanwhile look for themselves.
    pub(crate) fn wake(&self, stage: Stage) {
        self.wake_those(|_, of| of == stage);
    }

    /// Wakes those who wait, by entry and stage.
    pub(crate) fn wake_those(&self, mut are_meant: impl FnMut(EntryId, Stage) -> bool) {
        // On the stack: the first allocation of a thread takes longer than all the rest.
        let mut wakers = [const { None::<Waker> }; BATCH];
        for number in 0..self.shards.len() {
            let mut from = 0;
            loop {
                let shard = self.lock(number);
                let rest = shard.places.get(from..).unwrap_or_default();
                let batch = &rest[..rest.len().min(BATCH)];
                for (place, waker) in batch.iter().zip(&mut wakers) {
                    let slot = place.slot.as_ref();
                    let meant = slot.filter(|slot| are_meant(slot.entry, slot.stage));
                    *waker = meant.and_then(|slot| slot.waker.clone());
                }
                from += batch.len();
                let done = batch.len() == rest.len();
                drop(shard);
                for waker in wakers.iter_mut().filter_map(Option::take) {
                    waker.wake();
                }
                if done {
                    break;
                }
            }
        }
    }

    /// Who sits, by function. `is_told` says which stages have been told to stop.
    pub(crate) fn tally(&self, is_told: impl Fn(Stage) -> bool) -> HashMap<EntryId, Parked> {
        let now = self.millis();
        let mut tally = HashMap::new();
        for number in 0..self.shards.len() {
            let shard = self.lock(number);
            for slot in shard.places.iter().filter_map(|place| place.slot.as_ref()) {
                if !slot.is_taken_in_person() {
                    continue;
                }
                let age = Duration::from_millis(now.saturating_sub(slot.since).into());
                let entry = tally.entry(slot.entry).or_insert(Parked { count: 0, untold: 0, oldest: age });
                entry.count += 1;
                entry.untold += u64::from(!slot.is_told && !is_told(slot.stage));
                entry.oldest = entry.oldest.max(age);
            }
        }
        tally
    }

    fn millis(&self) -> u32 {
        let age = self.first.get_or_init(Instant::now).elapsed();
        u32::try_from(age.as_millis()).unwrap_or(u32::MAX)
    }

    fn with<T>(&self, key: SlotKey, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.lock(key.shard()).place(key).and_then(|place| place.slot.as_mut()).map(act)
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
