//! What each thread records: the lifecycle whose code it runs, and the worker it is polling right now.
//!
//! Other threads can read the second half. That is how a report distinguishes a worker that waits in an
//! await from one that blocks its thread.

mod busy;
mod kin;
mod limits;
mod local;
mod wakers;

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use crate::life::lifecycle::Lifecycle;
use crate::life::limit::Limit;
use crate::life::local::Local;
use crate::life::phase::Interest;
use crate::life::poll_record::{LifeId, ThreadRecord, place};
use crate::life::scope::{Kin, Scope};
use crate::life::slot_key::SlotKey;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::work::parking;
use crate::work::polled::{Current, WakerId};

pub(crate) use busy::{Busy, busy_with};
pub(crate) use kin::{
    children, childs_failure, forget_children, has_parent, is_below, parent, share_kin, started, waiting_above,
};
pub(crate) use limits::{limit, limited};
#[cfg(feature = "tower")]
pub(crate) use local::runs;
pub(crate) use local::{local, thread};
pub(crate) use wakers::{is_mains, is_workers_own, polls_main_with};

thread_local! {
    static HERE: Here = const { Here::new() };
}

/// A thread's record.
struct Here {
    /// The lifecycle whose code this thread runs, if any.
    local: RefCell<Option<Arc<Local>>>,
    /// Its identity, for comparisons.
    id: Cell<LifeId>,
    seen: OnceCell<Arc<ThreadRecord>>,
    /// What bounds the code being polled, beside the budget of the process.
    limit: RefCell<Option<Limit>>,
    /// The scopes of the worker being polled.
    kin: RefCell<Kin>,
    /// Which flags the worker being polled checks for, by its stage and whether it may have a token of its own; main's
    /// between polls.
    interest: Cell<Interest>,
    /// The waker of the worker being polled: a future polled with this very waker is woken through the slot.
    waker: Cell<WakerId>,
    /// The waker that main is polled with, on main's thread.
    mains: Cell<WakerId>,
}

/// Reads this thread's record. A thread that is ending has none any more.
#[inline]
fn look<T>(at: impl FnOnce(&Here) -> T) -> Option<T> {
    HERE.try_with(at).ok()
}

/// Reads the record of a thread that runs a lifecycle's code.
#[inline]
fn look_with_life<T>(at: impl FnOnce(&Here, &Arc<Lifecycle>) -> T) -> Option<T> {
    look(|here| here.local.borrow().as_ref().map(|local| at(here, &local.life))).flatten()
}

/// Makes this thread one of the lifecycle's.
pub(crate) fn adopt(life: &Arc<Lifecycle>) {
    look(|here| here.settle(Some(here.make_local(life))));
}

/// Makes this thread one of the lifecycle's while the guard lives.
pub(crate) fn enter(life: &Arc<Lifecycle>) -> Entered {
    let outer = look(|here| {
        let record = here.record();
        let outer = here.settle(Some(here.make_local(life)));
        here.clear(here.seen());
        (outer, record)
    });
    Entered { outer }
}

/// Gives the thread back to the lifecycle that it belonged to.
pub(crate) struct Entered {
    outer: Option<(Option<Arc<Local>>, Outer)>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some((local, record)) = self.outer.take() {
            let inner = look(|here| {
                let inner = here.settle(local);
                here.restore(here.seen(), record);
                inner
            });
            drop(inner);
        }
    }
}

/// Where a worker that this thread spawns belongs: its lifecycle, its stage, and the scope of the worker being polled
/// here, if one other than main is.
#[inline]
pub(crate) fn spawner() -> Option<(Arc<Local>, Stage, Option<Arc<Scope>>)> {
    look(|here| {
        let local = here.local.borrow();
        let local = local.as_ref()?;
        let entry = here.seen().entry.load(Ordering::Relaxed);
        let (stage, scope) = if entry <= EntryId::MAIN.to_bits() + 1 {
            (Stage::Main, None)
        } else {
            (here.interest.get().stage(), Some(here.children(&local.life)))
        };
        Some((Arc::clone(local), stage, scope))
    })
    .flatten()
}

/// The lifecycle this thread belongs to, and which worker of it is being polled here, if one is.
#[inline]
pub(crate) fn caller() -> Option<(Arc<Lifecycle>, Option<Current>)> {
    look_with_life(|here, life| (Arc::clone(life), here.current()))
}

