//! A worker's registration: what is known of it while it runs, and what is given back whatever happens.

mod ending;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use crate::life::lifecycle::Lifecycle;
use crate::life::local::Local;
use crate::life::phase::Interest;
use crate::life::scope::{Kin, Scope};
use crate::life::slot_key::SlotKey;
use crate::model::exit::ExitKind;
use crate::model::failure::{Failure, Subject};
use crate::model::label::EntryId;
use crate::model::outcome;
use crate::model::state::Stage;
use crate::work::code::AnyCode;
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
    local: Arc<Local>,
    pub(crate) slot: Option<SlotKey>,
    pub(crate) kin: Kin,
    pub(crate) entry: EntryId,
    pub(crate) stage: Stage,
    facts: Facts,
    /// In which second it was last polled; the lower half, which is enough to notice another one.
    second: u16,
}

/// What else a registration knows, in one byte: flags, and how the worker ended, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts(u8);

impl Facts {
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

    /// Where the kind of its end is.
    const KIND: u8 = 5;
    /// So it ends if nothing else is noted.
    const ABORTED: Self = Self((ExitKind::Aborted as u8) << Self::KIND);

    /// How it ended.
    #[inline]
    fn kind(self) -> ExitKind {
        ExitKind::from_bits(self.0 >> Self::KIND)
    }

    #[inline]
    fn set_kind(&mut self, kind: ExitKind) {
        self.0 = self.0 & !Self::ABORTED.0 | (kind as u8) << Self::KIND;
    }

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
    pub(crate) fn of_main(life: &Arc<Lifecycle>) -> Self {
        Self::new(current::local(life), EntryId::MAIN, Stage::Main, None)
    }

    /// For one more of `entry`, whose start and arrival have been counted. Counts it as a member of its scope.
    #[inline]
    pub(crate) fn new(local: Arc<Local>, entry: EntryId, stage: Stage, parent: Option<Arc<Scope>>) -> Self {
        if let Some(parent) = &parent {
            // Rule 1 of a scope: before the spawn.
            parent.arrive();
        }
        let kin = Kin { parent, children: None };
        Self { local, slot: None, kin, entry, stage, facts: Facts::ABORTED, second: 0 }
    }

