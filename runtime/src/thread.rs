//! What each thread knows: whose code it runs, and which worker it is polling right now.
//!
//! The second half can be read from other threads. That is how a report tells a worker that waits in an
//! await from one that blocks its thread.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{RawWakerVTable, Waker};

use crate::lifecycle::{Lifecycle, disturbances};
use crate::rows::RowId;
use crate::seats::SeatKey;
use crate::state::Stage;

thread_local! {
    /// The lifecycle whose code this thread runs, if any.
    static HERE: RefCell<Option<Rc<Here>>> = const { RefCell::new(None) };
}

/// Which waker a poll was made with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct WakerId(*const (), *const RawWakerVTable);

impl WakerId {
    /// No waker: the code of a blocking worker.
    pub(crate) const NONE: Self = Self(ptr::null(), ptr::null());

    #[inline]
    pub(crate) fn of(waker: &Waker) -> Self {
        Self(waker.data(), waker.vtable())
    }
}

/// A thread's record.
pub(crate) struct Here {
    life: Arc<Lifecycle>,
    seen: Arc<Seen>,
    /// The stage of the worker being polled; main's between polls.
    stage: Cell<Stage>,
    /// Whether the worker being polled can be stopped apart from its stage.
    scoped: Cell<bool>,
    /// What it has to look out for, by these two.
    disturbances: Cell<u32>,
    /// The waker of the worker being polled: who is polled with this very waker is woken through the seat.
    waker: Cell<WakerId>,
}

/// What others may see of a thread: two plain stores around each poll.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The thread's name, for people.
    pub(crate) name: String,
    /// Which shard of seats this thread prefers.
    shard: u32,
    /// One more than the row of the worker inside a poll; 0 between polls.
    row: AtomicU32,
    /// Its seat, once it has one.
    seat: AtomicU64,
    /// How many polls there were: the same number twice is the same poll.
    polls: AtomicU64,
    /// Who was last polled here, and in which beat: a row and a beat in the place of the row's number. Rows share
    /// places; the later one is kept.
    marks: Box<[AtomicU64; MARKS]>,
}

/// How many rows a thread keeps in mind.
const MARKS: usize = 128;

/// Where a row's mark is: names given at run time, which have the highest bit, begin in the middle.
#[inline]
const fn place(row: u32) -> usize {
    (row ^ row >> 25) as usize % MARKS
}

/// A poll under way on some thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) row: RowId,
    pub(crate) seat: Option<SeatKey>,
    number: u64,
}

impl Seen {
    /// The poll this thread is inside of.
    pub(crate) fn poll(&self) -> Option<Poll> {
        let row = RowId::from_bits(self.row.load(Ordering::Acquire).checked_sub(1)?);
        Some(Poll {
            row,
            seat: self.seat(),
            number: self.polls.load(Ordering::Relaxed),
        })
    }

    #[inline]
    fn seat(&self) -> Option<SeatKey> {
        SeatKey::from_bits(self.seat.load(Ordering::Relaxed))
    }
}

/// Looks at this thread's record, if it has one. A thread that is ending has none any more.
#[inline]
fn look<T>(at: impl FnOnce(&Rc<Here>) -> T) -> Option<T> {
    HERE.try_with(|here| here.borrow().as_ref().map(at))
        .ok()
        .flatten()
}

/// Makes this thread one of the lifecycle's.
pub(crate) fn adopt(life: &Arc<Lifecycle>) {
    settle_in(life);
}

#[cold]
fn settle_in(life: &Arc<Lifecycle>) -> Rc<Here> {
    static THREADS: AtomicU32 = AtomicU32::new(0);
    let seen = Arc::new(Seen {
        name: std::thread::current()
            .name()
            .unwrap_or("unnamed")
            .to_owned(),
        shard: THREADS.fetch_add(1, Ordering::Relaxed),
        row: AtomicU32::new(0),
        seat: AtomicU64::new(0),
        polls: AtomicU64::new(0),
        marks: Box::new([const { AtomicU64::new(0) }; MARKS]),
    });
    life.threads.add(&seen);
    let here = Rc::new(Here {
        life: Arc::clone(life),
        seen,
        stage: Cell::new(Stage::Main),
        scoped: Cell::new(false),
        disturbances: Cell::new(disturbances(Stage::Main, false)),
        waker: Cell::new(WakerId::NONE),
    });
    replace(Some(Rc::clone(&here)));
    here
}

