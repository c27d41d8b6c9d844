//! What is noted of a stop for its last lines, and for the report of a bad end.

use std::sync::OnceLock;

use crate::life::poll_record::Sample;
use crate::life::wait_graph::WaitGraph;
use crate::model::failure::Failures;
use crate::model::still_running::StopFacts;
use crate::os::lock::Lock;
use crate::os::signal::Signal;

#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    pub(crate) failures: Failures,
    /// Which worker waits for whose handle, once that is asked for.
    pub(crate) waits: WaitGraph,
    /// In which await each worker waits, once that is asked for.
    #[cfg(taskdump)]
    pub(crate) probes: crate::life::probes::Probes,
    /// The polls that were under way when the stop began.
    pub(crate) first_sample: OnceLock<Sample>,
    /// What was cut off, which is no failure of the program's.
    #[cfg(feature = "tower")]
    pub(crate) cuts: crate::life::cuts::Cuts,
    /// The facts of a stop that ran out of time, taken before the abort.
    pub(crate) report: OnceLock<StopFacts>,
    /// The signals whose handlers other code has replaced, as far as a line has said so.
    replaced: Lock<Vec<Signal>>,
    /// Whether the report has been given to the writer. Held while it is made.
    reported: Lock<bool>,
}

impl Diagnostics {
    /// Gives the report to the writer with `give`, unless that has been done.
    pub(crate) fn report_once(&self, give: impl FnOnce()) {
        let mut reported = self.reported.lock();
        if !std::mem::replace(&mut *reported, true) {
            give();
        }
    }

    /// Those of these signals of which no line has said that their handlers were replaced. From now on one has.
    pub(super) fn newly_replaced(&self, mut replaced: Vec<Signal>) -> Vec<Signal> {
        let mut said = self.replaced.lock();
        replaced.retain(|signal| !said.contains(signal));
        said.extend(&replaced);
        replaced
    }

    pub(crate) fn is_reported(&self) -> bool {
        *self.reported.lock()
    }
}
