//! Where waiting workers are found: a worker that first returns `Pending` takes a seat.
//!
//! A seat holds what others need of a worker while it waits: how to wake it, since when it runs, and the
//! token it stops by. A worker that never waits takes none. Only wakers of tokio's own tasks are kept
//! here, so that waking everybody runs no code of the user's.

use std::collections::{HashMap, HashSet};
use std::iter::successors;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use crate::model::label::RowId;
use crate::model::state::Stage;
use crate::os::loom::{Mutex, MutexGuard};

/// Threads take seats in shards of their own, so that they rarely wait for each other.
const SHARDS: u32 = 8;

/// How many wakers are copied out of a shard at a time. They are called outside the lock.
const BATCH: usize = 64;

/// A seat's place, in the upper half, and how often the place was taken, so that an old key never opens a new worker's
/// seat. In one word, for the threads' records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeatKey(NonZeroU64);

impl SeatKey {
    fn new(place: u32, taken: NonZeroU32) -> Self {
        Self(NonZeroU64::from(taken) | u64::from(place) << 32)
    }

    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// The inverse of `to_bits`; zero is no seat.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Self)
    }

    const fn place(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    #[allow(clippy::cast_possible_truncation)] // the lower half
    const fn taken(self) -> u32 {
        self.0.get() as u32
    }

    const fn shard(self) -> usize {
        (self.place() % SHARDS) as usize
    }

    const fn index(self) -> u32 {
        self.place() / SHARDS
    }
}

/// Where a seat can be. Places never go away; who leaves makes room for the next.
#[derive(Debug)]
struct Place {
    /// One more than how often it was taken before.
    taken: NonZeroU32,
    /// The last one who left had been stopped apart from its stage: a future of its that lives on means that.
    left_stopped: bool,
    seat: Option<Seat>,
}

#[derive(Debug)]
struct Seat {
    row: RowId,
    stage: Stage,
    /// Milliseconds between the first seat's time and this one's: a quarter of an `Instant`, of which there may be
    /// a million.
    since: u32,
    /// Whether `token` is the worker's own (and not its parent's).
    own: bool,
    /// Set once the worker waits.
    waker: Option<Waker>,
    /// The tokio task, from its first poll on; main has none.
    task: Option<Id>,
    /// What stops this worker before its stage: its own token if it was asked for, else its parent's.
    token: Option<CancellationToken>,
    /// The task that has spawned it, if that is a worker's.
    parent: Option<Id>,
    /// It has spawned workers.
    has_children: bool,
}

impl Seat {
    /// A child's seat is taken when it is spawned, before it runs. Main has no task.
    fn is_taken_in_person(&self) -> bool {
        self.task.is_some() || self.row == RowId::MAIN
    }
}

#[derive(Debug, Default)]
struct Shard {
    places: Vec<Place>,
    free: Vec<u32>,
    /// Places by task, from the first time somebody stops a single worker.
    by_task: Option<HashMap<Id, u32>>,
}

/// The workers of one function that have a seat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sitting {
    pub(crate) count: u64,
    /// How many of them have not been told to stop, their stage being a later one.
    pub(crate) untold: u64,
    /// How long ago the first of them took its seat.
    pub(crate) oldest: Duration,
}

/// Whom a worker was spawned by: what stops it, and the task.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) token: CancellationToken,
    pub(crate) task: Option<Id>,
}

/// Workers that have ended and had children, each with whom it was spawned by.
#[derive(Debug, Default)]
struct Ended {
    parents: HashMap<Id, Option<Id>>,
    /// How many there were after the last sweep.
    swept: usize,
}

impl Ended {
    /// Whether `ancestor` is among those that a worker with this parent comes from, by way of workers that have ended.
    fn descends(&self, parent: Option<Id>, ancestor: Id) -> bool {
        let mut line = successors(parent, |one| self.parents.get(one).copied().flatten());
        line.any(|one| one == ancestor)
    }
}

/// Workers stopped one by one before they had a seat.
#[derive(Debug, Default)]
struct Early {
    tasks: HashMap<Id, AbortHandle>,
    /// How many there were after the last sweep.
    swept: usize,
}

impl Early {
    /// Keeps in mind that this one is to stop. Those that ended without a seat are swept out as the map grows.
    fn add(&mut self, handle: AbortHandle) {
        if self.tasks.len() > 2 * self.swept {
            self.tasks.retain(|_, handle| !handle.is_finished());
            self.swept = self.tasks.len().max(16);
        }
        if !handle.is_finished() {
            self.tasks.insert(handle.id(), handle);
        }
    }
}

/// All seats of a lifecycle.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    /// When the first seat was taken.
    first: OnceLock<Instant>,
    shards: [Mutex<Shard>; SHARDS as usize],
    /// Workers stopped one by one before they had a seat.
    early: Mutex<Early>,
    /// Workers whose handles stop their children, and nobody else any more.
    ended: Mutex<Ended>,
}

