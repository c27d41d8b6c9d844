//! Signals: their names, and the inbox through which the watch receives them.

use std::fmt;

#[cfg(unix)]
#[path = "signal/unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "signal/windows.rs"]
mod platform;

pub(crate) use platform::{Handlers, Inbox, Setup, Wakeup, inbox, replaced};

/// A signal that can ask a process to stop.
///
/// On Windows the console's events stand in: ctrl-c is [`Interrupt`](Signal::Interrupt); ctrl-break,
/// close, shutdown and logoff are [`Terminate`](Signal::Terminate); the others never come.
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
}

impl Signal {
    pub(crate) const ALL: [Self; 6] =
        [Self::Terminate, Self::Interrupt, Self::Quit, Self::Hangup, Self::User1, Self::User2];

    /// The name as `kill -l` knows it, with its prefix: `"SIGTERM"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Hangup => "SIGHUP",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
