//! A worker's registration: what is known of it while it runs, and what is given back whatever happens.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;

use crate::life::descent::Parent;
use crate::life::lifecycle::Lifecycle;
use crate::life::phase::disturbances;
use crate::life::slot_key::SlotKey;
use crate::model::exit::{Exit, ExitKind, Judged};
use crate::model::failure::{Failure, Subject};
use crate::model::label::EntryId;
use crate::model::outcome;
use crate::model::state::{Cause, Stage};
use crate::work::completion::Completion;
use crate::work::current;
use crate::work::parking;
use crate::work::polled::Current;
use crate::work::polled::WakerId;

/// A place among the living. Taken when a worker is spawned, given back when its future is gone: finished,
/// panicked, aborted or dropped with its runtime. It moves with the future, so it is small.
#[derive(Debug)]
pub struct Registration {
    pub(crate) life: Arc<Lifecycle>,
    pub(crate) slot: Option<SlotKey>,
    pub(crate) entry: EntryId,
    pub(crate) stage: Stage,
    /// How it ended, as far as is known.
    kind: ExitKind,
    facts: Facts,
}

/// What else a registration knows, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts(u8);

impl Facts {
    const NONE: Self = Self(0);
    /// Its end is the process's stop.
    const ESSENTIAL: Self = Self(1);
    /// It can be stopped apart from its stage: it has a token, its own or its parent's.
    const SCOPED: Self = Self(1 << 1);
    /// Its slot was taken when it was spawned, and is not its task's yet.
    const UNCLAIMED: Self = Self(1 << 2);
    /// The slot knows how to wake this task.
    const WAITS: Self = Self(1 << 3);

    #[inline]
    fn has(self, fact: Self) -> bool {
        self.0 & fact.0 != 0
    }

    #[inline]
    fn set(&mut self, fact: Self, holds: bool) {
        self.0 = if holds { self.0 | fact.0 } else { self.0 & !fact.0 };
    }
}

impl Registration {
    /// Main's, which the lifecycle counts by itself.
    pub(crate) fn of_main(life: Arc<Lifecycle>) -> Self {
        Self::new(life, EntryId::MAIN, Stage::Main)
    }

    /// For one more of `entry`, whose start and whose arrival have been counted.
    #[inline]
    pub(crate) fn new(life: Arc<Lifecycle>, entry: EntryId, stage: Stage) -> Self {
        Self { life, slot: None, entry, stage, kind: ExitKind::Aborted, facts: Facts::NONE }
    }

    /// The same for one whose end matters.
    pub(crate) fn of_essential(mut self) -> Self {
        self.facts.set(Facts::ESSENTIAL, true);
        self
    }

    /// The same for a child: its slot keeps the parent's token.
    pub(crate) fn of_child(mut self, parent: Parent) -> Self {
        let (entry, stage) = (self.entry, self.stage);
        self.slot = Some(self.life.slots.take(current::shard(), entry, stage, None, Some(parent)));
        self.facts.set(Facts::SCOPED, true);
        self.facts.set(Facts::UNCLAIMED, true);
        self
    }

    /// Runs a worker's code: a poll, the whole of a blocking one, or its destructors.
    #[inline]
    pub(crate) fn run<T>(&mut self, waker: WakerId, code: impl FnOnce() -> T) -> std::thread::Result<T> {
        if self.facts.has(Facts::UNCLAIMED) {
            self.claim();
        }
        let guarded = || catch_unwind(AssertUnwindSafe(code));
        let (ran, worker) = current::polling(&self.life, self.current(), waker, guarded);
        self.slot = worker.slot;
        self.facts.set(Facts::SCOPED, worker.scoped);
        ran
    }

    /// The slot is this task's from its first poll on.
    #[cold]
    fn claim(&mut self) {
        self.facts.set(Facts::UNCLAIMED, false);
        if let Some(slot) = self.slot {
            parking::claim_slot(&self.life, slot, self.stage);
        }
    }

