//! A lifecycle's state, and why it stops, as people read them.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::model::text;
use crate::os::signal::Signal;

/// How far a lifecycle has come. States only ever advance, except that
/// [`not_ready`](crate::not_ready) takes [`Ready`](State::Ready) back to [`Starting`](State::Starting).
///
/// The order is the order of time, so `state() >= State::Draining` reads "a stop was asked for".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[repr(u8)]
pub enum State {
    /// Main runs, and has not called [`ready`](crate::ready). Signals are already handled.
    Starting = 0,
    /// [`ready`](crate::ready) was called.
    Ready = 1,
    /// A stop was asked for; the process still serves.
    Draining = 2,
    /// Main and its workers have been told to stop; the lifecycle waits for them.
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

/// When a worker is told to stop, in the order of a stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[repr(u8)]
pub enum Stage {
    /// When the drain begins: consumers that should stop pulling work while what is in hand is still served.
    Early = 0,
    /// With main: the default.
    #[default]
    Main = 1,
    /// When main and its workers are gone: what request handlers depend on, such as a batch writer.
    Late = 2,
    /// After all others: a health or metrics endpoint.
    Last = 3,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] = [Self::Early, Self::Main, Self::Late, Self::Last];

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether this stage is told to stop only when `other` has ended. Early and main are joined together.
    pub(crate) fn follows(self, other: Self) -> bool {
        self > other && self > Self::Main
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Early => "early",
            Self::Main => "main",
            Self::Late => "late",
            Self::Last => "last",
        })
    }
}

/// Why a lifecycle stops: the first of these to happen. See [`cause`](crate::cause).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system asked, through this signal.
    Signal(Signal),
    /// A worker returned `Err` or panicked; its name.
    Failure(Arc<str>),
    /// [`stop`](crate::stop) was called, here.
    Request(&'static Location<'static>),
    /// A worker marked `essential` ended; its name.
    Essential(Arc<str>),
    /// Main returned or panicked.
    MainEnded,
    /// An upgrade in place: the successor is ready, and of this generation. Feature `upgrade`.
    Upgraded(u32),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => signal.fmt(f),
            Self::Failure(worker) => write!(f, "worker `{}` failed", text::name(worker)),
            Self::Request(location) => {
                write!(f, "stop() at {}:{}", location.file(), location.line())
            }
            Self::Essential(worker) => {
                write!(f, "essential worker `{}` ended", text::name(worker))
            }
            Self::MainEnded => f.write_str("main ended"),
            Self::Upgraded(generation) => write!(f, "generation {generation} has taken over"),
        }
    }
}
