//! How far a lifecycle has come: one word of state and flags, why it stops, and when it came where.
//!
//! ```text
//!            (1)            (2)              (3)                (4)                (5)
//! Starting ──────▶ Ready ────────▶ Draining ──────▶ Stopping ────────▶ (abort) ────────▶ Stopped
//!     ▲             │                 │ nothing to drain  ▲ │                                ▲
//!     └─────────────┘                 └───────────────────┘ └──────── all have ended ────────┘
//! ```
//!
//! 1. [`Phase::set_ready`], and back.
//! 2. [`Lifecycle::begin_stop`](crate::life::lifecycle::Lifecycle::begin_stop), by the code that has the cause.
//! 3. `set_stopping` of [`transitions`](crate::stop::transitions), by the [driver](crate::stop::driver), like all that
//!    follows.
//! 4. `begin_abort`, at the budget's end less the reserve.
//! 5. `set_stopped`, when none is left or none can be waited for any longer.
//!
//! Orderings are sequentially consistent wherever a flag and something else (a slot's lock, a count) are written
//! by one side and read in the other order by the other: a weaker one would let both miss each other.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::time::Instant;

use crate::model::budget::Budget;
use crate::model::event::Timeline;
use crate::model::state::{Cause, Stage, State};

/// The low bits of the word hold the [`State`].
const STATE: u32 = 0b111;
/// The first stage is told to stop; the flags of the others follow.
const CANCELLED: u32 = 1 << 3;
/// What still runs in the first stage is dropped at its next poll; the flags of the others follow.
const ABORTING: u32 = 1 << 7;
/// A single worker was stopped through its handle: from now on each caller has to check its own slot.
const SINGLED_OUT: u32 = 1 << 11;
/// There is no drain, or an interrupt or main's end ended it early.
const DRAINED: u32 = 1 << 12;
/// A worker was aborted through its handle, or as one below another, and has yet to learn it.
const ABORT_PENDING: u32 = 1 << 13;
/// Always set: a caller that may have its own token never takes the fast path.
const ALWAYS: u32 = 1 << 31;

/// The bits of the word that concern one worker. While none is set, it is neither stopping nor aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest(u32);

impl Interest {
    /// Those of an abort, whatever the stage.
    const ABORTS: u32 = (ABORTING * 0b1111) | ABORT_PENDING;

    /// That of a worker of this stage. One that is `scoped` may be stopped apart from its stage, and always checks.
    #[inline]
    pub(crate) const fn of(stage: Stage, scoped: bool) -> Self {
        let always = (scoped as u32) << ALWAYS.trailing_zeros();
        Self((CANCELLED | ABORTING) << stage.index() | SINGLED_OUT | ABORT_PENDING | always)
    }

    /// The same of a worker that is scoped.
    pub(crate) fn scoped(self) -> Self {
        Self(self.0 | ALWAYS)
    }

    #[inline]
    pub(crate) fn is_scoped(self) -> bool {
        self.0 & ALWAYS != 0
    }

    pub(crate) fn stage(self) -> Stage {
        let is_of = |stage: &Stage| self.0 & CANCELLED << stage.index() != 0;
        Stage::ALL.into_iter().find(is_of).unwrap_or_default()
    }
}

/// The bits of the word that, if any is set, make a layer of this stage refuse requests: the stop would not wait for
/// them, or the layer refuses all in a stop.
#[cfg(feature = "tower")]
pub(crate) const fn refusals(stage: Stage, in_a_stop: bool) -> u32 {
    let flags = if in_a_stop { ABORTING | CANCELLED } else { ABORTING };
    flags << stage.index()
}

/// A flag of the first stage, for each of these stages.
fn of_stages(flag: u32, stages: &[Stage]) -> u32 {
    stages.iter().fold(0, |flags, stage| flags | flag << stage.index())
}

