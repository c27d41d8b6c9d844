//! A worker's registration: what is known of it while it runs, and what is given back whatever happens.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use crate::life::lifecycle::Lifecycle;
use crate::life::phase::disturbances;
use crate::life::scope::{Kin, Scope};
use crate::life::slot_key::SlotKey;
use crate::model::exit::{Exit, ExitKind, Judged};
use crate::model::failure::{Failure, Subject};
use crate::model::label::EntryId;
use crate::model::outcome;
use crate::model::state::Stage;
use crate::work::code::Code;
use crate::work::completion::Completion;
use crate::work::current;
use crate::work::failing;
use crate::work::linger;
use crate::work::linger::Linger;
use crate::work::parking;
use crate::work::polled::Current;
use crate::work::polled::WakerId;

/// Counts a worker as alive. Taken when a worker is spawned, given back when its future is gone: finished,
/// panicked, aborted or dropped with its runtime. It moves with the future, so it is small.
#[derive(Debug)]
pub struct Registration {
    pub(crate) life: Arc<Lifecycle>,
    pub(crate) slot: Option<SlotKey>,
    pub(crate) kin: Kin,
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
    /// Its end stops the process.
    const ESSENTIAL: Self = Self(1);
    /// It may have a token of its own, which stops it apart from its stage.
    const SCOPED: Self = Self(1 << 1);
    /// Its own code has ended, and what it has started has not.
    const LINGERS: Self = Self(1 << 2);
    /// The slot has this task's waker.
    const WAITS: Self = Self(1 << 3);
    /// A supervisor inside it decides what follows its runs.
    const SUPERVISED: Self = Self(1 << 4);

