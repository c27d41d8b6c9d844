//! What the steps of a stop change in the lifecycle.

use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::model::event::Event;
use crate::model::state::{Stage, State};

/// Tells stages to stop: first the workers parked in their slots; then the tokens and the code that waits for a state,
/// whose wakers may be the user's.
pub(super) fn cancel(life: &Arc<Lifecycle>, stages: &[Stage]) {
    life.phase.cancel(stages);
    // The early stage is told when the drain begins, and main's with it where there is none: then not again.
    let is_first = |stage: &Stage| life.phase.timeline.note(life.now(), Event::Told(*stage));
    let stages: Vec<_> = stages.iter().copied().filter(is_first).collect();
    if !stages.is_empty() {
        life.wake_told(|stage| stages.contains(&stage));
    }
    // A token that is handed out from here on is cancelled by the code that takes it, which sees the flag.
    for stage in stages {
        if life.tokens.are_given() {
            life.call_wakers(move |life| life.tokens.cancel(stage));
        } else if life.tokens.are_taken() {
            // Only wakers of the runtime's wait for it.
            life.tokens.cancel(stage);
        }
    }
    life.notify_waiters();
}

pub(super) fn set_stopping(life: &Lifecycle) {
    life.phase.set_told_at(life.now());
    life.advance(State::Stopping, &[Stage::Early, Stage::Main]);
    life.listeners.notify_systemd(State::Stopping);
}

/// Ends what still runs in these stages at its next poll.
pub(super) fn begin_abort(life: &Lifecycle, stages: &[Stage]) {
    life.phase.abort(stages);
    life.slots.wake_those(&mut |_, stage| stages.contains(&stage));
}

pub(super) fn set_stopped(life: &Arc<Lifecycle>) {
    life.phase.set_joined_at(life.now());
    life.members.close();
    life.advance(State::Stopped, &Stage::ALL);
    life.listeners.notify_systemd(State::Stopped);
    life.notify_waiters();
}
