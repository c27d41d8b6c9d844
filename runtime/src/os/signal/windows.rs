//! Windows: a handler of the console's events that sets a flag and wakes the watch.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
};

use super::{Arrived, Closing, Signal};
use crate::os::lock::Lock;
use crate::os::sys;

impl Signal {
    /// The number POSIX gives it, for exit codes.
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::Abort => 6,
            Self::User1 => 10,
            Self::User2 => 12,
            Self::Terminate => 15,
        }
    }

    /// The signal that an event of the console stands for.
    fn of_event(event: u32) -> Option<Self> {
        match event {
            CTRL_C_EVENT => Some(Self::Interrupt),
            CTRL_BREAK_EVENT | CTRL_CLOSE_EVENT | CTRL_SHUTDOWN_EVENT => Some(Self::Terminate),
            // A service is told when any user logs off, and goes on.
            CTRL_LOGOFF_EVENT if !sys::is_service() => Some(Self::Terminate),
            _ => None,
        }
    }
}

/// The two ends of the channel that wakes the watch. It holds one message: a watch that is about to wake need not be
/// woken.
#[allow(clippy::unnecessary_wraps)] // as on unix, where it can fail
pub(crate) fn inbox() -> io::Result<(Inbox, Wakeup)> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let arrived = Arrived::default();
    Ok((Inbox { receiver, arrived: arrived.clone() }, Wakeup { sender, arrived }))
}

/// Handlers of other code run before ours or after it; Windows has no list of them.
pub(crate) fn replaced() -> Vec<Signal> {
    Vec::new()
}

/// The watch's end.
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<()>,
    pub(crate) arrived: Arrived,
}

impl Inbox {
    /// Waits until a signal arrives, the watch is woken, or `limit` passes (`None` waits forever).
    pub(crate) fn wait(&mut self, limit: Option<Duration>) {
        let limit = limit.unwrap_or(Duration::from_secs(24 * 60 * 60));
        let _ = self.receiver.recv_timeout(limit);
    }
}

/// The end that wakes the watch.
#[derive(Clone, Debug)]
pub(crate) struct Wakeup {
    sender: mpsc::SyncSender<()>,
    arrived: Arrived,
}

impl Wakeup {
    /// Wakes the watch. Never blocks: if a message is there, the watch is about to wake anyway.
    pub(crate) fn wake(&self) {
        let _ = self.sender.try_send(());
    }
}

/// The installation of the handler. Windows has no masks: there is nothing to block, and no event gets lost, since the
/// handler is there before the next one comes or it is not.
pub(crate) struct Setup {
    signals: Vec<Signal>,
    pub(crate) held_at_exec: Vec<Signal>,
}

impl Setup {
    pub(crate) fn begin(signals: &[Signal]) -> Self {
        Self { signals: signals.to_vec(), held_at_exec: Vec::new() }
    }

    #[allow(clippy::unused_self)] // as on unix
    pub(crate) fn restore(&self) -> impl Fn() + Send + 'static + use<> {
        || {}
    }

    /// Installs the handler.
    ///
    /// # Errors
    ///
    /// The reason, with one of the signals.
    pub(crate) fn register(&self, wakeup: &Wakeup) -> Result<Handlers, (Signal, io::Error)> {
        *RECEIVER.lock() = Some(Receiver { signals: self.signals.clone(), wakeup: wakeup.clone() });
        let handlers = Handlers { is_installed: true };
        sys::handle_console_events(handle).map_err(|error| (Signal::Terminate, error))?;
        Ok(handlers)
    }
}

/// The lifecycle that gets the signals.
static RECEIVER: Lock<Option<Receiver>> = Lock::new(None);

struct Receiver {
    signals: Vec<Signal>,
    wakeup: Wakeup,
}

/// Why the system is about to end the process, until the watch takes it.
static CLOSING: Lock<Option<Closing>> = Lock::new(None);

/// Why the system is about to end the process. The first call after that has begun has it.
pub(crate) fn closing() -> Option<Closing> {
    CLOSING.lock().take()
}

/// The handler. The system runs it on a thread of its own. Where the system closes the console or shuts down, it ends the
/// process as soon as this returns: so it does not.
extern "system" fn handle(event: u32) -> i32 {
    let Some(signal) = Signal::of_event(event) else {
        return 0;
    };
    let closing = Closing::of_event(event);
    // In braces: the lock is free while this sleeps.
    {
        let receiver = RECEIVER.lock();
        let Some(receiver) = receiver.as_ref().filter(|receiver| receiver.signals.contains(&signal)) else {
            return 0;
        };
        if closing.is_some() {
            *CLOSING.lock() = closing;
        }
        super::CAME[signal as usize].store(true, Ordering::SeqCst);
        receiver.wakeup.arrived.0[signal as usize].store(true, Ordering::SeqCst);
        receiver.wakeup.wake();
    }
    while closing.is_some() {
        thread::park();
    }
    1
}

impl Closing {
    /// How long the system waits: the defaults of `HungAppTimeout`, `WaitToKillAppTimeout` and
    /// `WaitToKillServiceTimeout`.
    fn of_event(event: u32) -> Option<Self> {
        let (what, seconds) = match event {
            CTRL_CLOSE_EVENT => ("its console is closed", 5),
            CTRL_LOGOFF_EVENT => ("its user logs off", 5),
            CTRL_SHUTDOWN_EVENT if sys::is_service() => ("the system begins to shut down", 20),
            CTRL_SHUTDOWN_EVENT => ("the system begins to shut down", 5),
            _ => return None,
        };
        Some(Self { what, grace: Duration::from_secs(seconds) })
    }
}

/// The installed handler. Dropping it restores what the events do by default: they end the process.
pub(crate) struct Handlers {
    is_installed: bool,
}

impl Handlers {
    /// SIGHUP never comes on Windows.
    #[allow(clippy::unnecessary_wraps)] // as on unix, where it can fail
    pub(crate) fn of(_: Signal, _: &Wakeup) -> io::Result<Self> {
        Ok(Self { is_installed: false })
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        if self.is_installed {
            *RECEIVER.lock() = None;
            sys::ignore_console_events(handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_waits_behind_no_other_wake_up() {
        let (mut inbox, wakeup) = inbox().expect("a channel");
        for _ in 0..1000 {
            wakeup.wake();
        }
        wakeup.arrived.0[Signal::Interrupt as usize].store(true, Ordering::SeqCst);
        wakeup.wake();
        inbox.wait(Some(Duration::ZERO));
        assert_eq!(inbox.arrived.take(), [Signal::Interrupt]);
        assert_eq!(inbox.arrived.take(), [], "it counts once");
    }
}
