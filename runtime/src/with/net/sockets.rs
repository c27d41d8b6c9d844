//! The sockets of a listener, and what they accept.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

#[cfg(unix)]
use std::os::fd::AsRawFd;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

#[cfg(all(unix, feature = "upgrade"))]
use super::handed_on::{self, Registered};
#[cfg(unix)]
use super::handed_over;
use super::stream::Io;

/// A socket of a listener.
#[derive(Debug)]
pub(super) enum Socket {
    // The holders first: they are dropped before the number of the socket can be another file's.
    Tcp {
        holders: Holders,
        listener: TcpListener,
    },
    #[cfg(unix)]
    Unix {
        holders: Holders,
        listener: UnixListener,
    },
}

/// Which processes have a socket open beside this one.
#[derive(Debug)]
pub(super) struct Holders {
    /// The process that handed it over keeps it open, and hands it to the next process.
    is_handed_over: bool,
    /// The process before this one has opened it, or had it from the one before.
    #[cfg(all(unix, feature = "upgrade"))]
    is_inherited: bool,
    /// A successor of this process would get it.
    #[cfg(all(unix, feature = "upgrade"))]
    registered: Option<Registered>,
}

impl From<bool> for Holders {
    fn from(is_handed_over: bool) -> Self {
        Self {
            is_handed_over,
            #[cfg(all(unix, feature = "upgrade"))]
            is_inherited: false,
            #[cfg(all(unix, feature = "upgrade"))]
            registered: None,
        }
    }
}

/// A connection, and the client's address if it has one.
pub(super) type Accepted = (Io, Option<SocketAddr>);

impl Socket {
    /// One that was handed over, and that the process it is from keeps open.
    pub(super) fn of_std(listener: std::net::TcpListener) -> io::Result<Self> {
        Self::inherited(listener, true)
    }

    /// One that was handed over.
    pub(super) fn inherited(listener: std::net::TcpListener, is_kept: bool) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // A process before this one may have closed it as if it were its own.
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&listener).detach_filter();
        Ok(Self::Tcp { holders: is_kept.into(), listener: TcpListener::from_std(listener)? })
    }

    /// The same.
    #[cfg(unix)]
    pub(super) fn inherited_unix(listener: std::os::unix::net::UnixListener, is_kept: bool) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix { holders: is_kept.into(), listener: UnixListener::from_std(listener)? })
    }

    /// From now on a successor gets it, under the name and the address that were asked for.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(super) fn register(mut self, name: &str, address: &str) -> Self {
        let is_kept = !self.is_ours();
        let (holders, number, kind) = match &mut self {
            Self::Tcp { holders, listener } => (holders, listener.as_raw_fd(), handed_on::Type::Tcp),
            Self::Unix { holders, listener } => (holders, listener.as_raw_fd(), handed_on::Type::Unix),
        };
        holders.registered = Some(handed_on::register(number, kind, name, address, is_kept));
        self
    }

    /// There are no successors.
    #[cfg(not(all(unix, feature = "upgrade")))]
    pub(super) fn register(self, _: &str, _: &str) -> Self {
        self
    }

    /// Whether the successor that was started last has it.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(super) fn is_handed_on(&self) -> bool {
        self.holders().registered.as_ref().is_some_and(Registered::is_handed_on)
    }

    /// Whether it is from the process before this one, which goes on with it until it makes way.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(super) fn is_inherited(&self) -> bool {
        self.holders().is_inherited
    }

    /// It is from the process before this one.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(super) fn inherit(mut self) -> Self {
        match &mut self {
            Self::Tcp { holders, .. } | Self::Unix { holders, .. } => holders.is_inherited = true,
        }
        self
    }

    fn holders(&self) -> &Holders {
        match self {
            Self::Tcp { holders, .. } => holders,
            #[cfg(unix)]
            Self::Unix { holders, .. } => holders,
        }
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
        !self.holders().is_handed_over
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
        Self::Tcp { holders: is_handed_over.into(), listener }
    }
}

#[cfg(unix)]
impl From<UnixListener> for Socket {
    fn from(listener: UnixListener) -> Self {
        let is_handed_over = handed_over::is_one(listener.as_raw_fd());
        Self::Unix { holders: is_handed_over.into(), listener }
    }
}
