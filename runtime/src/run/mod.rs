//! From main to the exit code.

pub(crate) mod runtime;
pub(crate) mod process;
pub(crate) mod builder;
pub(crate) mod test;
