//! What went wrong, and whose failure it is.

use std::sync::Arc;
use std::time::Duration;

use super::Lifecycle;
use crate::model::failure::{Failure, How, Who};
use crate::model::label::EntryId;
use crate::model::policy::OnFailure;
use crate::model::state::Cause;
use crate::os::signal::Signal;
use crate::say::lines;

impl Lifecycle {
    /// What the policy of a worker of this row makes of its failure.
    pub(crate) fn fail_by_policy(&self, row: EntryId, failure: Failure) {
        match self.rows.policy(row).on_failure() {
            OnFailure::Log => self.writer.say(lines::logged(&failure)),
            // A run that failed would be followed by another one: its destructors are no more than it is.
            OnFailure::Restart if matches!(failure.how, How::Destructor) => {
                self.writer.say(lines::logged(&failure));
            }
            OnFailure::Stop | OnFailure::Restart => self.fail(failure),
        }
    }

    pub(crate) fn fail(&self, failure: Failure) {
        let cause = match &failure.who {
            Who::Main => Cause::MainEnded,
            Who::Worker(name, _) | Who::Hook(_, name) => Cause::Failure(Arc::clone(name)),
        };
        if let Some(line) = lines::failed(&failure) {
            self.writer.say(line);
        }
        self.failures.add(failure);
        self.begin_stop(cause);
    }

    /// The signal to die of: one caused the stop, that was asked for, and nothing failed but main because of it.
    pub(crate) fn fatal_signal(&self) -> Option<Signal> {
        let Some(Cause::Signal(signal)) = self.cause() else {
            return None;
        };
        (self.settings.reraise && self.failures.are_mains_alone()).then_some(*signal)
    }

    /// Whose failure it is that happened to a worker of this row.
    pub(crate) fn who(&self, row: EntryId) -> Who {
        self.rows.label(row).map_or(Who::Main, |label| {
            let location = label.location();
            Who::Worker(label.name.into(), location.into())
        })
    }

    /// A worker did not stop within its own budget and was aborted.
    pub(crate) fn overran(&self, row: EntryId, budget: Duration) {
        let failure = Failure::overrun(self.who(row), budget).of_task(tokio::task::try_id());
        self.writer.say(lines::hook_failed(&failure));
        self.failures.add(failure);
    }
}
