//! The operating system: signals, masks, `_exit`, the crate's own threads. Nothing here knows what a lifecycle is.

pub(crate) mod loom;
pub(crate) mod lock;
pub(crate) mod sys;
pub(crate) mod run_delay;
pub(crate) mod spin;
pub(crate) mod threads;
pub(crate) mod helper;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) mod channel;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) mod pid_file;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) mod overheard;
pub(crate) mod signal;
