//! A thread that drops what a worker has left behind.

use std::mem;
use std::sync::Arc;

use super::{Entered, Outer, enter, look, look_with_life};
use crate::life::lifecycle::Lifecycle;
use crate::life::phase::Interest;
use crate::life::scope::Kin;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::work::polled::{Current, WakerId};

/// Marks this thread as busy with what a worker of `entry` left behind, while the guard lives. A thread of no
/// lifecycle is this one's meanwhile; a thread of another lifecycle stays unmarked.
pub(crate) fn busy_with(life: &Arc<Lifecycle>, entry: EntryId) -> Busy {
    let is_free = look(|here| here.id.get().is_none()).unwrap_or(false);
    let entered = is_free.then(|| enter(life));
    let worker = Current { entry, slot: None, interest: Interest::of(Stage::Main, false) };
    let mut kin = Kin::NONE;
    let outer = look_with_life(|here, own| {
        let tick = life.tick();
        let is_ours = Arc::ptr_eq(own, life);
        is_ours.then(|| {
            mem::swap(&mut *here.kin.borrow_mut(), &mut kin);
            here.set(here.seen(), worker, WakerId::NONE, tick)
        })
    });
    Busy { outer: outer.flatten(), kin, _entered: entered }
}

/// Restores the record when it is dropped.
pub(crate) struct Busy {
    outer: Option<Outer>,
    /// The scopes of the worker that was being polled.
    kin: Kin,
    // Dropped after that.
    _entered: Option<Entered>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(outer) = self.outer.take() {
            let left = look_with_life(|here, life| {
                let slot = here.seen().slot();
                mem::swap(&mut *here.kin.borrow_mut(), &mut self.kin);
                here.restore(here.seen(), outer);
                Some((Arc::clone(life), slot?))
            });
            // What a destructor has started belongs to no worker.
            self.kin.orphan();
            // A destructor that asked about the stop has taken a slot.
            if let Some((life, slot)) = left.flatten() {
                life.slots.leave(slot, false);
            }
        }
    }
}
