//! A part of the slots, under one lock.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::task::Id;

use crate::life::scope::Scope;
use crate::life::slot_key::{SHARDS, SlotKey};
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::sys;

/// Room for a slot. Places are never freed: a worker that leaves makes room for the next.
#[derive(Debug)]
pub(crate) struct Place {
    /// One more than how often it was taken before.
    pub(crate) taken: NonZeroU32,
    pub(crate) slot: Option<Slot>,
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) entry: EntryId,
    pub(crate) stage: Stage,
    /// It has a token of its own.
    pub(crate) has_token: bool,
    pub(crate) told: Told,
    /// When it was taken.
    pub(crate) since: Moment,
    /// When the worker was last polled, to the second.
    pub(crate) polled: Moment,
    /// Set once the worker waits.
    pub(crate) waker: Option<Waker>,
    /// The tokio task; main has none.
    pub(crate) task: Option<Id>,
    /// The scope of what it has started; before it has started anything, the scope that it belongs to.
    pub(crate) scope: Option<Arc<Scope>>,
    /// Whether that is its own.
    pub(crate) owns_scope: bool,
}

/// A moment on the coarse clock, in units of 16 ms: a quarter of an `Instant`, of which there may be millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u32);

impl Moment {
    #[allow(clippy::cast_possible_truncation)] // it begins anew after two years
    pub(crate) fn now() -> Self {
        Self((sys::coarse_millis() / 16) as u32)
    }

    /// How long before `now` it was: nothing, if it is the later one of the two.
    pub(crate) fn age(self, now: Self) -> Duration {
        let units = now.0.wrapping_sub(self.0);
        let is_later = units > u32::MAX / 2;
        if is_later { Duration::ZERO } else { Duration::from_millis(u64::from(units) * 16) }
    }
}

/// Whether a worker was told to stop apart from its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    No,
    /// Through its token, or with a worker above it.
    Yes,
    /// Through its handle.
    ByItsHandle,
}

impl Slot {
    /// Whether it was stopped through its handle, or a worker above it was.
    pub(crate) fn is_stopped_by_flag(&self) -> bool {
        self.told == Told::ByItsHandle || self.parent().is_some_and(Scope::is_line_stopped)
    }

    /// The scope that it belongs to.
    pub(crate) fn parent(&self) -> Option<&Arc<Scope>> {
        let scope = self.scope.as_ref()?;
        if self.owns_scope { scope.parent() } else { Some(scope) }
    }

    /// The scope of what it has started.
    pub(crate) fn children(&self) -> Option<&Arc<Scope>> {
        self.scope.as_ref().filter(|_| self.owns_scope)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(crate) places: Vec<Place>,
    pub(crate) free: Vec<u32>,
    /// When the workers that say so last made progress, by place.
    pub(crate) progress: BTreeMap<u32, Moment>,
    /// Places by task, from the first `find` on.
    pub(crate) by_task: Option<HashMap<Id, u32, BuildHasherDefault<IdHasher>>>,
}

/// Spreads the ids of tasks, which are numbers that count up: a stop of many looks up each of them.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Place {
    /// Empties the place. The old key does not open it again.
    #[inline]
    pub(crate) fn vacate(&mut self) -> Option<Slot> {
        let slot = self.slot.take()?;
        self.taken = self.taken.checked_add(1).unwrap_or(NonZeroU32::MIN);
        Some(slot)
    }
}

impl Shard {
    /// An empty place.
    #[inline]
    pub(crate) fn free_place(&mut self) -> u32 {
        if let Some(index) = self.free.pop() {
            return index;
        }
        self.places.push(Place { taken: NonZeroU32::MIN, slot: None });
        u32::try_from(self.places.len() - 1).expect("fewer than 2^28 workers wait at a time")
    }

    /// The place a key opens.
    #[inline]
    pub(crate) fn place(&mut self, key: SlotKey) -> Option<&mut Place> {
        self.places.get_mut(key.index() as usize).filter(|place| place.taken.get() == key.taken())
    }

    /// The index is there: this task has the place.
    #[cold]
    pub(crate) fn note_task(&mut self, task: Option<Id>, index: u32) {
        if let (Some(by_task), Some(task)) = (&mut self.by_task, task) {
            by_task.insert(task, index);
        }
    }

    /// This task has left the place.
    #[cold]
    pub(crate) fn forget(&mut self, task: Option<Id>, index: u32) {
        self.progress.remove(&index);
        if let (Some(by_task), Some(task)) = (&mut self.by_task, task) {
            by_task.remove(&task);
        }
    }

    /// The slot of a task. The first call builds the index.
    pub(crate) fn find(&mut self, task: Id, number: u32) -> Option<SlotKey> {
        let Self { places, by_task, .. } = self;
        let by_task = by_task.get_or_insert_with(|| {
            let tasks = (0..).zip(&*places);
            tasks.filter_map(|(index, place)| Some((place.slot.as_ref()?.task?, index))).collect()
        });
        let index = *by_task.get(&task)?;
        let taken = places[index as usize].taken;
        Some(SlotKey::new(index * SHARDS + number, taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_noted_meanwhile_is_not_two_years_old() {
        let (earlier, later) = (Moment(u32::MAX), Moment(2));
        assert_eq!(earlier.age(later), Duration::from_millis(48), "the count begins anew");
        assert_eq!(later.age(earlier), Duration::ZERO);
        assert_eq!(later.age(later), Duration::ZERO);
    }
}