impl Seats {
    /// Takes a seat in the shard this thread prefers.
    pub(crate) fn take(
        &self,
        preferred: u32,
        row: RowId,
        stage: Stage,
        task: Option<Id>,
        parent: Option<Parent>,
    ) -> SeatKey {
        let (token, parent) = match parent {
            Some(Parent { token, task }) => (Some(token), task),
            None => (None, None),
        };
        let number = preferred % SHARDS;
        let mut shard = self.lock(number as usize);
        let index = shard.vacancy();
        if let (Some(by_task), Some(task)) = (&mut shard.by_task, task) {
            by_task.insert(task, index);
        }
        let place = &mut shard.places[index as usize];
        place.seat = Some(Seat {
            row,
            stage,
            since: self.millis(),
            own: false,
            waker: None,
            task,
            token,
            parent,
            has_children: false,
        });
        SeatKey::new(index * SHARDS + number, place.taken)
    }

    /// The seat that was taken for a child before it ran is this task's.
    pub(crate) fn claim(&self, key: SeatKey, task: Option<Id>) {
        let mut shard = self.lock(key.shard());
        if let Some(place) = shard.place(key)
            && let Some(seat) = &mut place.seat
        {
            seat.task = task;
            if let (Some(by_task), Some(task)) = (&mut shard.by_task, task) {
                by_task.insert(task, key.index());
            }
        }
    }

    /// Leaves how to wake the worker, for as long as it sits here.
    pub(crate) fn set_waker(&self, key: SeatKey, waker: &Waker) {
        self.with(key, |seat| seat.waker = Some(waker.clone()));
    }

    pub(crate) fn leave(&self, key: SeatKey) {
        let mut shard = self.lock(key.shard());
        let Some(seat) = shard.place(key).and_then(Place::vacate) else {
            return;
        };
        shard.free.push(key.index());
        if let (Some(by_task), Some(task)) = (&mut shard.by_task, seat.task) {
            by_task.remove(&task);
        }
        drop(shard);
        if let (true, Some(task)) = (seat.has_children, seat.task) {
            self.note_ended_parent(task, seat.parent);
        }
        // A token's last clone takes its tree's locks, a waker's may free a task: not under ours.
        drop(seat);
    }

    /// Whether the worker was stopped apart from its stage: through its handle, its token or its parent.
    pub(crate) fn is_stopped(&self, key: SeatKey) -> bool {
        let found = self.with(key, |seat| seat.token.clone());
        match found {
            Some(token) => token.is_some_and(|token| token.is_cancelled()),
            None => self.left_stopped(key),
        }
    }

    /// Whether who sat here last, with this key, had been stopped.
    fn left_stopped(&self, key: SeatKey) -> bool {
        let shard = self.lock(key.shard());
        let place = shard.places.get(key.index() as usize);
        place.is_some_and(|place| place.left_stopped && place.taken.get() == key.taken().wrapping_add(1))
    }

    /// The worker's own token, made now if this is the first time: a child of its parent's or of `stage`.
    pub(crate) fn own_token(&self, key: SeatKey, stage: &CancellationToken) -> CancellationToken {
        let found = self.with(key, |seat| (seat.own, seat.token.clone()));
        let (is_own, token) = found.unwrap_or((false, None));
        if let (true, Some(token)) = (is_own, &token) {
            return token.clone();
        }
        // Made and dropped outside our lock: a token's tree has locks of its own.
        let made = token.as_ref().unwrap_or(stage).child_token();
        let replaced = self.with(key, |seat| {
            if seat.own {
                Err(seat.token.clone())
            } else {
                seat.own = true;
                Ok(seat.token.replace(made.clone()))
            }
        });
        match replaced {
            Some(Err(Some(others))) => others,
            _ => made,
        }
    }

