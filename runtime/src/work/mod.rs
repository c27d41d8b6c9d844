//! Code of the user's that runs inside a lifecycle.

pub(crate) mod clone_args;
pub(crate) mod polled;
pub(crate) mod parking;
pub(crate) mod current;
pub(crate) mod ambient;
pub(crate) mod failing;
pub(crate) mod linger;
pub(crate) mod completion;
#[cfg_attr(not(taskdump), path = "probe/off.rs")]
pub(crate) mod probe;
pub(crate) mod cancellation;
pub(crate) mod remaining;
pub(crate) mod code;
pub(crate) mod registration;
pub(crate) mod task;
pub(crate) mod blocking;
pub(crate) mod guarded;
pub(crate) mod restarts;
pub(crate) mod ticks;
pub(crate) mod supervise;
pub(crate) mod span;
pub(crate) mod body;
pub(crate) mod boxed;
pub(crate) mod handle;
pub(crate) mod worker;
#[cfg(feature = "net")]
pub(crate) mod own_entry;
pub(crate) mod hold;
pub(crate) mod progress;
pub(crate) mod at_exit;
pub(crate) mod hook;
pub(crate) mod reload;
pub(crate) mod control;
