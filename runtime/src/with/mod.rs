//! Integrations with other crates, a feature each.

#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod systemd;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "http")]
pub mod http;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) mod upgrade;
#[cfg(feature = "page")]
pub mod page;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod child;
#[cfg(feature = "miette")]
pub(crate) mod miette;
