//! What callers ask about their own end, and how they are told.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use super::{ABORTING, CANCELLED, Lifecycle, SINGLED_OUT, disturbances, of_stages};
use crate::life::slot_key::SlotKey;
use crate::life::slots::Parked;
use crate::model::event::Event;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::say::lines;

impl Lifecycle {
    /// Tells stages to stop: those who sit by their slots first; then the tokens and whoever waits for a state, who may
    /// be woken by code of the user's.
    pub(crate) fn cancel(self: &Arc<Self>, stages: &[Stage]) {
        let flags = of_stages(CANCELLED, stages);
        self.word.fetch_or(flags, Ordering::SeqCst);
        for &stage in stages {
            self.timeline.note(self.now(), Event::Told(stage));
        }
        for &stage in stages {
            self.slots.wake(stage);
        }
        // One that is handed out from here on is cancelled by whoever takes it, who sees the flag.
        if self.has_users_tokens.load(Ordering::SeqCst) {
            for &stage in stages {
                self.call_wakers(move |life| life.tokens[stage.index()].cancel());
            }
        } else if self.has_tokens.load(Ordering::SeqCst) {
            // Whoever waits for one does so with a waker of the runtime's.
            for &stage in stages {
                self.tokens[stage.index()].cancel();
            }
        }
        self.notify_waiters();
    }

    /// Has something done that calls wakers of the user's: by a thread of its own, since they may block. In a test
    /// everything is done right here.
    pub(super) fn call_wakers(self: &Arc<Self>, call: impl FnOnce(&Self) + Send + 'static) {
        if self.settings.is_test {
            return self.guard(|| call(self));
        }
        let life = Arc::clone(self);
        self.wakers_running.fetch_add(1, Ordering::AcqRel);
        let job = Box::new(move || {
            life.guard(|| call(&life));
            life.wakers_running.fetch_sub(1, Ordering::AcqRel);
            life.wake_driver();
        });
        if let Err(job) = self.helper.run("graceful-waker", job) {
            self.writer.run(job);
        }
    }

    /// From now on a waker of the user's may wait for a token.
    pub(crate) fn note_users_token(&self) {
        if !self.has_users_tokens.load(Ordering::Relaxed) {
            self.has_users_tokens.store(true, Ordering::SeqCst);
        }
    }

    /// Runs something that calls wakers of the user's. One that panics ends nothing.
    fn guard(&self, tell: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(tell)).is_err() {
            self.writer.say(lines::waker_panicked());
        }
    }

    /// Whether wakers are being called just now that may be the user's.
    pub(crate) fn runs_wakers(&self) -> bool {
        self.wakers_running.load(Ordering::Acquire) > 0
    }

    /// Whether none of these [`disturbances`](super::disturbances) has come.
    #[inline]
    pub(crate) fn is_undisturbed(&self, disturbances: u32) -> bool {
        self.word.load(Ordering::Acquire) & disturbances == 0
    }

    pub(crate) fn is_cancelled(&self, stage: Stage) -> bool {
        self.word.load(Ordering::SeqCst) & CANCELLED << stage.index() != 0
    }

    #[inline]
    pub(crate) fn is_aborting(&self, stage: Stage) -> bool {
        self.word.load(Ordering::Acquire) & ABORTING << stage.index() != 0
    }

    /// Whether the worker with this slot is to stop, with its stage or by itself.
    pub(crate) fn is_stopping(&self, stage: Stage, slot: Option<SlotKey>) -> bool {
        self.is_cancelled(stage) || slot.is_some_and(|slot| self.slots.is_stopped(slot))
    }

    /// The same for a worker that has no token: only its handle can have stopped it apart from its stage.
    pub(crate) fn is_stopping_unscoped(&self, stage: Stage, slot: Option<SlotKey>) -> bool {
        !self.is_undisturbed(disturbances(stage, false)) && self.is_stopping(stage, slot)
    }

    pub(crate) fn stage_token(&self, stage: Stage) -> CancellationToken {
        self.in_step(stage, || self.tokens[stage.index()].clone())
    }

    /// A token for a caller who has no slot: a child of the stage's.
    pub(crate) fn child_token(&self, stage: Stage) -> CancellationToken {
        self.in_step(stage, || self.tokens[stage.index()].child_token())
    }

    /// The own token of the worker in this slot.
    pub(crate) fn own_token(&self, stage: Stage, slot: SlotKey) -> CancellationToken {
        self.in_step(stage, || self.slots.own_token(slot, &self.tokens[stage.index()]))
    }

    /// The flag of a stage is up before its token is cancelled, if there is anybody who has one: a token that is handed
    /// out in between agrees with the flag.
    fn in_step(&self, stage: Stage, make: impl FnOnce() -> CancellationToken) -> CancellationToken {
        if !self.has_tokens.load(Ordering::Relaxed) {
            self.has_tokens.store(true, Ordering::SeqCst);
        }
        let token = make();
        if self.is_cancelled(stage) {
            token.cancel();
        }
        token
    }

    /// A worker has learnt that it is to stop: where its stage has not come, nobody else knows.
    pub(crate) fn note_told(&self, stage: Stage, slot: Option<SlotKey>) {
        if let Some(slot) = slot.filter(|_| !self.is_cancelled(stage)) {
            self.slots.note_told(slot);
        }
    }

    /// Stops one worker and its children.
    pub(crate) fn stop_worker(&self, stage: Stage, handle: AbortHandle) {
        self.has_tokens.store(true, Ordering::SeqCst);
        self.word.fetch_or(SINGLED_OUT, Ordering::SeqCst);
        self.slots.stop(handle, stage, &self.tokens);
    }

    /// Takes a slot for the task being polled here.
    /// `shard`: where the thread looks first.
    pub(crate) fn take_slot(&self, shard: u32, entry: EntryId, stage: Stage) -> SlotKey {
        let task = tokio::task::try_id();
        let key = self.slots.take(shard, entry, stage, task, None);
        self.hear_of_early_stop(key, stage, task);
        key
    }

    /// Makes a child's slot that of the task being polled here.
    pub(crate) fn claim_slot(&self, key: SlotKey, stage: Stage) {
        let task = tokio::task::try_id();
        self.slots.claim(key, task);
        self.hear_of_early_stop(key, stage, task);
    }

    fn hear_of_early_stop(&self, key: SlotKey, stage: Stage, task: Option<Id>) {
        if self.word.load(Ordering::SeqCst) & SINGLED_OUT != 0 && self.slots.was_stopped_early(task) {
            self.own_token(stage, key).cancel();
        }
    }

    /// Lets the worker wait in its slot. Returns whether it should look again at once: what would have
    /// woken it may have happened while it sat down.
    pub(crate) fn wait_in(&self, slot: SlotKey, stage: Stage, waker: &Waker) -> bool {
        self.slots.set_waker(slot, waker);
        !self.is_undisturbed(disturbances(stage, false)) && self.is_stopping(stage, Some(slot))
    }

    /// Who sits, by function.
    pub(crate) fn tally(&self) -> HashMap<EntryId, Parked> {
        self.slots.tally(|stage| self.is_cancelled(stage))
    }

    pub(crate) fn note_main_looked(&self) {
        self.main_looked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_main_looked(&self) -> bool {
        self.main_looked.load(Ordering::Relaxed)
    }
}
