//! What went wrong, and whose failure it is.

use std::sync::Arc;

use super::Lifecycle;
use crate::model::failure::{Failure, FailureKind, Subject};
use crate::model::label::EntryId;
use crate::model::policy::OnFailure;
use crate::model::state::Cause;
use crate::say::lines;

impl Lifecycle {
    /// What the policy of a worker of this entry makes of its failure.
    pub(crate) fn fail_by_policy(&self, entry: EntryId, failure: Failure) {
        match self.registry.get(entry).policy().on_failure() {
            OnFailure::Log => self.writer.say(lines::logged(&failure)),
            // A run that failed would be followed by another one: its destructors are no more than it is.
            OnFailure::Restart if matches!(failure.kind, FailureKind::Destructor) => {
                self.writer.say(lines::logged(&failure));
            }
            OnFailure::Stop | OnFailure::Restart => self.fail(failure),
        }
    }

    pub(crate) fn fail(&self, failure: Failure) {
        let cause = match &failure.subject {
            Subject::Main => Cause::MainEnded,
            Subject::Worker(name, _) | Subject::Hook(_, name) => Cause::Failure(Arc::clone(name)),
        };
        if let Some(line) = lines::failed(&failure) {
            self.writer.say(line);
        }
        self.diagnostics.failures.add(failure);
        self.begin_stop(cause);
    }

    /// Notes a failure that asks for no stop: it came in one.
    pub(crate) fn note_failure(&self, failure: Failure) {
        self.writer.say(lines::noted(&failure));
        self.diagnostics.failures.add(failure);
    }
}
