//! The printed lines, and the thread that writes them.

pub(crate) mod line;
pub(crate) mod subscriber;
pub(crate) mod failures;
pub(crate) mod lines;
pub(crate) mod signals;
#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod systemd;
#[cfg(any(feature = "net", feature = "tower"))]
pub(crate) mod connections;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod children;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) mod upgrades;
#[cfg(feature = "page")]
pub(crate) mod page;
pub(crate) mod refusals;
pub(crate) mod stderr;
pub(crate) mod queue;
pub(crate) mod writer;
