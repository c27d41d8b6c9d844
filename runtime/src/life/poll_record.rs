//! What other threads can see of a thread: which worker it is polling right now, and which ones it has polled.
//!
//! From this a report distinguishes a worker that waits in an await from one that blocks its thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::life::slot_key::SlotKey;
use crate::model::budget::SAME_POLL;
use crate::model::label::EntryId;
use crate::model::text;
use crate::os::lock::Lock;

/// A lifecycle's identity: its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LifeId(usize);

impl LifeId {
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) fn of<T>(life: *const T) -> Self {
        Self(life.addr())
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// What other threads can see of a thread: two plain stores around each poll.
#[derive(Debug)]
pub(crate) struct ThreadRecord {
    /// The thread's name, for people.
    pub(crate) name: String,
    /// The thread's number, for what is kept by thread.
    pub(crate) number: u32,
    /// The lifecycle that the fields below are about. A test's thread may run another one in between.
    pub(crate) life: AtomicUsize,
    /// One more than the entry of the worker inside a poll; 0 between polls.
    pub(crate) entry: AtomicU32,
    /// Its slot, once it has one.
    pub(crate) slot: AtomicU64,
    /// How many polls there were: the same number twice is the same poll.
    pub(crate) polls: AtomicU64,
    /// Which entries were last polled here, and in which tick: an entry and a tick at the place of the entry's number.
    /// Entries share places; the later one is kept.
    pub(crate) marks: [AtomicU64; MARKS],
}

/// How many entries a thread remembers.
const MARKS: usize = 128;

/// Where an entry's mark is: names given at run time, which have the highest bit, begin in the middle.
#[inline]
pub(crate) const fn place(entry: u32) -> usize {
    (entry ^ entry >> 25) as usize % MARKS
}

/// A poll under way on some thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) entry: EntryId,
    pub(crate) slot: Option<SlotKey>,
    number: u64,
}

impl ThreadRecord {
    pub(crate) fn of_this_thread() -> Arc<Self> {
        static THREADS: AtomicU32 = AtomicU32::new(0);
        Arc::new(Self {
            name: text::name(std::thread::current().name().unwrap_or("unnamed")),
            number: THREADS.fetch_add(1, Ordering::Relaxed),
            life: AtomicUsize::default(),
            entry: AtomicU32::new(0),
            slot: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            marks: [const { AtomicU64::new(0) }; MARKS],
        })
    }

    fn is_about(&self, life: LifeId) -> bool {
        self.life.load(Ordering::Acquire) == life.0
    }

    /// From now on the record is about this lifecycle.
    pub(crate) fn belongs_to(&self, life: LifeId) {
        if self.life.swap(life.0, Ordering::AcqRel) != life.0 {
            for mark in &self.marks {
                mark.store(0, Ordering::Relaxed);
            }
        }
    }

    /// The poll this thread is inside of.
    pub(crate) fn poll(&self) -> Option<Poll> {
        let entry = EntryId::from_bits(self.entry.load(Ordering::Acquire).checked_sub(1)?);
        Some(Poll { entry, slot: self.slot(), number: self.polls.load(Ordering::Relaxed) })
    }

    /// In which tick a worker of this entry was last polled here, as far as the thread remembers.
    pub(crate) fn last_polled(&self, entry: EntryId) -> Option<u32> {
        let entry = entry.to_bits() + 1;
        let mark = self.marks[place(entry)].load(Ordering::Relaxed);
        (mark >> 32 == u64::from(entry)).then(|| u32::try_from(mark & u64::from(u32::MAX)).unwrap_or(u32::MAX))
    }

    /// The last-polled mark of an entry, saved so that a diagnostic poll can restore it.
    #[cfg(taskdump)]
    pub(crate) fn mark(&self, entry: EntryId) -> u64 {
        self.marks[place(entry.to_bits() + 1)].load(Ordering::Relaxed)
    }

    /// Restores it.
    #[cfg(taskdump)]
    pub(crate) fn put_mark_back(&self, entry: EntryId, mark: u64) {
        self.marks[place(entry.to_bits() + 1)].store(mark, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn slot(&self) -> Option<SlotKey> {
        SlotKey::from_bits(self.slot.load(Ordering::Relaxed))
    }
}

/// The threads that ran a lifecycle's code.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    seen: Lock<Vec<Arc<ThreadRecord>>>,
}

impl Threads {
    pub(crate) fn add(&self, new: &Arc<ThreadRecord>) {
        let mut seen = self.seen.lock();
        seen.retain(|thread| Arc::strong_count(thread) > 1 && !Arc::ptr_eq(thread, new));
        seen.push(Arc::clone(new));
    }

    /// The threads that run this lifecycle's code now.
    pub(crate) fn of(&self, life: LifeId) -> Vec<Arc<ThreadRecord>> {
        let seen = self.seen.lock();
        let all = seen.iter().filter(|thread| thread.is_about(life));
        all.cloned().collect()
    }

    /// In which tick a worker of this entry was last polled, as far as the threads remember.
    pub(crate) fn last_polled(&self, life: LifeId, entry: EntryId) -> Option<u32> {
        let threads = self.of(life).into_iter();
        threads.filter_map(|thread| thread.last_polled(entry)).max()
    }

    /// A number that changes with each poll that begins, and whether one is under way.
    pub(crate) fn activity(&self, life: LifeId) -> (u64, bool) {
        let seen = self.seen.lock();
        let ours = seen.iter().filter(|thread| thread.is_about(life));
        ours.fold((0, false), |(polls, is_polling), thread| {
            let number = thread.polls.load(Ordering::Relaxed);
            (polls.wrapping_add(number), is_polling || thread.entry.load(Ordering::Relaxed) != 0)
        })
    }

    /// The polls under way, by thread.
    pub(crate) fn polls(&self, life: LifeId) -> Vec<(Arc<ThreadRecord>, Poll)> {
        let threads = self.of(life).into_iter();
        let polls = threads.map(|thread| {
            let poll = thread.poll();
            (thread, poll)
        });
        polls.filter_map(|(thread, poll)| Some((thread, poll?))).collect()
    }
}

/// The polls that were under way at some moment.
#[derive(Debug)]
pub(crate) struct Sample {
    at: Instant,
    pub(crate) polls: Vec<(Arc<ThreadRecord>, Poll)>,
}

impl Sample {
    /// A sample of the polls under way now.
    pub(crate) fn of(polls: Vec<(Arc<ThreadRecord>, Poll)>) -> Self {
        Self { at: Instant::now(), polls }
    }

    pub(crate) fn age(&self) -> Duration {
        self.at.elapsed()
    }

    /// Whether one of the sampled polls is still among those under way `now`.
    pub(crate) fn has_one_still(&self, now: &[(Arc<ThreadRecord>, Poll)]) -> bool {
        now.iter().any(|(seen, poll)| self.since(seen, *poll).is_some())
    }

    /// How long ago the sample saw this poll, if that is long enough to mean something.
    pub(crate) fn since(&self, seen: &Arc<ThreadRecord>, poll: Poll) -> Option<Duration> {
        let ago = self.at.elapsed();
        let is_same = |(thread, earlier): &(Arc<ThreadRecord>, Poll)| Arc::ptr_eq(thread, seen) && *earlier == poll;
        (ago >= SAME_POLL && self.polls.iter().any(is_same)).then_some(ago)
    }
}
