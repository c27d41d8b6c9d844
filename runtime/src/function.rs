//! Annotated functions: what the attribute knows of each, numbered once per process.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::policy::{OnFailure, Policy};
use crate::rows::{Label, NAMED, RowId};
use crate::state::Stage;

/// What the attribute knows of a function: its name and where it stands.
///
/// Not public API. Used by generated code.
#[derive(Debug)]
pub struct Function {
    /// Its number in this process, from 1; 0 until it is first used.
    number: AtomicU32,
    label: Label,
    policy: Policy,
}

/// The numbered functions of this process; number `n` at index `n - 1`.
pub(crate) static FUNCTIONS: Mutex<Vec<&'static Function>> = Mutex::new(Vec::new());

impl Function {
    /// A worker function called `name`, in this file, at this line.
    pub const fn new(
        name: &'static str,
        _module: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            number: AtomicU32::new(0),
            label: Label {
                name: Cow::Borrowed(name),
                file,
                line,
                is_hold: false,
                policy: None,
            },
            policy: Policy::new(),
        }
    }

    /// What a failure means.
    #[must_use]
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.policy.set_on_failure(on_failure);
        self
    }

    /// How many restarts a minute are too many.
    #[must_use]
    pub const fn max_restarts(mut self, restarts: u32) -> Self {
        self.policy.max_restarts = Some(restarts);
        self
    }

    /// The pauses before a restart.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.policy.backoff = (first, longest);
        self
    }

    /// Its end is the process's stop.
    #[must_use]
    pub const fn essential(mut self) -> Self {
        self.policy.set_essential();
        self
    }

    /// Runs again and again.
    #[must_use]
    pub const fn every(mut self, period: Duration) -> Self {
        self.policy.set_every(period);
        self
    }

    /// A budget of its own.
    #[must_use]
    pub const fn stop_timeout(mut self, budget: Duration) -> Self {
        self.policy.set_stop_timeout(budget);
        self
    }

    /// When it is told to stop.
    #[must_use]
    pub const fn stage(mut self, stage: Stage) -> Self {
        self.policy.set_stage(stage);
        self
    }

    /// Not started any more once the stop has begun.
    #[must_use]
    pub const fn refuse_when_stopping(mut self) -> Self {
        self.policy.set_refuse();
        self
    }

    #[inline]
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    #[inline]
    pub(crate) fn row(&'static self) -> RowId {
        match self.number.load(Ordering::Relaxed) {
            0 => self.enlist(),
            number => RowId::from_bits(number),
        }
    }

    #[cold]
    fn enlist(&'static self) -> RowId {
        let mut functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        if self.number.load(Ordering::Relaxed) == 0 {
            functions.push(self);
            let number = u32::try_from(functions.len()).unwrap_or(NAMED - 1);
            self.number.store(number, Ordering::Relaxed);
        }
        RowId::from_bits(self.number.load(Ordering::Relaxed))
    }
}
