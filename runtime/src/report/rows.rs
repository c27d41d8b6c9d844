//! The rows of a status: what is said of main, a kind of workers, a hook, the holds of one name.

use std::time::Duration;

use crate::model::hook::{HookStage, Progress};
use crate::model::policy::OnFailure;
use crate::model::state::Stage;
use crate::model::still_running::Blocking;

/// Main.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MainStatus {
    /// Whether it still runs.
    pub is_alive: bool,
    /// Whether it has asked about the stop: for its token, its flag or a future such as [`stopping`](crate::stopping).
    pub has_looked: bool,
    /// What it is doing.
    pub activity: Activity,
}

/// What the workers of one function are doing: whether they run, are stuck, or wait.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Activity {
    /// How many are being polled at this moment: they run, or block their thread.
    pub in_poll: u64,
    /// The threads on which a worker has been inside the same poll for 10 ms, and for how long. Filled in dumps and
    /// reports; empty in a plain snapshot.
    pub blocking: Vec<Blocking>,
    /// How long ago one of them was last polled, to the second: it grows for a worker that waits for what never comes.
    /// `None` if that is unknown: never polled, or on a thread that is gone.
    pub last_polled: Option<Duration>,
    /// The same of the one that was polled longest ago, of those that have waited: one that is stuck among many that run.
    /// Zero while all of them are being polled.
    pub longest_unpolled: Option<Duration>,
    /// How long ago one of them last made [`progress`](crate::progress), of those that say so the one that has made none
    /// for longest. `None` if none says so.
    pub since_progress: Option<Duration>,
}

/// The workers of one function, or of one name given at run time.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its name.
    pub name: String,
    /// The names of the workers that have started them, the outermost first. Empty for those that main or an untracked
    /// task has started, and where several kinds of workers have.
    pub parents: Vec<String>,
    /// The place in the source: `src/main.rs:7`.
    pub location: String,
    /// What a failure leads to.
    pub on_failure: OnFailure,
    /// The stage in which it is told to stop, if one was set.
    pub stage: Option<Stage>,
    /// How many are alive.
    pub live: u64,
    /// How many of those have returned, and wait for what they have started.
    pub waiting: u64,
    /// How many were started in all; a run after the first counts anew, once it begins.
    pub started: u64,
    /// How many ended well.
    pub finished: u64,
    /// How many returned an error.
    pub failed: u64,
    /// How many panicked.
    pub panicked: u64,
    /// How many were aborted.
    pub aborted: u64,
    /// How many times a worker was run again after a failure.
    pub restarted: u64,
    /// The same in the last minute.
    pub restarted_lately: u64,
    /// How many of those alive have failed, and wait for their restart.
    pub restarting: u64,
    /// How long it is until the next restart they wait for. `None` if none does.
    pub next_restart: Option<Duration>,
    /// The last error or panic of one of them, whatever it led to. `None` before the first. A `stop_timeout` that has
    /// passed is counted in `aborted` alone.
    pub last_failure: Option<LastFailure>,
    /// How many were refused because the stop had gone too far.
    pub refused: u64,
    /// How long ago the oldest one alive first waited, which is about its age. `None` if none has waited.
    pub oldest: Option<Duration>,
    /// How long after the request for the stop the last of them ended. `None` if none has since.
    pub ended: Option<Duration>,
    /// What they are doing.
    pub activity: Activity,
}

/// A failure of a worker.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastFailure {
    /// What the worker did: `failed: no route to host`, cut if it is long.
    pub text: String,
    /// How long ago that was.
    pub ago: Duration,
}

/// A hook.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HookStatus {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub stage: HookStage,
    /// How far it has come.
    pub progress: Progress,
    /// How long after the request for the stop it began.
    pub began: Option<Duration>,
    /// How long it took, or has been running. `None` if it has not begun.
    pub took: Option<Duration>,
}

/// The holds of one name.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HoldStatus {
    /// Its name.
    pub name: String,
    /// The call that takes it: `src/main.rs:7`.
    pub location: String,
    /// How many are held.
    pub live: u64,
    /// How many were taken in all.
    pub taken: u64,
}