fn replace(here: Option<Rc<Here>>) -> Option<Rc<Here>> {
    HERE.with(|cell| cell.replace(here))
}

/// Makes this thread one of the lifecycle's while the guard lives.
pub(crate) fn enter(life: &Arc<Lifecycle>) -> Entered {
    let outer = replace(None);
    adopt(life);
    Entered { outer }
}

/// Gives the thread back to whom it belonged.
pub(crate) struct Entered {
    outer: Option<Rc<Here>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        drop(replace(self.outer.take()));
    }
}

/// The lifecycle this thread belongs to, unless a worker of it, main aside, is being polled here.
#[inline]
pub(crate) fn spawner() -> Option<Arc<Lifecycle>> {
    look(|here| {
        let row = here.seen.row.load(Ordering::Relaxed);
        (row <= RowId::MAIN.to_bits() + 1).then(|| Arc::clone(&here.life))
    })
    .flatten()
}

/// The lifecycle this thread belongs to, and which worker of it is being polled here, if one is.
#[inline]
pub(crate) fn caller() -> Option<(Arc<Lifecycle>, Option<Current>)> {
    look(|here| (Arc::clone(&here.life), here.current()))
}

/// Whether nothing at all suggests that the code running here is to stop. What else it says has to be
/// looked into.
#[inline]
pub(crate) fn is_undisturbed() -> bool {
    look(|here| here.life.is_undisturbed(here.disturbances.get())).unwrap_or(false)
}

/// The worker being polled on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    pub(crate) row: RowId,
    pub(crate) seat: Option<SeatKey>,
    pub(crate) stage: Stage,
    /// Whether it can be stopped apart from its stage: it has a token, its own or its parent's.
    pub(crate) scoped: bool,
}

/// The shard of seats this thread prefers.
#[inline]
pub(crate) fn shard() -> u32 {
    look(|here| here.seen.shard).unwrap_or(0)
}

/// Which worker of this thread's lifecycle is being polled here, if one is.
#[inline]
pub(crate) fn current() -> Option<Current> {
    look(|here| here.current()).flatten()
}

/// Notes that the worker being polled took a seat.
pub(crate) fn seated(key: SeatKey) {
    look(|here| here.seen.seat.store(key.to_bits(), Ordering::Relaxed));
}

/// Notes that the worker being polled has a token.
pub(crate) fn scoped() {
    look(|here| here.belongs(here.stage.get(), true));
}

/// Whether `waker` is the one the current worker itself is polled with.
#[inline]
pub(crate) fn is_workers_own(waker: &Waker) -> bool {
    look(|here| here.waker.get() == WakerId::of(waker)).unwrap_or(false)
}

/// Runs one poll of a worker with the record set, and returns what became of the worker meanwhile.
///
/// Where `lingers` says so the record stays set when the poll is over: the destructors that follow belong to
/// it, until [`left`] is called.
#[inline]
pub(crate) fn polling<T>(
    life: &Arc<Lifecycle>,
    worker: Current,
    waker: WakerId,
    poll: impl FnOnce() -> T,
    lingers: impl FnOnce(&T) -> bool,
) -> (T, Current) {
    let here = of(life).unwrap_or_else(|| settle_in(life));
    let outer = here.set(worker, waker);
    let result = poll();
    let after = Current {
        seat: here.seen.seat(),
        scoped: here.scoped.get(),
        ..worker
    };
    if !lingers(&result) {
        here.restore(outer);
    }
    (result, after)
}

/// This thread's record, if the thread is one of the lifecycle's.
#[inline]
fn of(life: &Arc<Lifecycle>) -> Option<Rc<Here>> {
    look(|here| Arc::ptr_eq(&here.life, life).then(|| Rc::clone(here))).flatten()
}

/// What a thread's record says at some moment.
pub(crate) struct Record {
    worker: Current,
    waker: WakerId,
}

/// What the record said before: nothing, unless a poll goes on inside another.
type Outer = Option<Box<Record>>;

impl Here {
    #[inline]
    fn current(&self) -> Option<Current> {
        let row = RowId::from_bits(self.seen.row.load(Ordering::Relaxed).checked_sub(1)?);
        Some(Current {
            row,
            seat: self.seen.seat(),
            stage: self.stage.get(),
            scoped: self.scoped.get(),
        })
    }