#[derive(Debug)]
pub(crate) struct Phase {
    /// State and flags. Each bit but `Ready`'s and `ABORT_PENDING` is set once and stays.
    word: AtomicU32,
    /// The first cause, and whether the service goes on serving for a while after it.
    cause: OnceLock<(Cause, bool)>,
    /// The budget of the stop, from the first cause on.
    budget: OnceLock<Budget>,
    /// When main and its workers were told to stop.
    told_at: OnceLock<Instant>,
    /// When all had ended or been aborted.
    joined_at: OnceLock<Instant>,
    /// Set once the service was ready.
    been_ready: AtomicBool,
    /// Set once the settings have been written.
    introduced: AtomicBool,
    /// What happened in the stop, in order.
    pub(crate) timeline: Timeline,
}

impl Default for Phase {
    fn default() -> Self {
        Self {
            word: AtomicU32::new(State::Starting as u32 | ALWAYS),
            cause: OnceLock::new(),
            budget: OnceLock::new(),
            told_at: OnceLock::new(),
            joined_at: OnceLock::new(),
            been_ready: AtomicBool::new(false),
            introduced: AtomicBool::new(false),
            timeline: Timeline::default(),
        }
    }
}

impl Phase {
    pub(crate) fn state(&self) -> State {
        State::from_bits(self.word.load(Ordering::Acquire) & STATE)
    }

