//! The standard library's synchronisation types. `tests/agreements.rs` puts `loom`'s in their place and runs the
//! crate's protocols in every order.

pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
