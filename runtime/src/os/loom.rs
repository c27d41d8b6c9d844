//! What the standard library has for threads to agree with. Where the crate's own agreements are checked in every
//! order, `loom`'s takes its place.

pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
