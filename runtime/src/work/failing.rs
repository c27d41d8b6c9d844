//! What becomes of a failure.

use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::life::scope::Scope;
use crate::life::slot_key::SlotKey;
use crate::model::failure::{Failure, FailureKind, Subject};
use crate::model::label::EntryId;
use crate::model::policy::OnFailure;
use crate::model::state::{Cause, Stage};
use crate::say::failures;
use crate::work::parking;

/// What a failure of a worker means: by its own policy, else by that of the nearest worker above it that says so.
pub(crate) fn meaning(life: &Lifecycle, entry: EntryId, parent: Option<&Arc<Scope>>) -> OnFailure {
    let policy = life.registry.get(entry).policy();
    let default =
        parent.and_then(|parent| parent.line().find_map(|scope| life.registry.get(scope.owner()).policy().children));
    policy.on_failure_or(default)
}

/// Does what the policy of a worker makes of its failure.
pub(crate) fn by_policy(life: &Lifecycle, entry: EntryId, parent: Option<&Arc<Scope>>, failure: Failure) {
    life.registry.get(entry).trouble.note_failure(failure.kind.to_string());
    match meaning(life, entry, parent) {
        OnFailure::Log => life.writer.say(failures::logged(&failure)),
        // A run that fails would only be followed by another one: its destructor's panic weighs no more.
        OnFailure::Restart if matches!(failure.kind, FailureKind::Destructor) => {
            life.writer.say(failures::logged(&failure));
        }
        OnFailure::Parent => pass_up(life, parent, failure),
        OnFailure::Stop | OnFailure::Restart => life.fail(failure),
    }
}

/// The same for a worker that does not run again, since it was aborted or told to stop.
pub(crate) fn by_policy_in_the_end(life: &Lifecycle, entry: EntryId, parent: Option<&Arc<Scope>>, failure: Failure) {
    if meaning(life, entry, parent) == OnFailure::Restart {
        life.registry.get(entry).trouble.note_failure(failure.kind.to_string());
        life.writer.say(failures::logged(&failure));
    } else {
        by_policy(life, entry, parent, failure);
    }
}

/// Passes the failure to the worker that has started this one, or to the process if there is none any more.
pub(crate) fn pass_up(life: &Lifecycle, parent: Option<&Arc<Scope>>, failure: Failure) {
    let passed = match parent {
        Some(parent) => parent.fail(failure),
        None => Err(failure),
    };
    if let Err(failure) = passed {
        life.fail(failure);
    }
}

/// An essential worker that ends by itself ends the process. One that was told to stop does not.
#[cold]
pub(crate) fn essential_ended(life: &Lifecycle, entry: EntryId, stage: Stage, slot: Option<SlotKey>) {
    if !parking::is_stopping(life, stage, slot)
        && let Subject::Worker(name, _) = life.registry.get(entry).subject()
    {
        life.begin_stop(Cause::Essential(name));
    }
}