    /// Whether a stop was asked for; sequentially consistent, for one side of a handshake.
    pub(crate) fn is_stop_begun(&self) -> bool {
        self.word.load(Ordering::SeqCst) & STATE >= State::Draining as u32
    }

    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.cause.get().map(|(cause, _)| cause)
    }

    #[inline]
    pub(crate) fn budget(&self) -> Option<&Budget> {
        self.budget.get()
    }

    pub(crate) fn told_at(&self) -> Option<Instant> {
        self.told_at.get().copied()
    }

    pub(crate) fn joined_at(&self) -> Option<Instant> {
        self.joined_at.get().copied()
    }

    /// Whether none of these [`refusals`] has come.
    #[cfg(feature = "tower")]
    pub(crate) fn refuses_nothing(&self, refusals: u32) -> bool {
        self.word.load(Ordering::Acquire) & refusals == 0
    }

    /// Whether this worker need not check whether it is stopping.
    #[inline]
    pub(crate) fn is_undisturbed(&self, interest: Interest) -> bool {
        self.word.load(Ordering::Acquire) & interest.0 & !Interest::ABORTS == 0
    }

    /// Whether this stage was told to stop.
    pub(crate) fn is_cancelled(&self, stage: Stage) -> bool {
        self.word.load(Ordering::SeqCst) & CANCELLED << stage.index() != 0
    }

    #[inline]
    pub(crate) fn is_aborting(&self, stage: Stage) -> bool {
        self.word.load(Ordering::Acquire) & ABORTING << stage.index() != 0
    }

    /// Whether this worker has to look, before it is polled, into whether it is aborted.
    #[inline]
    pub(crate) fn may_be_aborted(&self, interest: Interest) -> bool {
        self.word.load(Ordering::Acquire) & interest.0 & Interest::ABORTS != 0
    }

    /// Whether nothing tells this worker to stop or to end, nor another one apart from its stage. Never where it is scoped.
    #[inline]
    pub(crate) fn is_quiet(&self, interest: Interest) -> bool {
        self.word.load(Ordering::Acquire) & interest.0 == 0
    }

    pub(crate) fn set_abort_pending(&self) {
        self.word.fetch_or(ABORT_PENDING, Ordering::SeqCst);
    }

    pub(crate) fn clear_abort_pending(&self) {
        self.word.fetch_and(!ABORT_PENDING, Ordering::SeqCst);
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.word.load(Ordering::Acquire) & DRAINED != 0
    }

    /// Whether a worker was ever stopped through its handle.
    pub(crate) fn is_one_singled_out(&self) -> bool {
        self.word.load(Ordering::SeqCst) & SINGLED_OUT != 0
    }

    /// Whether the service was ever ready.
    pub(crate) fn has_been_ready(&self) -> bool {
        self.been_ready.load(Ordering::Relaxed)
    }

    /// Whether the settings have yet to be written: true once.
    pub(crate) fn introduce(&self) -> bool {
        !self.introduced.swap(true, Ordering::Relaxed)
    }

    /// Moves between `Starting` and `Ready`, and returns what it is now; nothing once a stop was asked for.
    pub(crate) fn set_ready(&self, ready: bool) -> Option<State> {
        let (from, to) = if ready { (State::Starting, State::Ready) } else { (State::Ready, State::Starting) };
        let moved = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & STATE == from as u32).then_some(word & !STATE | to as u32)
        });
        self.been_ready.fetch_or(moved.is_ok() && ready, Ordering::Relaxed);
        moved.ok().map(|_| to)
    }

    /// Keeps the first cause. Returns it, and whether it is this one.
    pub(crate) fn set_cause(&self, cause: Cause, drains: bool) -> Option<(&Cause, bool, bool)> {
        let is_first = self.cause.set((cause, drains)).is_ok();
        self.cause.get().map(|(cause, drains)| (cause, *drains, is_first))
    }

    /// The budget begins now, unless it has begun.
    pub(crate) fn begin_budget(&self, budget: impl FnOnce() -> Budget) -> &Budget {
        self.budget.get_or_init(budget)
    }

    pub(crate) fn set_told_at(&self, now: Instant) {
        let _ = self.told_at.set(now);
    }

    pub(crate) fn set_joined_at(&self, now: Instant) {
        let _ = self.joined_at.set(now);
    }

    pub(crate) fn single_out(&self) {
        self.word.fetch_or(SINGLED_OUT, Ordering::SeqCst);
    }

    pub(crate) fn end_drain(&self) {
        self.word.fetch_or(DRAINED, Ordering::SeqCst);
    }

    /// From now on callers of these stages are stopping.
    pub(crate) fn cancel(&self, stages: &[Stage]) {
        self.word.fetch_or(of_stages(CANCELLED, stages), Ordering::SeqCst);
    }

    /// From now on what runs in these stages ends at its next poll.
    pub(crate) fn abort(&self, stages: &[Stage]) {
        self.word.fetch_or(of_stages(CANCELLED | ABORTING, stages), Ordering::SeqCst);
    }

    /// Raises the state, never lowers it, and cancels stages. Returns whether the state was lower.
    pub(crate) fn advance(&self, to: State, stages: &[Stage]) -> bool {
        let flags = of_stages(CANCELLED, stages);
        let raise = |word: u32| Some(word & !STATE | flags | (word & STATE).max(to as u32));
        let before = self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
        before.is_ok_and(|before| before & STATE < to as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_looks_closer_for_its_own_stage_and_for_single_workers_alone() {
        for (stage, other) in Stage::ALL.into_iter().flat_map(|stage| Stage::ALL.map(|other| (stage, other))) {
            let (interest, concerned) = (Interest::of(stage, false), stage == other);
            let seen = |act: &dyn Fn(&Phase)| {
                let phase = Phase::default();
                act(&phase);
                (!phase.is_undisturbed(interest), phase.may_be_aborted(interest), !phase.is_quiet(interest))
            };
            assert_eq!(seen(&|phase| phase.cancel(&[other])), (concerned, false, concerned));
            assert_eq!(seen(&|phase| phase.abort(&[other])), (concerned, concerned, concerned));
            assert_eq!(seen(&Phase::single_out), (true, false, true));
            assert_eq!(seen(&Phase::set_abort_pending), (false, true, true));
            assert_eq!(seen(&Phase::end_drain), (false, false, false));
        }
    }

    #[test]
    fn a_worker_that_may_have_a_token_always_looks_closer_whether_it_is_stopping() {
        for stage in Stage::ALL {
            let (plain, scoped) = (Interest::of(stage, false), Interest::of(stage, true));
            assert_eq!((plain.stage(), scoped.stage(), plain.scoped()), (stage, stage, scoped));
            let phase = Phase::default();
            assert!(phase.is_undisturbed(plain) && !phase.is_undisturbed(scoped));
            assert!(!phase.may_be_aborted(scoped));
        }
    }
}
