//! How a worker waits in its slot, and how it learns that it is stopping: with its stage, or by itself.

use std::sync::Arc;
use std::task::Waker;

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::life::lifecycle::Lifecycle;
use crate::life::phase::Interest;
use crate::life::scope::{Kin, Scope};
use crate::life::slot_key::SlotKey;
use crate::model::label::EntryId;
use crate::model::state::Stage;

/// Whether the worker with this slot is stopping, with its stage or by itself.
pub(crate) fn is_stopping(life: &Lifecycle, stage: Stage, slot: Option<SlotKey>) -> bool {
    life.phase.is_cancelled(stage) || slot.is_some_and(|slot| life.slots.is_stopped(slot))
}

/// The same for a worker without a token: the flags of the lifecycle rule out most stops before it checks the slot.
pub(crate) fn is_stopping_unscoped(life: &Lifecycle, stage: Stage, slot: Option<SlotKey>) -> bool {
    !life.phase.is_undisturbed(Interest::of(stage, false)) && is_stopping(life, stage, slot)
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

/// Notes that a worker has seen that it is stopping, unless its stage was told to stop, which says as much.
pub(crate) fn note_told(life: &Lifecycle, stage: Stage, slot: Option<SlotKey>) {
    if let Some(slot) = slot.filter(|_| !life.phase.is_cancelled(stage)) {
        life.slots.note_told(slot);
    }
}

/// Stops one worker, and the workers below it.
pub(crate) fn stop_worker(life: &Lifecycle, handle: AbortHandle) {
    life.tokens.note_taken();
    life.phase.single_out();
    life.slots.stop(handle, life.tokens.all());
}

/// Stops what a worker has started.
pub(crate) fn stop_scope(life: &Lifecycle, scope: &Arc<Scope>) {
    life.tokens.note_taken();
    life.phase.single_out();
    life.slots.stop_scope(scope, life.tokens.all());
}

/// Ends one worker, and those below it, at their next polls. One that `blocks` has none: those below it end now.
pub(crate) fn abort_worker(life: &Lifecycle, handle: AbortHandle, blocks: bool) {
    let children = life.slots.abort(handle, || life.phase.set_abort_pending());
    if let Some(children) = children.filter(|_| blocks) {
        abort_scope(life, &children);
    }
}

/// Ends what a worker has started, at the next polls. Where a scope above was aborted, its members look for that, and
/// those that wait have been told: once for a whole subtree.
pub(crate) fn abort_scope(life: &Lifecycle, scope: &Arc<Scope>) {
    if scope.is_line_aborted() && !scope.is_released() {
        return;
    }
    life.tokens.note_taken();
    life.phase.single_out();
    life.slots.hold_abort(|| life.phase.set_abort_pending());
    let is_again = scope.hold_again();
    // Rule 4 of a scope: the flag, then the search.
    if !scope.abort() && !is_again {
        // It was aborted meanwhile.
        life.slots.release_abort(|| life.phase.clear_abort_pending());
    } else if scope.count() == 0 {
        release(life, scope);
    }
    life.slots.tell_below(scope, life.tokens.all());
}

/// A member leaves its scope.
#[inline]
pub(crate) fn leave(life: &Lifecycle, scope: &Scope) {
    if scope.leave() && scope.is_aborted() {
        release(life, scope);
    }
}

/// A scope is aborted and empty: no worker has to check for its abort any more.
fn release(life: &Lifecycle, scope: &Scope) {
    if scope.release() {
        life.slots.release_abort(|| life.phase.clear_abort_pending());
    }
}

/// Whether a worker ends now: with its stage, through its handle, or with a worker above it.
#[inline]
pub(crate) fn is_aborted(life: &Lifecycle, interest: Interest, kin: &Kin) -> bool {
    life.phase.may_be_aborted(interest) && is_really_aborted(life, interest.stage(), kin)
}

#[cold]
fn is_really_aborted(life: &Lifecycle, stage: Stage, kin: &Kin) -> bool {
    life.phase.is_aborting(stage) || forget_abort(life) || kin.parent.as_ref().is_some_and(Scope::is_line_aborted)
}

/// Whether the task being polled here was aborted through its handle; forgets it.
pub(crate) fn forget_abort(life: &Lifecycle) -> bool {
    life.slots.take_abort(tokio::task::try_id(), || life.phase.clear_abort_pending())
}

/// Makes what a worker has started stop with the worker's own token.
pub(crate) fn watch_token(life: &Arc<Lifecycle>, scope: &Arc<Scope>, token: CancellationToken) {
    let Some(runtime) = life.runtime.get() else { return };
    // Rule 2 of a scope: from now on members check their line.
    life.phase.single_out();
    scope.watch(&token.clone(), || {
        let (life, scope) = (Arc::clone(life), Arc::downgrade(scope));
        let ours = life.tokens.count_watcher();
        let watch = async move {
            let _ours = ours;
            token.cancelled().await;
            if let Some(scope) = scope.upgrade() {
                stop_scope(&life, &scope);
            }
        };
        runtime.spawn(watch).abort_handle()
    });
}

/// Takes a slot for the task being polled here, in the `shard` that the thread prefers, with its waker if it waits.
#[inline]
pub(crate) fn take_slot(
    life: &Lifecycle,
    shard: u32,
    entry: EntryId,
    stage: Stage,
    kin: &Kin,
    waker: Option<&Waker>,
) -> SlotKey {
    let task = tokio::task::try_id();
    let key = life.slots.take(shard, entry, stage, task, kin, waker);
    if life.phase.is_one_singled_out() && life.slots.take_stop(task) {
        life.slots.stop_slot(key, life.tokens.all());
    }
    key
}