    /// One of two.
    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

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
        Self::new(life, EntryId::MAIN, Stage::Main, None)
    }

    /// For one more of `entry`, whose start and arrival have been counted. Counts it as a member of its scope.
    #[inline]
    pub(crate) fn new(life: Arc<Lifecycle>, entry: EntryId, stage: Stage, parent: Option<Arc<Scope>>) -> Self {
        if let Some(parent) = &parent {
            // Rule 1 of a scope: before the spawn.
            parent.arrive();
        }
        let kin = Kin { parent, children: None };
        Self { life, slot: None, kin, entry, stage, kind: ExitKind::Aborted, facts: Facts::NONE }
    }

    /// The same for an essential worker.
    pub(crate) fn of_essential(mut self) -> Self {
        self.facts.set(Facts::ESSENTIAL, true);
        self
    }

    /// The same for one whose runs are supervised.
    pub(crate) fn of_supervised(mut self) -> Self {
        self.facts.set(Facts::SUPERVISED, true);
        self
    }

    /// Runs a worker's code: a poll, the whole of a blocking one, or its destructors.
    #[inline]
    pub(crate) fn run<T>(&mut self, waker: WakerId, code: impl FnOnce() -> T) -> std::thread::Result<T> {
        let guarded = || catch_unwind(AssertUnwindSafe(code));
        let (current, kin) = (self.current(), &mut self.kin);
        let (ran, worker) = current::polling(&self.life, current, kin, waker, guarded);
        self.slot = worker.slot;
        self.facts.set(Facts::SCOPED, worker.scoped);
        ran
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

    /// Drops the future in the worker's name, so that a report names the worker if a destructor blocks or panics.
    #[cold]
    pub(crate) fn drop_early<F, R>(&mut self, mut body: Pin<&mut Code<F, R>>) {
        if let Err(payload) = self.run(WakerId::NONE, || body.set(Code::Gone)) {
            self.destructor_panicked();
            outcome::discard(payload);
        }
    }

    /// Whether it ends now: with its stage, through its handle, or with a worker above it.
    #[inline]
    pub(crate) fn is_aborted(&self) -> bool {
        parking::is_aborted(&self.life, self.stage, &self.kin)
    }

    /// It was aborted: aborts what it has started as well.
    #[cold]
    pub(crate) fn aborted<T>(&mut self) -> Completion<T> {
        self.abort_children();
        self.ended_otherwise(Exit::Aborted, None)
    }

    #[cold]
    pub(crate) fn abort_children(&self) {
        if let Some(children) = &self.kin.children {
            parking::abort_scope(&self.life, children);
        }
    }

    /// From now on this waker wakes the worker when what it has started has ended or failed.
    #[inline]
    pub(crate) fn wait_for_children(&self, waker: &Waker) {
        if let Some(children) = &self.kin.children {
            children.set_waker(waker);
        }
    }

    /// A failure that a member has passed to it. If a supervisor deals with it, wakes that instead.
    #[inline]
    pub(crate) fn childs_failure(&self, waker: &Waker) -> Option<Failure> {
        let children = self.kin.children.as_ref().filter(|children| children.has_failed())?;
        if !self.facts.has(Facts::SUPERVISED) || self.facts.has(Facts::LINGERS) {
            return children.take_failure();
        }
        waker.wake_by_ref();
        None
    }

    /// It fails because of what it has started.
    #[cold]
    pub(crate) fn failed_by_child<T>(&mut self, child: Failure) -> Completion<T> {
        let failure = Failure::of_child(self.subject(), child);
        let text = failure.to_string();
        self.fail(failure);
        self.ended_otherwise(Exit::ChildFailed(text.into()), None)
    }

    /// The same after its own code has ended.
    #[cold]
    pub(crate) fn failed_by_child_later(&self, child: Failure) {
        self.fail(Failure::of_child(self.subject(), child));
        if let Some(children) = &self.kin.children {
            parking::stop_scope(&self.life, children);
        }
    }

    /// The wait for what it has started, unless that has ended.
    #[inline]
    pub(crate) fn lingers(&mut self) -> Option<Linger> {
        let children = self.kin.children.as_ref().filter(|children| children.count() > 0)?;
        let children = Arc::clone(children);
        Some(self.linger(children))
    }

    #[cold]
    fn linger(&mut self, children: Arc<Scope>) -> Linger {
        self.facts.set(Facts::LINGERS, true);
        children.linger();
        self.life.registry.get(self.entry).lingering.fetch_add(1, Ordering::Relaxed);
        if self.life.members.is_each_watched(self.stage) {
            self.life.notifier.note_change();
        }
        linger::children_gone(Arc::clone(&self.life), self.entry, children, false)
    }

    /// The code has ended. An error that no supervisor has dealt with is what the policy makes of it.
    #[inline]
    pub(crate) fn ended<T>(&mut self, judged: Judged<T>) -> Completion<T> {
        match judged {
            Judged::Well(result) => {
                self.kind = ExitKind::Returned;
                if self.facts.has(Facts::ESSENTIAL) {
                    self.essential_has_ended();
                }
                Completion::new(Exit::Returned(result), &self.life, self.entry)
            }
            Judged::Otherwise(exit) => {
                let (exit, error) = *exit;
                self.ended_otherwise(exit, error)
            }
        }
    }

    #[cold]
    fn ended_otherwise<T>(&mut self, exit: Exit<T>, error: Option<String>) -> Completion<T> {
        self.kind = exit.kind();
        if let Some(text) = error {
            self.fail(Failure::error(self.subject(), text));
        }
        if let Some(children) = &self.kin.children {
            parking::stop_scope(&self.life, children);
        }
        if self.facts.has(Facts::ESSENTIAL) {
            self.essential_has_ended();
        }
        Completion::new(exit, &self.life, self.entry)
    }

    /// By itself.
    #[cold]
    fn essential_has_ended(&mut self) {
        self.facts.set(Facts::ESSENTIAL, false);
        self.essential_ended();
    }

    /// `returned`: its code had returned, and a destructor panicked afterwards.
    #[cold]
    pub(crate) fn panicked<T>(&mut self, payload: Box<dyn Any + Send>, returned: bool) -> Completion<T> {
        if returned {
            self.destructor_panicked();
        } else {
            self.fail(Failure::panic(self.subject(), payload.as_ref()));
        }
        self.ended_otherwise(Exit::Panicked(payload), None)
    }

    fn destructor_panicked(&self) {
        self.fail(Failure::destructor(self.subject()));
    }

    /// The subject of its failures.
    pub(crate) fn subject(&self) -> Subject {
        self.life.registry.get(self.entry).subject()
    }

    #[cold]
    fn fail(&self, failure: Failure) {
        let failure = failure.of_task(tokio::task::try_id());
        failing::by_policy(&self.life, self.entry, self.kin.parent.as_ref(), failure);
    }

    #[cold]
    fn essential_ended(&self) {
        failing::essential_ended(&self.life, self.entry, self.stage, self.slot);
    }

    /// The waker that is in the slot: a future polled with it is woken through the slot. None for main, whose waker
    /// other futures on its thread may share.
    #[inline]
    pub(crate) fn waker_id(&self, context: &Context<'_>) -> WakerId {
        if self.entry == EntryId::MAIN {
            current::polls_main_with(context.waker());
            WakerId::NONE
        } else {
            WakerId::of(context.waker())
        }
    }

    /// Parks in a slot. Wakes the worker at once if the stop came meanwhile.
    #[cold]
    pub(crate) fn park(&mut self, context: &Context<'_>) {
        let slot = self.slot.unwrap_or_else(|| self.take_slot());
        self.slot = Some(slot);
        self.facts.set(Facts::WAITS, true);
        if self.entry == EntryId::MAIN {
            self.life.members.main_waits(context.waker());
        }
        if parking::wait_in(&self.life, slot, self.stage, context.waker()) || self.life.phase.may_be_aborted(self.stage)
        {
            context.waker().wake_by_ref();
        }
    }

    fn take_slot(&self) -> SlotKey {
        parking::take_slot(&self.life, current::shard(), self.entry, self.stage, &self.kin)
    }

    /// Takes a slot, for a worker that blocks and is not polled: the slot says since when it runs.
    pub(crate) fn take_slot_now(&mut self) {
        if self.slot.is_none() {
            self.slot = Some(self.take_slot());
        }
    }
}

