//! The `.await` in which a worker waits, by file and line, if that is known (feature `taskdump`).

use std::sync::{Arc, Condvar, MutexGuard};
use std::time::Duration;

use crate::model::label::Label;
use crate::os::lock::Lock;

/// Workers of one function, or main, that wait at the same `.await`.
#[derive(Clone, Debug)]
pub(crate) struct Await {
    /// `None` for main.
    pub(crate) label: Option<Label>,
    /// `src/db.rs:90`, from the innermost to the outermost.
    pub(crate) stack: Vec<String>,
    pub(crate) count: usize,
    /// How many of the function were sampled.
    pub(crate) looked_at: usize,
    /// They waited there some time before the abort, and no later sample found them.
    pub(crate) is_earlier: bool,
}

/// Where the stuck workers wait, once file and line have been looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaits(pub(crate) Arc<(Lock<LookedUp>, Condvar)>);

#[derive(Debug, Default)]
pub(crate) struct LookedUp {
    pub(crate) is_under_way: bool,
    pub(crate) awaits: Vec<Await>,
}

impl Awaits {
    /// Waits until the look-up is done, for `limit` at most.
    pub(crate) fn wait(&self, limit: Duration) {
        let is_under_way = |looked_up: &mut LookedUp| looked_up.is_under_way;
        drop(self.0.1.wait_timeout_while(self.lock(), limit, is_under_way));
    }

    /// Where the workers of this label wait, as far as it has been looked up.
    pub(crate) fn of_those(&self, label: Option<&Label>) -> Vec<Await> {
        let looked_up = self.lock();
        let awaits = looked_up.awaits.iter();
        awaits.filter(|one| one.label.as_ref() == label).cloned().collect()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, LookedUp> {
        self.0.0.lock()
    }
}
