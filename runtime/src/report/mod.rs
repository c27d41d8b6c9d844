//! Which workers are there, what they do, and what went wrong.

#[cfg_attr(not(taskdump), path = "awaits/off.rs")]
pub(crate) mod awaits;
pub(crate) mod census;
pub(crate) mod rows;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod facts;
pub(crate) mod text;
#[cfg(feature = "serde")]
pub(crate) mod json;
pub(crate) mod publish;
