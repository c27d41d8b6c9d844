//! The stop: its plan, what each step does, what drives it, and the watch.

pub(crate) mod plan;
pub(crate) mod world;
pub(crate) mod transitions;
pub(crate) mod conduct;
pub(crate) mod driver;
pub(crate) mod watch;
