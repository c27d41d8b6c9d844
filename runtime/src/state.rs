//! What a person reads of a lifecycle: its state, and why it stops.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::signal::Signal;

/// How far a lifecycle has come. States only ever advance, except that
/// [`not_ready`](crate::not_ready) takes [`Ready`](State::Ready) back to [`Starting`](State::Starting).
///
/// The order is the order of time, so `state() >= State::Draining` reads "a stop was asked for".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum State {
    /// Main runs, and has not called [`ready`](crate::ready). Signals are held already.
    Starting = 0,
    /// [`ready`](crate::ready) was called.
    Ready = 1,
    /// A stop was asked for; what is there is still being served.
    Draining = 2,
    /// Main and its workers have been told to finish, and are waited for.
    Stopping = 3,
    /// Everything was joined or aborted.
    Stopped = 4,
}

impl State {
    /// The state with this discriminant. Anything past the last one is the last one.
    pub(crate) fn from_bits(bits: u32) -> Self {
        match bits {
            0 => Self::Starting,
            1 => Self::Ready,
            2 => Self::Draining,
            3 => Self::Stopping,
            _ => Self::Stopped,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// Why a lifecycle stops: the first of these to happen. See [`cause`](crate::cause).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system asked, through this signal.
    Signal(Signal),
    /// A worker returned `Err` or panicked; its name.
    Failure(Arc<str>),
    /// [`stop`](crate::stop) was called, here.
    Request(&'static Location<'static>),
    /// Main returned or panicked.
    MainEnded,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => signal.fmt(f),
            Self::Failure(worker) => write!(f, "worker `{worker}` failed"),
            Self::Request(location) => {
                write!(f, "stop() at {}:{}", location.file(), location.line())
            }
            Self::MainEnded => f.write_str("main ended"),
        }
    }
}