/// Whether no flag is set that may stop the code running here. Where one is, the caller has to check which
/// worker it stops.
#[inline]
pub(crate) fn is_undisturbed() -> bool {
    look_with_life(|here, life| life.phase.is_undisturbed(here.interest.get())).unwrap_or(false)
}

/// Which worker of this thread's lifecycle is being polled here, if one is.
#[inline]
pub(crate) fn current() -> Option<Current> {
    look(Here::current).flatten()
}

/// Whether the worker in this slot may have a token of its own, if it is being polled on this thread.
#[inline]
pub(crate) fn is_scoped(life: &Arc<Lifecycle>, slot: SlotKey) -> Option<bool> {
    look(|here| {
        let is_here = here.id.get() == life.id() && here.current()?.slot == Some(slot);
        is_here.then(|| here.interest.get().is_scoped())
    })
    .flatten()
}

/// The slot of the worker being polled here, taken now if it has none.
pub(crate) fn slot(life: &Lifecycle, current: Current) -> SlotKey {
    current.slot.unwrap_or_else(|| {
        let take = |shard, kin: &Kin| parking::take_slot(life, shard, current.entry, current.stage(), kin, None);
        let key = look(|here| take(here.seen().number, &here.kin.borrow())).unwrap_or_else(|| take(0, &Kin::NONE));
        has_slot(key);
        key
    })
}

/// Notes that the worker being polled took a slot.
pub(crate) fn has_slot(key: SlotKey) {
    look(|here| here.seen().slot.store(key.to_bits(), Ordering::Relaxed));
}

/// Notes that the worker being polled may have a token of its own.
pub(crate) fn maybe_scoped() {
    look(|here| here.interest.set(here.interest.get().scoped()));
}

/// Notes that the worker being polled has a token of its own: what it has started stops with it.
pub(crate) fn scoped(life: &Arc<Lifecycle>, token: &CancellationToken) {
    look(|here| {
        here.interest.set(here.interest.get().scoped());
        if let Some(children) = &here.kin.borrow().children {
            parking::watch_token(life, children, token.clone());
        }
    });
}

/// Runs code of a worker with the record set, and returns its slot and its token's mark as they are afterwards.
#[inline]
pub(crate) fn polling<T>(
    life: &Arc<Lifecycle>,
    worker: Current,
    kin: &mut Kin,
    waker: WakerId,
    run: impl FnOnce() -> T,
) -> (T, Current) {
    let mut run = Some(run);
    let ran = look(|here| {
        let run = run.take()?;
        if here.id.get() != life.id() {
            adopt(life);
        }
        let seen = here.seen();
        let outer = here.set(seen, worker, waker, life.tick());
        std::mem::swap(&mut *here.kin.borrow_mut(), kin);
        let result = run();
        std::mem::swap(&mut *here.kin.borrow_mut(), kin);
        let after = Current { slot: seen.slot(), interest: here.interest.get(), ..worker };
        here.restore(seen, outer);
        Some((result, after))
    });
    match (ran.flatten(), run) {
        (Some(ran), _) => ran,
        (None, Some(run)) => (run(), worker),
        (None, None) => unreachable!("it has run"),
    }
}

/// What a thread's record says at some moment.
pub(crate) struct Record {
    worker: Current,
    waker: WakerId,
    limit: Option<Limit>,
}

/// What the record said before: nothing, unless a poll goes on inside another.
type Outer = Option<Box<Record>>;

impl Here {
    const fn new() -> Self {
        Self {
            local: RefCell::new(None),
            id: Cell::new(LifeId::NONE),
            seen: OnceCell::new(),
            limit: const { RefCell::new(None) },
            kin: RefCell::new(Kin::NONE),
            interest: Cell::new(Interest::of(Stage::Main, false)),
            waker: Cell::new(WakerId::NONE),
            mains: Cell::new(WakerId::NONE),
        }
    }

    #[inline]
    fn seen(&self) -> &ThreadRecord {
        self.seen.get_or_init(ThreadRecord::of_this_thread)
    }

