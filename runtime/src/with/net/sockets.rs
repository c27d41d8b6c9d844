//! The sockets of a listener, and what they accept.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

#[cfg(unix)]
use std::os::fd::AsRawFd;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

#[cfg(unix)]
use super::handed_over;
use super::stream::Io;

/// A socket of a listener.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp {
        listener: TcpListener,
        /// The process that handed it over keeps it open, and hands it to the next process.
        is_handed_over: bool,
    },
    #[cfg(unix)]
    Unix { listener: UnixListener, is_handed_over: bool },
}

/// A connection, and the client's address if it has one.
pub(super) type Accepted = (Io, Option<SocketAddr>);

impl Socket {
    /// One that was handed over.
    pub(super) fn of_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // A process before this one may have closed it as if it were its own.
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&listener).detach_filter();
        Ok(Self::Tcp { listener: TcpListener::from_std(listener)?, is_handed_over: true })
    }

    /// The same.
    #[cfg(unix)]
    pub(super) fn of_std_unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix { listener: UnixListener::from_std(listener)?, is_handed_over: true })
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { listener, .. } => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix { .. } => None,
        }
    }

    /// Whether this process has opened it.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Tcp { is_handed_over, .. } => !is_handed_over,
            #[cfg(unix)]
            Self::Unix { is_handed_over, .. } => !is_handed_over,
        }
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp { listener, .. } => {
                let accepted = ready!(listener.poll_accept(context));
                Poll::Ready(accepted.map(|(stream, peer)| (Io::Tcp(stream), Some(peer))))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                let accepted = ready!(listener.poll_accept(context));
                Poll::Ready(accepted.map(|(stream, _)| (Io::Unix(stream), None)))
            }
        }
    }

    /// Lets no client begin a connection any more, where that is possible. Otherwise one can still connect between the
    /// last `accept` and the close, and is reset.
    pub(super) fn begin_to_close(&self) {
        #[cfg(target_os = "linux")]
        if let Self::Tcp { listener, .. } = self {
            let _ = drop_syns(listener);
        }
    }
}

/// From now on the kernel answers no SYN, and completes the handshakes it has answered. A client sends its SYN again a
/// second later, and finds the port closed, or the next process.
#[cfg(target_os = "linux")]
fn drop_syns(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // A program for the kernel's packet filter, see bpf(4) of the BSDs: load a byte; test its bits; return how much of
    // the packet to keep. The byte is that of the flags in TCP's header.
    const LOAD_BYTE: u16 = 0x30;
    const TEST_BITS: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(TEST_BITS, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        #[cfg(unix)]
        let is_handed_over = handed_over::is_one(listener.as_raw_fd());
        #[cfg(not(unix))]
        let is_handed_over = false;
        Self::Tcp { listener, is_handed_over }
    }
}

#[cfg(unix)]
impl From<UnixListener> for Socket {
    fn from(listener: UnixListener) -> Self {
        let is_handed_over = handed_over::is_one(listener.as_raw_fd());
        Self::Unix { listener, is_handed_over }
    }
}
