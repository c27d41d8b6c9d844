//! Where other code finds a worker that waits: a worker takes a slot when it first returns `Pending`.
//!
//! A slot holds what other code needs of the worker: how to wake it, how long it has had the slot, whether it was
//! stopped, and its scopes. A worker that neither waits nor asks about its stop takes none. Only wakers of tokio's own
//! tasks are kept here, so waking all workers runs no code of the user's.

#[path = "slots/stopping.rs"]
mod stopping;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::task::Id;
use tokio_util::sync::CancellationToken;

use crate::life::orders::Orders;
use crate::life::scope::{Kin, Scope};
use crate::life::shard::{Moment, Place, Shard, Slot, Told};
use crate::life::slot_key::{SHARDS, SlotKey};
use crate::life::slot_tokens::SlotTokens;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::loom::{Mutex, MutexGuard};

/// How many wakers are copied out of a shard at a time. They are called outside the lock.
const BATCH: usize = 64;

/// The workers of one entry that have a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parked {
    pub(crate) count: u64,
    /// How many of them have not been told to stop, because their stage is a later one.
    pub(crate) untold: u64,
    /// How long ago the first of them took its slot.
    pub(crate) oldest: Duration,
    /// How long ago the one that has waited longest was last polled. Zero if all are being polled.
    pub(crate) unpolled: Duration,
    /// How long ago the one that has made no progress for longest last made some, of those that say so.
    pub(crate) progress: Option<Duration>,
}

/// All slots of a lifecycle.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    shards: [Mutex<Shard>; SHARDS as usize],
    /// The own tokens of workers that have one. Never locked under a shard's lock.
    tokens: [SlotTokens; SHARDS as usize],
    /// Stops and aborts that single workers have not seen yet.
    orders: Mutex<Orders>,
}

impl Slots {
    /// Takes a slot in the shard this thread prefers, for a worker that is woken by this waker, if it has one yet.
    #[inline]
    pub(crate) fn take(
        &self,
        preferred: u32,
        entry: EntryId,
        stage: Stage,
        task: Option<Id>,
        kin: &Kin,
        waker: Option<&Waker>,
    ) -> SlotKey {
        let (number, now) = (preferred % SHARDS, Moment::now());
        let mut shard = self.lock(number as usize);
        let index = shard.free_place();
        if shard.by_task.is_some() {
            shard.note_task(task, index);
        }
        let place = &mut shard.places[index as usize];
        place.slot = Some(Slot {
            entry,
            stage,
            since: now,
            polled: now,
            has_token: false,
            told: Told::No,
            waker: waker.cloned(),
            task,
            scope: kin.children.as_ref().or(kin.parent.as_ref()).cloned(),
            owns_scope: kin.children.is_some(),
        });
        SlotKey::new(index * SHARDS + number, place.taken)
    }

    /// Stores the worker's waker until the worker leaves the slot.
    pub(crate) fn set_waker(&self, key: SlotKey, waker: &Waker) {
        self.with(key, |slot| slot.waker = Some(waker.clone()));
    }

    /// From now on the worker starts others in this scope, which is stopped at once if the worker was.
    pub(crate) fn set_children(&self, key: SlotKey, children: &Arc<Scope>) {
        let before = self.with(key, |slot| {
            slot.owns_scope = true;
            (slot.told == Told::ByItsHandle, slot.scope.replace(Arc::clone(children)))
        });
        if let Some((true, _)) = before {
            children.stop();
        }
    }

    /// The worker is gone. `is_quiet`: no worker was stopped apart from its stage, so this one was not. Code that stops one
    /// notes that before it searches the slots: a worker that it stops now has ended before.
    #[inline]
    pub(crate) fn leave(&self, key: SlotKey, is_quiet: bool) {
        let mut shard = self.lock(key.shard());
        let Some(slot) = shard.place(key).and_then(Place::vacate) else {
            return;
        };
        shard.free.push(key.index());
        if !shard.progress.is_empty() || shard.by_task.is_some() {
            shard.forget(slot.task, key.index());
        }
        drop(shard);
        let was_stopped = !is_quiet && slot.is_stopped_by_flag();
        if was_stopped || slot.has_token {
            self.tokens[key.shard()].leave(key.index(), key.generation(), was_stopped);
        }
        // A waker's last clone may free a task: not under our lock.
        let Slot { waker, scope, .. } = slot;
        drop((waker, scope));
    }

