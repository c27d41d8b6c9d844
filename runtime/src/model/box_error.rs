//! Any error, in a type that is an `Error` itself.

use std::error::Error;
use std::fmt;

/// A worker's own error, boxed by [`WorkerError::boxed`](crate::WorkerError::boxed). It reads like the error in it, and
/// has that one's source.
pub struct BoxError(pub(crate) Box<dyn Error + Send + Sync>);

impl BoxError {
    /// The error itself.
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl fmt::Debug for BoxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for BoxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for BoxError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
