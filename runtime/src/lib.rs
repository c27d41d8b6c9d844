//! x
mod ambient;
mod budget;
mod builder;
mod control;
mod coordinator;
mod duration;
mod exit;
mod handle;
mod lifecycle;
mod message;
mod report;
mod rows;
mod scope;
mod scribe;
mod seats;
mod settings;
mod signal;
mod state;
mod stop;
mod sys;
mod task;
mod testing;
mod thread;
mod watch;
mod worker;

pub use builder::Builder;
pub use control::{
    cause, idle, is_ready, keep, not_ready, ready, remaining, state, stop, wait_for,
};
pub use graceful_macros::{main, test, worker};
pub use handle::{Panic, WorkerError, WorkerHandle};
pub use scope::{RunUntilStopping, Stopping, is_stopping, run_until_stopping, stopping, token};
pub use signal::Signal;
pub use state::{Cause, State};
pub use tokio_util::sync::CancellationToken;
pub use worker::{Outcome, Worker, spawn, spawn_blocking};

#[doc(hidden)]
pub mod __private {
    pub use crate::builder::{main, run};
    pub use crate::rows::Function;
    #[cfg(feature = "test-util")]
    pub use crate::testing::PausedClock;
    pub use crate::testing::test;
    pub use crate::worker::{Body, blocking, judge, once};
}