    /// Whether the worker was stopped apart from its stage: through its handle, its token or a worker above it.
    pub(crate) fn is_stopped(&self, key: SlotKey) -> bool {
        match self.with(key, |slot| (slot.is_stopped_by_flag(), slot.has_token)) {
            Some((true, _)) => true,
            Some((false, false)) => false,
            Some((false, true)) | None => self.tokens[key.shard()].is_stopped(key.index(), key.generation()),
        }
    }

    /// The worker's own token, made now if this is the first time: a child of `stage`'s.
    pub(crate) fn own_token(&self, key: SlotKey, stage: &CancellationToken) -> CancellationToken {
        if self.with(key, |slot| slot.has_token = true).is_none() {
            return stage.child_token();
        }
        let token = self.tokens[key.shard()].own(key.index(), key.generation(), stage);
        if self.with(key, |slot| slot.is_stopped_by_flag()).unwrap_or(false) {
            token.cancel();
        }
        token
    }

    /// Notes that the worker was polled. Called once a second at the most.
    #[cold]
    pub(crate) fn note_polled(&self, key: SlotKey) {
        let now = Moment::now();
        self.with(key, |slot| slot.polled = now);
    }

    /// Notes that the worker has made progress.
    pub(crate) fn note_progress(&self, key: SlotKey) {
        let now = Moment::now();
        let mut shard = self.lock(key.shard());
        if shard.place(key).is_some() {
            shard.progress.insert(key.index(), now);
        }
    }

    /// How long it is since the last one made progress, of the workers that say so.
    pub(crate) fn since_progress(&self) -> Option<Duration> {
        let now = Moment::now();
        let longest = |number| self.lock(number).progress.values().map(|moment| moment.age(now)).max();
        (0..self.shards.len()).filter_map(longest).max()
    }

    /// Notes that the worker has seen that it is stopping, whatever has stopped it.
    pub(crate) fn note_told(&self, key: SlotKey) {
        self.with(key, |slot| slot.told = slot.told.max(Told::Yes));
    }

    /// Wakes the parked workers that `are_meant` selects by entry and stage. A worker that parks meanwhile checks for
    /// itself.
    pub(crate) fn wake_those(&self, are_meant: &mut dyn FnMut(EntryId, Stage) -> bool) {
        // On the stack: the first allocation of a thread takes longer than all the rest.
        let mut wakers = [const { None::<Waker> }; BATCH];
        for number in 0..self.shards.len() {
            let mut from = 0;
            loop {
                let shard = self.lock(number);
                let rest = shard.places.get(from..).unwrap_or_default();
                let batch = &rest[..rest.len().min(BATCH)];
                let slots = batch.iter().filter_map(|place| place.slot.as_ref());
                let meant = slots.filter(|slot| are_meant(slot.entry, slot.stage));
                let mut found = 0;
                for (waker, place) in meant.filter_map(|slot| slot.waker.as_ref()).zip(&mut wakers) {
                    *place = Some(waker.clone());
                    found += 1;
                }
                from += batch.len();
                let done = batch.len() == rest.len();
                drop(shard);
                for waker in wakers[..found].iter_mut().filter_map(Option::take) {
                    waker.wake();
                }
                if done {
                    break;
                }
            }
        }
    }

    /// The workers that have a slot, by entry. `polled` are those inside a poll; `is_told` says which stages have been told
    /// to stop.
    pub(crate) fn tally(&self, polled: &[SlotKey], is_told: impl Fn(Stage) -> bool) -> HashMap<EntryId, Parked> {
        let now = Moment::now();
        let mut tally = HashMap::<_, Parked>::new();
        for number in 0..self.shards.len() {
            let shard = self.lock(number);
            let slots =
                (0..).zip(&shard.places).filter_map(|(index, place)| Some((index, place, place.slot.as_ref()?)));
            for (index, place, slot) in slots {
                let key = SlotKey::new(index * SHARDS + u32::try_from(number).unwrap_or(0), place.taken);
                let progress = shard.progress.get(&index).map(|moment| moment.age(now));
                let entry = tally.entry(slot.entry).or_default();
                entry.count += 1;
                entry.untold += u64::from(slot.told == Told::No && !is_told(slot.stage));
                entry.oldest = entry.oldest.max(slot.since.age(now));
                if !polled.contains(&key) {
                    entry.unpolled = entry.unpolled.max(slot.polled.age(now));
                }
                entry.progress = entry.progress.max(progress);
            }
        }
        tally
    }

    pub(super) fn with<T>(&self, key: SlotKey, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.lock(key.shard()).place(key).and_then(|place| place.slot.as_mut()).map(act)
    }

    #[inline]
    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
