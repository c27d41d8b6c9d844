//! Values and decisions: plain data, no lifecycle, no I/O.

pub(crate) mod text;
pub(crate) mod name;
pub(crate) mod duration;
pub(crate) mod state;
pub(crate) mod policy;
pub(crate) mod label;
pub(crate) mod exit;
pub(crate) mod hook;
pub(crate) mod box_error;
pub(crate) mod error_source;
pub(crate) mod outcome;
pub(crate) mod failure;
pub(crate) mod platform;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) mod upgrade;
pub(crate) mod settings;
pub(crate) mod budget;
pub(crate) mod stall;
pub(crate) mod coarse_clock;
pub(crate) mod escalation;
pub(crate) mod event;
pub(crate) mod awaits;
pub(crate) mod still_running;
