//! The crate's own threads, beside the user's runtime.

use std::io;
use std::thread;

use crate::os::sys;

/// Starts a thread that runs `run`. Boxed, so that the code that starts a thread is compiled once and not for each
/// closure.
pub(crate) fn start(name: &str, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let builder = thread::Builder::new().name(name.to_owned());
    sys::outranked_by(|| builder.spawn(run)).map(drop)
}
