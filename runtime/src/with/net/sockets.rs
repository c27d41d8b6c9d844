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
pub(super) struct Socket {
    /// The process that handed it over keeps it open, and hands it to the next process.
    is_handed_over: bool,
    /// The process before this one has opened it, or had it from the one before, and goes on with it until it makes way.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(super) is_inherited: bool,
    /// A successor of this process would get it. Before the socket: it is dropped before the number of that can be
    /// another file's.
    #[cfg(all(unix, feature = "upgrade"))]
    registered: Option<Registered>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection, and the client's address if it has one.
pub(super) type Accepted = (Io, Option<SocketAddr>);

impl Socket {
    fn new(kind: Kind, is_handed_over: bool) -> Self {
        Self {
            is_handed_over,
            #[cfg(all(unix, feature = "upgrade"))]
            is_inherited: false,
            #[cfg(all(unix, feature = "upgrade"))]
            registered: None,
            kind,
        }
    }

    /// One that was handed over. `is_kept`: the process it is from keeps it open.
    pub(super) fn inherited(listener: std::net::TcpListener, is_kept: bool) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // A process before this one may have closed it as if it were its own.
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&listener).detach_filter();
        Ok(Self::new(Kind::Tcp(TcpListener::from_std(listener)?), is_kept))
    }

    /// The same.
    #[cfg(unix)]
    pub(super) fn inherited_unix(listener: std::os::unix::net::UnixListener, is_kept: bool) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::new(Kind::Unix(UnixListener::from_std(listener)?), is_kept))
    }

    /// From now on a successor gets it, under the name and the address that were asked for.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(super) fn register(mut self, name: &str, address: &str) -> Self {
        let (number, kind) = match &self.kind {
            Kind::Tcp(listener) => (listener.as_raw_fd(), handed_on::Type::Tcp),
            Kind::Unix(listener) => (listener.as_raw_fd(), handed_on::Type::Unix),
        };
        self.registered = Some(handed_on::register(number, kind, name, address, self.is_handed_over));
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
        self.registered.as_ref().is_some_and(Registered::is_handed_on)
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Kind::Unix(_) => None,
        }
    }

    /// Whether this process has opened it.
    pub(super) fn is_ours(&self) -> bool {
        !self.is_handed_over
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let accepted = ready!(listener.poll_accept(context));
                Poll::Ready(accepted.map(|(stream, peer)| (Io::Tcp(stream), Some(peer))))
            }
            #[cfg(unix)]
            Kind::Unix(listener) => {
                let accepted = ready!(listener.poll_accept(context));
                Poll::Ready(accepted.map(|(stream, _)| (Io::Unix(stream), None)))
            }
        }
    }

    /// Lets no client begin a connection any more, where that is possible. Otherwise one can still connect between the
    /// last `accept` and the close, and is reset.
    pub(super) fn begin_to_close(&self) {
        #[cfg(target_os = "linux")]
        if let Kind::Tcp(listener) = &self.kind {
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
        Self::new(Kind::Tcp(listener), is_handed_over)
    }
}

#[cfg(unix)]
impl From<UnixListener> for Socket {
    fn from(listener: UnixListener) -> Self {
        let is_handed_over = handed_over::is_one(listener.as_raw_fd());
        Self::new(Kind::Unix(listener), is_handed_over)
    }
}
