//! What went wrong, and whose failure it is.

use std::sync::Arc;

use super::Lifecycle;
use crate::model::failure::{Failure, Subject};
use crate::model::state::Cause;
use crate::say::failures;

impl Lifecycle {
    pub(crate) fn fail(&self, failure: Failure) {
        let cause = match &failure.subject {
            Subject::Main => {
                self.members.main.note_failed();
                Cause::MainEnded
            }
            Subject::Worker(name, _) | Subject::Hook(_, name) => Cause::Failure(Arc::clone(name)),
        };
        // Std has printed main's error.
        if !failure.is_mains() {
            self.writer.say(failures::failed(&failure));
        }
        self.diagnostics.failures.add(failure);
        self.begin_stop(cause);
    }

    /// Notes a failure that asks for no stop, since one is under way.
    pub(crate) fn note_failure(&self, failure: Failure) {
        self.writer.say(failures::failed(&failure));
        self.diagnostics.failures.add(failure);
    }
}
