//! When a hook runs, and how far it has come.

use std::fmt;

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum HookStage {
    /// When the drain begins, all at once.
    BeforeStop,
    /// When main and its workers are told to stop, all at once.
    OnStop,
    /// When main and all workers were joined or aborted, one by one, the last registered first.
    AfterStop,
}

impl fmt::Display for HookStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeStop => "before_stop",
            Self::OnStop => "on_stop",
            Self::AfterStop => "after_stop",
        })
    }
}

/// How far a hook has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Progress {
    /// Its moment has not come.
    Waiting,
    /// It is running.
    Running,
    /// It ended well.
    Done,
    /// It returned an error, in the end.
    Failed,
    /// It panicked.
    Panicked,
    /// It was aborted: its time was over.
    Aborted,
    /// It was not run: no time was left, or it came too late.
    NotRun,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Aborted => "aborted",
            Self::NotRun => "not run",
        })
    }
}
