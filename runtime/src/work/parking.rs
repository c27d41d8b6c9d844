//! How a worker waits in its slot, and how it learns that it is stopping: with its stage, or by itself.

use std::task::Waker;

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use crate::life::lifecycle::Lifecycle;
use crate::life::phase::disturbances;
use crate::life::slot_key::SlotKey;
use crate::model::label::EntryId;
use crate::model::state::Stage;

/// Whether the worker with this slot is stopping, with its stage or by itself.
pub(crate) fn is_stopping(life: &Lifecycle, stage: Stage, slot: Option<SlotKey>) -> bool {
    life.phase.is_cancelled(stage) || slot.is_some_and(|slot| life.slots.is_stopped(slot))
}

/// The same for a worker that has no token: only its handle can have stopped it apart from its stage.
pub(crate) fn is_stopping_unscoped(life: &Lifecycle, stage: Stage, slot: Option<SlotKey>) -> bool {
    !life.phase.is_undisturbed(disturbances(stage, false)) && is_stopping(life, stage, slot)
}

/// The token of a stage.
pub(crate) fn stage_token(life: &Lifecycle, stage: Stage) -> CancellationToken {
    life.tokens.take(&life.phase, stage, CancellationToken::clone)
}

/// A token for a caller that has no slot: a child of the stage's.
pub(crate) fn child_token(life: &Lifecycle, stage: Stage) -> CancellationToken {
    life.tokens.take(&life.phase, stage, CancellationToken::child_token)
}

/// The own token of the worker in this slot.
pub(crate) fn own_token(life: &Lifecycle, stage: Stage, slot: SlotKey) -> CancellationToken {
    life.tokens.take(&life.phase, stage, |token| life.slots.own_token(slot, token))
}

/// A worker has learnt that it is stopping: where its stage has not come, nothing else knows.
pub(crate) fn note_told(life: &Lifecycle, stage: Stage, slot: Option<SlotKey>) {
    if let Some(slot) = slot.filter(|_| !life.phase.is_cancelled(stage)) {
        life.slots.note_told(slot);
    }
}

/// Stops one worker and its children.
pub(crate) fn stop_worker(life: &Lifecycle, stage: Stage, handle: AbortHandle) {
    life.tokens.note_taken();
    life.phase.single_out();
    life.slots.stop(handle, stage, life.tokens.all());
}

/// Takes a slot for the task being polled here, in the `shard` that the thread prefers.
pub(crate) fn take_slot(life: &Lifecycle, shard: u32, entry: EntryId, stage: Stage) -> SlotKey {
    let task = tokio::task::try_id();
    let key = life.slots.take(shard, entry, stage, task, None);
    learn_of_early_stop(life, key, stage, task);
    key
}

/// Makes a child's slot that of the task being polled here.
pub(crate) fn claim_slot(life: &Lifecycle, key: SlotKey, stage: Stage) {
    let task = tokio::task::try_id();
    life.slots.claim(key, task);
    learn_of_early_stop(life, key, stage, task);
}

fn learn_of_early_stop(life: &Lifecycle, key: SlotKey, stage: Stage, task: Option<Id>) {
    if life.phase.is_one_singled_out() && life.slots.was_stopped_early(task) {
        own_token(life, stage, key).cancel();
    }
}

/// Lets the worker wait in its slot. Returns whether it should look again at once: what would have
/// woken it may have happened before its waker was there.
pub(crate) fn wait_in(life: &Lifecycle, slot: SlotKey, stage: Stage, waker: &Waker) -> bool {
    life.slots.set_waker(slot, waker);
    !life.phase.is_undisturbed(disturbances(stage, false)) && is_stopping(life, stage, Some(slot))
}