    #[inline]
    pub(crate) fn life(&self) -> &Arc<Lifecycle> {
        &self.local.life
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

    /// Runs a worker's code: a poll, the whole of a blocking one, or its destructors. `interest` is its own.
    #[inline]
    pub(crate) fn run<T>(
        &mut self,
        interest: Interest,
        waker: WakerId,
        code: impl FnOnce() -> T,
    ) -> std::thread::Result<T> {
        let guarded = || catch_unwind(AssertUnwindSafe(code));
        let current = Current { entry: self.entry, slot: self.slot, interest };
        let (ran, after) = current::polling(&self.local.life, current, &mut self.kin, waker, guarded);
        self.slot = after.slot;
        if after.interest != interest {
            // It got a token in this poll.
            self.facts.set(Facts::SCOPED, true);
        }
        ran
    }

    /// Its code waits. `interest`: its own before the poll. Returns a failure that a member has passed to it.
    #[inline]
    pub(crate) fn pends(&mut self, interest: Interest, context: &Context<'_>) -> Option<Failure> {
        if self.waits() {
            self.waits_on();
        } else {
            self.park(context);
        }
        if self.is_scoped() && !interest.is_scoped() {
            // It got a token in this poll: futures that wait by the slot alone have to register with it.
            context.waker().wake_by_ref();
        }
        let children = self.kin.children.as_ref()?;
        // Rule 3 of a scope: the waker, then the failure.
        children.set_waker(context.waker());
        self.childs_failure(context.waker())
    }

    /// It goes on waiting, in its slot: once a second at the most, others see when it was last polled.
    #[inline]
    fn waits_on(&mut self) {
        let second = self.life().time.clock.second();
        if self.second != second {
            self.second = second;
            self.slot.into_iter().for_each(|slot| self.life().slots.note_polled(slot));
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

    /// Which flags concern it.
    #[inline]
    pub(crate) fn interest(&self) -> Interest {
        Interest::of(self.stage, self.is_scoped())
    }

    /// Drops the future in the worker's name, so that a report names the worker if a destructor blocks or panics.
    #[cold]
    pub(crate) fn drop_early<R>(&mut self, code: Pin<&mut dyn AnyCode<R>>) {
        if let Err(payload) = self.run(self.interest(), WakerId::NONE, || code.end(None)) {
            self.destructor_panicked();
            outcome::discard(payload);
        }
    }

    /// Whether it ends now: with its stage, through its handle, or with a worker above it.
    #[inline]
    pub(crate) fn is_aborted(&self, interest: Interest) -> bool {
        parking::is_aborted(self.life(), interest, &self.kin)
    }

    /// Whether its own code has ended. An abort then ends what it has started, and the worker keeps its result.
    #[cold]
    pub(crate) fn only_waits(&self) -> bool {
        self.kin.children.as_ref().is_some_and(|children| children.is_lingering())
    }

    #[cold]
    pub(crate) fn abort_children(&self) {
        if let Some(children) = &self.kin.children {
            children.note_abort_of_owner();
            parking::abort_scope(self.life(), children);
        }
    }

    /// A failure that a member has passed to it. If a supervisor deals with it, wakes that instead.
    fn childs_failure(&self, waker: &Waker) -> Option<Failure> {
        let children = self.kin.children.as_ref().filter(|children| children.has_failed())?;
        if !self.facts.has(Facts::SUPERVISED) || self.facts.has(Facts::LINGERS) {
            return children.take_failure();
        }
        waker.wake_by_ref();
        None
    }

    /// Whether nothing follows when its own code has ended well: it has started no others, and is not essential.
    #[inline]
    pub(crate) fn ends_alone(&self) -> bool {
        self.kin.children.is_none() && !self.facts.has(Facts::ESSENTIAL)
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
        self.life().registry.get(self.entry).lingering.fetch_add(1, Ordering::Relaxed);
        if self.life().members.is_each_watched(self.stage) {
            self.life().notifier.note_change();
        }
        linger::children_gone(Arc::clone(self.life()), self.entry, children, false)
    }

    /// The subject of its failures.
    pub(crate) fn subject(&self) -> Subject {
        self.life().registry.get(self.entry).subject()
    }

    #[cold]
    fn fail(&self, failure: Failure) {
        let failure = failure.of_task(tokio::task::try_id());
        failing::by_policy(self.life(), self.entry, self.kin.parent.as_ref(), failure);
    }

    /// The waker that is in the slot: a future polled with it is woken through the slot. None for main, whose waker
    /// other futures on its thread may share.
    #[inline]
    pub(crate) fn waker_id(&self, context: &Context<'_>) -> WakerId {
        if self.entry == EntryId::MAIN {
            self.life().members.main.count_poll();
            current::polls_main_with(context.waker());
            WakerId::NONE
        } else {
            WakerId::of(context.waker())
        }
    }

    /// Parks in a slot. Wakes the worker at once if the stop came meanwhile.
    #[cold]
    pub(crate) fn park(&mut self, context: &Context<'_>) {
        // Rule 4 of a scope: the waker, then the line.
        if let Some(slot) = self.slot {
            self.life().slots.set_waker(slot, context.waker());
        } else {
            self.second = self.life().time.clock.second();
            self.slot = Some(self.take_slot(Some(context.waker())));
        }
        self.facts.set(Facts::WAITS, true);
        if self.entry == EntryId::MAIN {
            self.life().members.main.waits(context.waker());
        }
        // What would have woken it may have happened before its waker was there.
        if !self.life().phase.is_quiet(self.interest()) && self.is_told() {
            context.waker().wake_by_ref();
        }
    }

    #[cold]
    fn is_told(&self) -> bool {
        let looks = self.entry != EntryId::MAIN || self.life().members.main.has_asked();
        looks && parking::is_stopping_unscoped(self.life(), self.stage, self.slot)
            || self.life().phase.may_be_aborted(self.interest())
    }

    #[inline]
    fn take_slot(&self, waker: Option<&Waker>) -> SlotKey {
        parking::take_slot(self.life(), current::thread(), self.entry, self.stage, &self.kin, waker)
    }

    /// Takes a slot, for a worker that blocks and is not polled: the slot says since when it runs.
    pub(crate) fn take_slot_now(&mut self) {
        if self.slot.is_none() {
            self.slot = Some(self.take_slot(None));
        }
    }
}
