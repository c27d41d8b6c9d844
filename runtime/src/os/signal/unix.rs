//! Unix: handlers that set a flag and write a byte to a socket the watch reads.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook_registry::SigId;

use super::{Arrived, Closing, Flags, Signal};
use crate::os::lock::Lock;
use crate::os::sys;
use crate::os::sys::Mask;

impl Signal {
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Terminate => libc::SIGTERM,
            Self::Interrupt => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Hangup => libc::SIGHUP,
            Self::User1 => libc::SIGUSR1,
            Self::User2 => libc::SIGUSR2,
            Self::Abort => libc::SIGABRT,
        }
    }
}

/// The two ends of the socket that wakes the watch: it reads; other threads and signal handlers write.
pub(crate) fn inbox() -> io::Result<(Inbox, Wakeup)> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    let arrived = Arrived::default();
    Ok((Inbox { reader, arrived: arrived.clone() }, Wakeup { writer, arrived }))
}

/// The watch's end.
pub(crate) struct Inbox {
    reader: UnixStream,
    pub(crate) arrived: Arrived,
}

impl Inbox {
    /// Waits until a signal arrives, the watch is woken, or `limit` passes (`None` waits forever).
    pub(crate) fn wait(&mut self, limit: Option<Duration>) {
        sys::wait_readable(self.reader.as_fd(), limit);
        let _ = self.reader.read(&mut [0; 64]);
    }
}

/// The end that wakes the watch.
#[derive(Debug)]
pub(crate) struct Wakeup {
    writer: UnixStream,
    arrived: Arrived,
}

impl Wakeup {
    /// Wakes the watch. Never blocks: if the socket is full, the watch is about to wake anyway.
    pub(crate) fn wake(&self) {
        let _ = (&self.writer).write(&[0]);
    }
}

/// The installation of the handlers, in three steps: while this value lives, the signals are blocked on
/// the thread that made it and on the threads it starts.
///
/// A signal that lands inside the registration would fall back to the action before and be lost; one that
/// lands before it should find the handler. Held back, it waits for the handler.
pub(crate) struct Setup {
    signals: Vec<Signal>,
    original: Mask,
    /// Signals that were blocked when the process started, and are unblocked from now on.
    pub(crate) held_at_exec: Vec<Signal>,
}

impl Setup {
    /// Blocks `signals`, except those the process ignores: `nohup` means it.
    pub(crate) fn begin(signals: &[Signal]) -> Self {
        let signals = Signal::those(&|signal| signals.contains(&signal) && !sys::is_ignored(signal.number()));
        let numbers: Vec<i32> = signals.iter().map(|signal| signal.number()).collect();
        let before = Mask::block(&numbers);
        let held_at_exec = Signal::those(&|signal| signals.contains(&signal) && before.blocks(signal.number()));
        Self { signals, original: before.without(&numbers), held_at_exec }
    }

    /// Gives the calling thread the process's own mask, with our signals unblocked.
    pub(crate) fn restore(&self) -> impl Fn() + Send + 'static {
        let original = self.original;
        move || original.apply()
    }

    /// Registers the handlers.
    ///
    /// # Errors
    ///
    /// The signal that could not be registered, with the reason. Those registered before it are unregistered.
    pub(crate) fn register(&self, wakeup: &Wakeup) -> Result<Handlers, (Signal, io::Error)> {
        let mut handlers = Handlers::default();
        for &signal in &self.signals {
            handlers.add(signal, wakeup).map_err(|error| (signal, error))?;
        }
        Ok(handlers)
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        self.original.apply();
    }
}

/// While no lifecycle receives a signal, our handler must take the default action. An unregistered handler stays
/// installed, and would swallow the signal.
static UNATTENDED: Flags = [const { AtomicBool::new(true) }; Signal::ALL.len()];

/// Each signal's action after our first registration for it; 0 if there was none.
static OURS: Lock<[usize; Signal::ALL.len()]> = Lock::new([0; Signal::ALL.len()]);

/// The signals that we handle, and for which other code has installed its own handler since.
pub(crate) fn replaced() -> Vec<Signal> {
    let ours = OURS.lock();
    Signal::those(&|signal| {
        !UNATTENDED[signal as usize].load(Ordering::SeqCst) && ours[signal as usize] != sys::handler(signal.number())
    })
}

/// A process that has been asked to stop is ended by SIGKILL, if at all, and nothing announces that.
pub(crate) fn closing() -> Option<Closing> {
    None
}

/// The registered handlers. Dropping it restores the signals' default actions.
#[derive(Default)]
pub(crate) struct Handlers(Vec<(Signal, SigId)>);

impl Handlers {
    /// Installs a handler for one more signal.
    pub(crate) fn of(signal: Signal, wakeup: &Wakeup) -> io::Result<Self> {
        let mut handlers = Self::default();
        let number = signal.number();
        // A signal ignored at the start stays ignored.
        if sys::is_ignored(number) {
            return Ok(handlers);
        }
        let mask = Mask::block(&[number]);
        let added = handlers.add(signal, wakeup);
        // Unblocked on this thread, even if it was blocked at the start.
        mask.without(&[number]).apply();
        added.map(|()| handlers)
    }

    fn add(&mut self, signal: Signal, wakeup: &Wakeup) -> io::Result<()> {
        let (number, index) = (signal.number(), signal as usize);
        let mut ours = OURS.lock();
        let is_first = ours[index] == 0;
        if is_first {
            // For the life of the process.
            sys::keep_default_up(number, &UNATTENDED[index])?;
        }
        let arrived = Arc::clone(&wakeup.arrived.0[index]);
        self.0.push((signal, sys::register(number, &super::CAME[index], arrived, wakeup.writer.try_clone()?)?));
        if is_first {
            ours[index] = sys::handler(number);
        }
        UNATTENDED[index].store(false, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        for &(signal, id) in &self.0 {
            UNATTENDED[signal as usize].store(true, Ordering::SeqCst);
            signal_hook_registry::unregister(id);
        }
    }
}