    /// The worker in this seat spawns another one. Returns its task.
    pub(crate) fn spawns(&self, key: SeatKey) -> Option<Id> {
        self.with(key, |seat| {
            seat.has_children = true;
            seat.task
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
            let seats = shard.places.iter().filter_map(|place| place.seat.as_ref());
            for parent in seats.map(|seat| seat.parent) {
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
                let seat = place.seat.as_ref();
                if let Some(seat) = seat.filter(|seat| ended.descends(seat.parent, task)) {
                    children.push((SeatKey::new(number, place.taken), seat.stage));
                }
            }
        }
        drop(ended);
        for (key, stage) in children {
            self.stop_seat(key, &tokens[stage.index()]);
        }
    }

    fn stop_seat(&self, key: SeatKey, stage: &CancellationToken) {
        self.own_token(key, stage).cancel();
        // Whoever waits by the seat alone does not hear the token.
        if let Some(waker) = self.with(key, |seat| seat.waker.clone()).flatten() {
            waker.wake();
        }
    }

    /// Stops one worker of this stage, by its task, and those it has spawned. `tokens` are those of the stages.
    pub(crate) fn stop(&self, handle: AbortHandle, stage: Stage, tokens: &[CancellationToken; 4]) {
        // Under this lock, so that a worker that takes its seat meanwhile is found by one of the two looks.
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (0..)
            .zip(&self.shards)
            .find_map(|(number, shard)| shard.lock().unwrap_or_else(PoisonError::into_inner).find(handle.id(), number));
        if let Some(key) = found {
            drop(early);
            self.stop_seat(key, &tokens[stage.index()]);
        } else {
            let task = handle.id();
            early.add(handle);
            drop(early);
            self.stop_children(task, tokens);
        }
    }

    /// Whether this worker was stopped before it had a seat; forgets it.
    pub(crate) fn was_stopped_early(&self, task: Option<Id>) -> bool {
        let Some(task) = task else { return false };
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        early.tasks.remove(&task).is_some()
    }

    /// Wakes everybody of a stage who waits. New ones that sit down meanwhile look for themselves.
    pub(crate) fn wake(&self, stage: Stage) {
        self.wake_those(|_, of| of == stage);
    }

    /// Wakes those who wait, by row and stage.
    pub(crate) fn wake_those(&self, mut are_meant: impl FnMut(RowId, Stage) -> bool) {
        let mut wakers = Vec::with_capacity(BATCH);
        for number in 0..self.shards.len() {
            let mut from = 0;
            loop {
                let shard = self.lock(number);
                let rest = shard.places.get(from..).unwrap_or_default();
                let batch = &rest[..rest.len().min(BATCH)];
                wakers.extend(batch.iter().filter_map(|place| {
                    let seat = place.seat.as_ref()?;
                    let waker = seat.waker.as_ref()?;
                    are_meant(seat.row, seat.stage).then(|| waker.clone())
                }));
                from += batch.len();
                let done = batch.len() == rest.len();
                drop(shard);
                wakers.drain(..).for_each(Waker::wake);
                if done {
                    break;
                }
            }
        }
    }

    /// Who sits, by function. `is_told` says which stages have been told to stop.
    pub(crate) fn tally(&self, is_told: impl Fn(Stage) -> bool) -> HashMap<RowId, Sitting> {
        let now = self.millis();
        let mut tally = HashMap::new();
        for number in 0..self.shards.len() {
            let shard = self.lock(number);
            for seat in shard.places.iter().filter_map(|place| place.seat.as_ref()) {
                if !seat.is_taken_in_person() {
                    continue;
                }
                let age = Duration::from_millis(now.saturating_sub(seat.since).into());
                let row = tally.entry(seat.row).or_insert(Sitting { count: 0, untold: 0, oldest: age });
                row.count += 1;
                row.untold += u64::from(!is_told(seat.stage));
                row.oldest = row.oldest.max(age);
            }
        }
        tally
    }

    fn millis(&self) -> u32 {
        let age = self.first.get_or_init(Instant::now).elapsed();
        u32::try_from(age.as_millis()).unwrap_or(u32::MAX)
    }

    fn with<T>(&self, key: SeatKey, act: impl FnOnce(&mut Seat) -> T) -> Option<T> {
        self.lock(key.shard()).place(key).and_then(|place| place.seat.as_mut()).map(act)
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Empties the place. The old key does not open it again.
    fn vacate(&mut self) -> Option<Seat> {
        let seat = self.seat.take()?;
        self.left_stopped = seat.token.as_ref().is_some_and(CancellationToken::is_cancelled);
        self.taken = self.taken.checked_add(1).unwrap_or(NonZeroU32::MIN);
        Some(seat)
    }
}

impl Shard {
    /// An empty place.
    fn vacancy(&mut self) -> u32 {
        if let Some(index) = self.free.pop() {
            return index;
        }
        self.places.push(Place { taken: NonZeroU32::MIN, left_stopped: false, seat: None });
        u32::try_from(self.places.len() - 1).expect("fewer than 2^29 workers wait at a time")
    }

    /// The place a key opens.
    fn place(&mut self, key: SeatKey) -> Option<&mut Place> {
        self.places.get_mut(key.index() as usize).filter(|place| place.taken.get() == key.taken())
    }

    /// The seat of a task. The first question makes the index.
    fn find(&mut self, task: Id, number: u32) -> Option<SeatKey> {
        let Self { places, by_task, .. } = self;
        let by_task = by_task.get_or_insert_with(|| {
            let tasks = (0..).zip(&*places);
            tasks.filter_map(|(index, place)| Some((place.seat.as_ref()?.task?, index))).collect()
        });
        let index = *by_task.get(&task)?;
        let taken = places[index as usize].taken;
        Some(SeatKey::new(index * SHARDS + number, taken))
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
