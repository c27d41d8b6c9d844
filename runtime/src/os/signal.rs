//! Signals: their names, and the inbox through which the watch receives them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(unix)]
#[path = "signal/unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "signal/windows.rs"]
mod platform;

pub(crate) use platform::{Handlers, Inbox, Setup, Wakeup, closing, inbox, replaced};

/// A signal that can ask a process to stop, or to dump its status.
///
/// On Windows the console's events stand in: ctrl-c is [`Interrupt`](Signal::Interrupt); ctrl-break, a closed console,
/// the system's shutdown and, but for services, the user's logoff are [`Terminate`](Signal::Terminate); the others never
/// come. Windows ends the process 5 s after its console is closed, whatever the budget is; a line says so where the
/// budget is longer.
// A new one takes its number in `signal/unix.rs` and `signal/windows.rs`, its name in `macros/src/attr/signal.rs`, and a
// place in the row of `signals` in `macros/src/lib.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGTERM: what `kill`, systemd, Docker and Kubernetes send.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGQUIT: Ctrl-\\, and what nginx and some images use for a graceful stop.
    Quit,
    /// SIGHUP: the terminal is gone, or, by convention, "reload".
    Hangup,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
    /// SIGABRT: what the watchdog of systemd sends to a process that hangs. It ends the process, after a
    /// [`dump`](crate::Builder::dump) if that was asked for.
    Abort,
}

impl Signal {
    pub(crate) const ALL: [Self; 7] =
        [Self::Terminate, Self::Interrupt, Self::Quit, Self::Hangup, Self::User1, Self::User2, Self::Abort];

    pub(crate) fn those(is_one: &dyn Fn(Self) -> bool) -> Vec<Self> {
        Self::ALL.into_iter().filter(|&signal| is_one(signal)).collect()
    }

    /// The name as `kill -l` knows it, with its prefix: `"SIGTERM"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Hangup => "SIGHUP",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
            Self::Abort => "SIGABRT",
        }
    }
}

/// The system ends the process some time after this, whatever the process does. Only Windows does that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    pub(crate) what: &'static str,
    /// How long after that.
    pub(crate) grace: Duration,
}

/// A flag for each signal of [`Signal::ALL`].
type Flags = [AtomicBool; Signal::ALL.len()];

/// Whether it asks a lifecycle of the process to stop.
static STOPS: Flags = [const { AtomicBool::new(false) }; Signal::ALL.len()];

/// Whether it has come since then.
static CAME: Flags = [const { AtomicBool::new(false) }; Signal::ALL.len()];

/// Which signals have arrived since the watch last took them. Both ends of what wakes it have this.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived(Arc<[Arc<AtomicBool>; Signal::ALL.len()]>);

impl Arrived {
    /// The signals that arrived since the last call. A signal counts once, however often it came.
    pub(crate) fn take(&self) -> Vec<Signal> {
        Signal::those(&|signal| self.0[signal as usize].swap(false, Ordering::AcqRel))
    }
}

/// From now on these signals ask for the stop; none of them has come yet.
pub(crate) fn expect_stops(signals: &[Signal]) {
    for signal in Signal::ALL {
        CAME[signal as usize].store(false, Ordering::SeqCst);
        STOPS[signal as usize].store(signals.contains(&signal), Ordering::SeqCst);
    }
}

/// The signals that have asked the process's lifecycle, or the last one there was, to stop.
pub(crate) fn stops() -> Vec<Signal> {
    Signal::those(&|signal| [&STOPS, &CAME].iter().all(|flags| flags[signal as usize].load(Ordering::SeqCst)))
}

/// Its number on this system; on Windows, the one that POSIX gives it.
impl From<Signal> for i32 {
    fn from(signal: Signal) -> Self {
        signal.number()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
