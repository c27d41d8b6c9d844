//! Threads of our own, beside the user's runtime.

use std::io;
use std::thread::{self, Thread};

use crate::os::sys;

/// Starts a thread that runs `run`. It comes in a box, so that what starting a thread takes is there once, and not for
/// each closure.
pub(crate) fn start(name: &str, run: Box<dyn FnOnce() + Send>) -> io::Result<Thread> {
    let builder = thread::Builder::new().name(name.to_owned());
    sys::outranked_by(|| builder.spawn(run)).map(|handle| handle.thread().clone())
}