impl Drop for Registration {
    #[inline]
    fn drop(&mut self) {
        let is_special = self.facts.has(Facts::ESSENTIAL.or(Facts::SCOPED).or(Facts::LINGERS));
        if is_special || !self.life.phase.is_quiet(self.stage) {
            self.end_specially();
        }
        if let Some(slot) = self.slot {
            self.life.slots.leave(slot);
        }
        if self.entry == EntryId::MAIN {
            self.life.main_gone();
            return;
        }
        let entry = self.life.registry.get(self.entry);
        entry.ended(self.kind).fetch_add(1, Ordering::Release);
        if !self.life.phase.is_undisturbed(disturbances(self.stage, false)) && entry.live() == 0 {
            self.life.note_end(entry);
        }
        if self.kin.children.is_some() {
            self.orphan();
        }
        if let Some(parent) = &self.kin.parent
            && parent.leave()
            && parent.is_aborted()
        {
            parking::release(&self.life, parent);
        }
        self.life.leave(self.stage);
    }
}

impl Registration {
    /// The part of its end that few need.
    #[cold]
    fn end_specially(&self) {
        if self.facts.has(Facts::ESSENTIAL) {
            // Dropped from outside, before it has ended by itself.
            self.essential_ended();
        }
        if self.life.phase.may_be_aborted(self.stage) {
            parking::forget_abort(&self.life);
        }
        if !self.life.phase.is_undisturbed(disturbances(self.stage, self.is_scoped())) {
            self.note_stopped();
        }
        if self.facts.has(Facts::LINGERS) {
            self.life.registry.get(self.entry).lingering.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Nothing waits for what it has started any more.
    #[cold]
    fn orphan(&self) {
        if let Some(child) = self.kin.orphan() {
            self.fail(Failure::of_child(self.subject(), child));
        }
    }

    /// A worker that was stopped has not ended by itself: no line says that its entry is idle.
    #[cold]
    fn note_stopped(&self) {
        if parking::is_stopping(&self.life, self.stage, self.slot) {
            self.life.registry.get(self.entry).note_stopped();
        }
    }
}
