//! Windows: the console's control events, received on a small runtime of our own.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::signal::windows;

use super::Signal;

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
}

/// The two ends of the channel that wakes the watch.
#[allow(clippy::unnecessary_wraps)] // as on unix, where it can fail
pub(crate) fn inbox() -> io::Result<(Inbox, Wakeup)> {
    let (sender, receiver) = mpsc::channel();
    Ok((Inbox { receiver, arrived: Vec::new() }, Wakeup { sender }))
}

/// A program's own handlers run beside ours.
pub(crate) fn replaced() -> Vec<Signal> {
    Vec::new()
}

/// The watch's end.
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Option<Signal>>,
    arrived: Vec<Signal>,
}

impl Inbox {
    /// Waits until a signal arrives, the watch is woken, or `limit` passes (`None` waits for ever).
    pub(crate) fn wait(&mut self, limit: Option<Duration>) {
        let limit = limit.unwrap_or(Duration::from_secs(24 * 60 * 60));
        if let Ok(Some(signal)) = self.receiver.recv_timeout(limit) {
            self.arrived.push(signal);
        }
    }

    /// The signals that arrived since the last call.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Signal> + '_ {
        self.arrived.drain(..)
    }
}

/// The end that wakes the watch.
#[derive(Debug)]
pub(crate) struct Wakeup {
    sender: mpsc::Sender<Option<Signal>>,
}

impl Wakeup {
    /// Wakes the watch. Never blocks.
    pub(crate) fn wake(&self) {
        let _ = self.sender.send(None);
    }
}

/// The installation of the handlers. Windows has no masks: there is nothing to block.
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

    /// Listens to the control events that stand for the wanted signals.
    ///
    /// # Errors
    ///
    /// The signal that could not be registered, with the reason.
    pub(crate) fn register(&self, wakeup: &Wakeup) -> Result<Handlers, (Signal, io::Error)> {
        let handlers = Handlers { over: Arc::new(AtomicBool::new(false)) };
        for &signal in &self.signals {
            let result = match signal {
                Signal::Interrupt => listen(signal, wakeup, &handlers, windows::ctrl_c, |l| Box::pin(l.recv())),
                Signal::Terminate => listen(signal, wakeup, &handlers, windows::ctrl_break, |l| Box::pin(l.recv()))
                    .and_then(|()| listen(signal, wakeup, &handlers, windows::ctrl_close, |l| Box::pin(l.recv())))
                    .and_then(|()| listen(signal, wakeup, &handlers, windows::ctrl_shutdown, |l| Box::pin(l.recv())))
                    .and_then(|()| listen(signal, wakeup, &handlers, windows::ctrl_logoff, |l| Box::pin(l.recv()))),
                _ => Ok(()),
            };
            result.map_err(|error| (signal, error))?;
        }
        Ok(handlers)
    }
}

/// Dropping it stops the forwarding.
pub(crate) struct Handlers {
    over: Arc<AtomicBool>,
}

impl Handlers {
    /// SIGHUP never comes on Windows.
    pub(crate) fn of(_: Signal, _: &Wakeup) -> io::Result<Self> {
        Ok(Self { over: Arc::new(AtomicBool::new(false)) })
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

type Received<'a> = std::pin::Pin<Box<dyn Future<Output = Option<()>> + 'a>>;

/// A thread that turns one control event into messages for the watch.
fn listen<L: Send + 'static>(
    signal: Signal,
    wakeup: &Wakeup,
    handlers: &Handlers,
    open: fn() -> io::Result<L>,
    received: for<'a> fn(&'a mut L) -> Received<'a>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut listener = {
        let _entered = runtime.enter();
        open()?
    };
    let (sender, over) = (wakeup.sender.clone(), Arc::clone(&handlers.over));
    std::thread::Builder::new().name(format!("graceful-{signal}")).spawn(move || {
        runtime.block_on(async {
            while received(&mut listener).await.is_some() && !over.load(Ordering::Acquire) {
                super::CAME[signal as usize].store(true, Ordering::SeqCst);
                if sender.send(Some(signal)).is_err() {
                    break;
                }
            }
        });
    })?;
    Ok(())
}