    #[inline]
    pub(crate) fn is_scoped(&self) -> bool {
        self.facts.has(Facts::SCOPED)
    }

    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.facts.has(Facts::WAITS)
    }

    /// What its thread's record says of it.
    #[inline]
    fn current(&self) -> Current {
        Current { entry: self.entry, slot: self.slot, stage: self.stage, scoped: self.is_scoped() }
    }

    /// Drops the future in the worker's name, so that a destructor that blocks or panics is seen for what it is.
    #[cold]
    pub(crate) fn drop_early<F>(&mut self, mut future: Pin<&mut Option<F>>) {
        if let Err(payload) = self.run(WakerId::NONE, || future.set(None)) {
            self.destructor_panicked();
            outcome::discard(payload);
        }
    }

    /// The stop has run out of time.
    #[cold]
    pub(crate) fn aborted<T>(&mut self) -> Completion<T> {
        self.ended((Exit::Aborted, None))
    }

    /// The code has ended. An error that nothing has been done about is what the policy makes of it.
    #[inline]
    pub(crate) fn ended<T>(&mut self, (exit, error): Judged<T>) -> Completion<T> {
        self.kind = exit.kind();
        if let Some(text) = error {
            self.fail(Failure::error(self.subject(), text));
        }
        if self.facts.has(Facts::ESSENTIAL) {
            self.facts.set(Facts::ESSENTIAL, false);
            self.essential_ended();
        }
        Completion::new(exit, &self.life, self.entry)
    }

    /// `returned`: it was a destructor that did, afterwards.
    #[cold]
    pub(crate) fn panicked<T>(&mut self, payload: Box<dyn Any + Send>, returned: bool) -> Completion<T> {
        if returned {
            self.destructor_panicked();
        } else {
            self.fail(Failure::panic(self.subject(), payload.as_ref()));
        }
        self.ended((Exit::Panicked(payload), None))
    }

    fn destructor_panicked(&self) {
        self.fail(Failure::destructor(self.subject()));
    }

    /// What a failure of it is a failure of.
    pub(crate) fn subject(&self) -> Subject {
        self.life.registry.get(self.entry).subject()
    }

    #[cold]
    fn fail(&self, failure: Failure) {
        let failure = failure.of_task(tokio::task::try_id());
        self.life.fail_by_policy(self.entry, failure);
    }

    /// An essential worker that ends by itself ends the process. One that was told to stop does not.
    #[cold]
    fn essential_ended(&self) {
        if !parking::is_stopping(&self.life, self.stage, self.slot)
            && let Subject::Worker(name, _) = self.subject()
        {
            self.life.begin_stop(Cause::Essential(name));
        }
    }

    /// The waker by which whoever waits inside this worker may rely on its slot. Main's thread may be polled by
    /// others with the same one.
    #[inline]
    pub(crate) fn waker_id(&self, context: &Context<'_>) -> WakerId {
        if self.entry == EntryId::MAIN {
            current::polls_main_with(context.waker());
            WakerId::NONE
        } else {
            WakerId::of(context.waker())
        }
    }

    /// Sits down to wait. Wakes the worker at once if the stop came while it did.
    #[cold]
    pub(crate) fn park(&mut self, context: &Context<'_>) {
        let slot = match self.slot {
            Some(slot) => slot,
            None => parking::take_slot(&self.life, current::shard(), self.entry, self.stage),
        };
        self.slot = Some(slot);
        self.facts.set(Facts::WAITS, true);
        if self.entry == EntryId::MAIN {
            self.life.members.main_waits(context.waker());
        }
        if parking::wait_in(&self.life, slot, self.stage, context.waker()) {
            context.waker().wake_by_ref();
        }
    }
}

impl Drop for Registration {
    #[inline]
    fn drop(&mut self) {
        if self.facts.has(Facts::ESSENTIAL) {
            // Dropped from outside, before it has ended by itself.
            self.essential_ended();
        }
        if let Some(slot) = self.slot {
            self.life.slots.leave(slot);
        }
        if self.entry == EntryId::MAIN {
            self.life.main_gone();
        } else {
            let entry = self.life.registry.get(self.entry);
            entry.ended(self.kind).fetch_add(1, Ordering::Release);
            if !self.life.phase.is_undisturbed(disturbances(self.stage, false)) && entry.live() == 0 {
                self.life.note_end(entry);
            }
            self.life.leave(self.stage);
        }
    }
}