    #[inline]
    fn set(&self, worker: Current, waker: WakerId) -> Outer {
        let outer = match self.seen.row.load(Ordering::Relaxed) {
            0 => None,
            _ => self.record(),
        };
        let seen = &self.seen;
        let number = seen.polls.load(Ordering::Relaxed).wrapping_add(1);
        seen.polls.store(number, Ordering::Relaxed);
        self.waker.set(waker);
        self.mark(worker);
        let row = worker.row.to_bits() + 1;
        let mark = u64::from(row) << 32 | u64::from(self.life.beat.latest());
        seen.marks[place(row)].store(mark, Ordering::Relaxed);
        outer
    }

    /// What the record says now.
    #[cold]
    fn record(&self) -> Outer {
        let (worker, waker) = (self.current()?, self.waker.get());
        Some(Box::new(Record { worker, waker }))
    }

    #[inline]
    fn restore(&self, outer: Outer) {
        match outer {
            None => self.clear(),
            Some(record) => {
                self.waker.set(record.waker);
                self.mark(record.worker);
            }
        }
    }

    #[inline]
    fn mark(&self, worker: Current) {
        let seat = worker.seat.map_or(0, SeatKey::to_bits);
        self.belongs(worker.stage, worker.scoped);
        self.seen.seat.store(seat, Ordering::Relaxed);
        self.seen
            .row
            .store(worker.row.to_bits() + 1, Ordering::Release);
    }

    /// Between two polls.
    #[inline]
    fn clear(&self) {
        self.belongs(Stage::Main, false);
        self.seen.row.store(0, Ordering::Release);
    }

    #[inline]
    fn belongs(&self, stage: Stage, scoped: bool) {
        self.stage.set(stage);
        self.scoped.set(scoped);
        self.disturbances.set(disturbances(stage, scoped));
    }
}

/// Marks this thread as busy with what a worker of `row` left behind, while the guard lives. A thread that is
/// none of the lifecycle's stays unmarked.
pub(crate) fn busy_with(life: &Arc<Lifecycle>, row: RowId) -> Busy {
    let worker = Current {
        row,
        seat: None,
        stage: Stage::Main,
        scoped: false,
    };
    Busy(of(life).map(|here| {
        let outer = here.set(worker, WakerId::NONE);
        (here, outer)
    }))
}

/// The record says what it did before once this is dropped.
pub(crate) struct Busy(Option<(Rc<Here>, Outer)>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some((here, outer)) = self.0.take() {
            // A destructor that asked about the stop has taken a seat.
            let seat = here.seen.seat();
            here.restore(outer);
            if let Some(seat) = seat {
                here.life.seats.leave(seat);
            }
        }
    }
}

/// Marks this thread as busy with a worker that is about to be dropped by its task, until [`left`] is called.
pub(crate) fn ending(life: &Arc<Lifecycle>, worker: Current) {
    if let Some(here) = of(life) {
        here.set(worker, WakerId::NONE);
    }
}

/// Clears the record if it still speaks of `row`: the worker is gone from this thread. Returns the seat it has
/// then, which a destructor may have taken.
#[inline]
pub(crate) fn left(row: RowId) -> Option<SeatKey> {
    look(|here| {
        let current = here.current().filter(|current| current.row == row)?;
        here.clear();
        current.seat
    })
    .flatten()
}

/// The threads that ran a lifecycle's code.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    seen: Mutex<Vec<Arc<Seen>>>,
}

impl Threads {
    fn add(&self, new: &Arc<Seen>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|thread| Arc::strong_count(thread) > 1);
        seen.push(Arc::clone(new));
    }

    /// In which beat a worker of this row was last polled, as far as the threads remember.
    pub(crate) fn last_polled(&self, row: RowId) -> Option<u32> {
        let row = row.to_bits() + 1;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = seen
            .iter()
            .map(|thread| thread.marks[place(row)].load(Ordering::Relaxed));
        marks
            .filter(|mark| mark >> 32 == u64::from(row))
            .map(|mark| u32::try_from(mark & u64::from(u32::MAX)).unwrap_or(u32::MAX))
            .max()
    }

    /// The polls under way, by thread.
    pub(crate) fn polls(&self) -> Vec<(Arc<Seen>, Poll)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .filter_map(|thread| Some((Arc::clone(thread), thread.poll()?)))
            .collect()
    }
}