    /// The thread is this lifecycle's from now on. Returns the lifecycle before.
    #[cold]
    fn settle(&self, local: Option<Arc<Local>>) -> Option<Arc<Local>> {
        let id = local.as_ref().map_or(LifeId::NONE, |local| local.life.id());
        self.id.set(id);
        let seen = self.seen.get_or_init(ThreadRecord::of_this_thread);
        seen.belongs_to(id);
        if let Some(local) = &local {
            local.life.threads.add(seen);
        }
        self.local.replace(local)
    }

    #[inline]
    fn current(&self) -> Option<Current> {
        let seen = self.seen();
        let entry = EntryId::from_bits(seen.entry.load(Ordering::Relaxed).checked_sub(1)?);
        Some(Current { entry, slot: seen.slot(), interest: self.interest.get() })
    }

    /// Begins a poll, in this tick.
    #[inline]
    fn set(&self, seen: &ThreadRecord, worker: Current, waker: WakerId, tick: u32) -> Outer {
        let outer = match seen.entry.load(Ordering::Relaxed) {
            0 => None,
            _ => self.record(),
        };
        let number = seen.polls.load(Ordering::Relaxed).wrapping_add(1);
        seen.polls.store(number, Ordering::Relaxed);
        self.waker.set(waker);
        self.mark(seen, worker);
        let entry = worker.entry.to_bits() + 1;
        let mark = u64::from(entry) << 32 | u64::from(tick);
        seen.marks[place(entry)].store(mark, Ordering::Relaxed);
        outer
    }

    /// What the record says now.
    #[cold]
    fn record(&self) -> Outer {
        let (worker, waker) = (self.current()?, self.waker.get());
        let limit = self.limit.take();
        Some(Box::new(Record { worker, waker, limit }))
    }

    #[inline]
    fn restore(&self, seen: &ThreadRecord, outer: Outer) {
        match outer {
            None => self.clear(seen),
            Some(record) => self.restore_record(seen, *record),
        }
    }

    #[cold]
    fn restore_record(&self, seen: &ThreadRecord, record: Record) {
        self.waker.set(record.waker);
        self.mark(seen, record.worker);
        self.limit.replace(record.limit);
    }

    #[inline]
    fn mark(&self, seen: &ThreadRecord, worker: Current) {
        let slot = worker.slot.map_or(0, SlotKey::to_bits);
        self.interest.set(worker.interest);
        seen.slot.store(slot, Ordering::Relaxed);
        seen.entry.store(worker.entry.to_bits() + 1, Ordering::Release);
    }

    /// Between two polls.
    #[inline]
    fn clear(&self, seen: &ThreadRecord) {
        self.interest.set(Interest::of(Stage::Main, false));
        seen.entry.store(0, Ordering::Release);
    }
}

/// What other threads see of this one.
#[cfg(taskdump)]
pub(crate) fn seen() -> Option<Arc<ThreadRecord>> {
    look(|here| Arc::clone(here.seen.get_or_init(ThreadRecord::of_this_thread)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::test::unit::{lifecycle, poll};

    #[test]
    fn a_thread_is_the_lifecycles_whose_code_it_runs() {
        let (one, other) = (lifecycle(), lifecycle());
        poll(&one, EntryId::MAIN, || {
            assert_eq!(one.polls().len(), 1);
        });
        assert_eq!(one.threads.last_polled(one.id(), EntryId::MAIN), Some(0));
        poll(&one, EntryId::MAIN, || {
            poll(&other, EntryId::MAIN, || {
                assert_eq!(one.polls().len(), 0, "it runs the other's");
                assert_eq!(other.polls().len(), 1);
            });
        });
        assert_eq!(one.threads.last_polled(one.id(), EntryId::MAIN), None);
        adopt(&one);
        let forgotten = one.threads.last_polled(one.id(), EntryId::MAIN);
        assert_eq!(forgotten, None, "that was the other's");
    }

    #[test]
    fn every_thread_is_seen_once_and_no_longer_than_it_lives() {
        let life = lifecycle();
        adopt(&life);
        adopt(&life);
        let second = Arc::clone(&life);
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || {
            poll(&second, EntryId::MAIN, || {
                let _ = ready.send(());
                let _ = told.recv();
            });
        });
        is_ready.recv().expect("it polls");
        adopt(&life);
        poll(&life, EntryId::MAIN, || {
            assert_eq!(life.polls().len(), 2);
        });
        drop(tell);
        second.join().expect("it does not panic");
        adopt(&life);
        assert_eq!(life.threads.of(life.id()).len(), 1);
    }
}
