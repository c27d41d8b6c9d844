//! A connection to a client.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;

use super::closing::close;
use super::sockets::Accepted;
use crate::work::own_entry::OwnEntry;

/// How long the peer may still be busy with what was written last, in milliseconds.
#[cfg(target_os = "linux")]
const RECENTLY: u32 = 250;

/// A connection to a client, over TCP or a Unix socket, as [`Listener::accept`](super::Listener::accept) returns it.
///
/// Dropping it closes it so that the peer gets all that was written. A kernel that closes a socket with unread bytes,
/// or gets bytes for a closed one, resets the connection, and what is still on its way to the peer is lost: a client
/// that has sent a second command behind a large answer loses the end of that answer. So the write side is closed
/// first, and what the peer still sends is read, until it closes too, for 5 s at the most, and no longer than 1 s after
/// the last byte; less in a stop. The stop waits for that like for a worker, called `connection`.
pub struct Stream {
    /// `None` only while it is dropped.
    open: Option<Open>,
    peer: Option<SocketAddr>,
    own: Option<Arc<OwnEntry>>,
    /// The peer has closed its side, or the connection is broken.
    is_over: bool,
    /// The write side is closed.
    is_ended: bool,
    has_written: bool,
}

/// What has to be kept until the connection is closed.
pub(super) struct Open {
    pub(super) io: Io,
    /// Its place under the limit.
    _permit: Option<OwnedSemaphorePermit>,
}

pub(super) enum Io {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Runs the same code on either kind of socket.
macro_rules! on {
    ($io:expr, $stream:ident => $run:expr) => {
        match $io {
            Io::Tcp($stream) => $run,
            #[cfg(unix)]
            Io::Unix($stream) => $run,
        }
    };
}

impl Stream {
    pub(super) fn new((io, peer): Accepted, own: Option<Arc<OwnEntry>>, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            open: Some(Open { io, _permit: permit }),
            peer,
            own,
            is_over: false,
            is_ended: false,
            has_written: false,
        }
    }

    /// The client's address. `None` for a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The TCP socket, for its options.
    pub fn as_tcp(&self) -> Option<&TcpStream> {
        match &self.open.as_ref()?.io {
            Io::Tcp(stream) => Some(stream),
            #[cfg(unix)]
            Io::Unix(_) => None,
        }
    }

    /// The Unix socket.
    #[cfg(unix)]
    pub fn as_unix(&self) -> Option<&UnixStream> {
        match &self.open.as_ref()?.io {
            Io::Tcp(_) => None,
            Io::Unix(stream) => Some(stream),
        }
    }

    #[cfg(feature = "http")]
    pub(crate) fn own(&self) -> Option<&Arc<OwnEntry>> {
        self.own.as_ref()
    }

    fn io(&mut self) -> &mut Io {
        &mut self.open.as_mut().expect("it is open until it is dropped").io
    }

    /// Whether the peer may not have got all that was written.
    fn may_be_unread(&self, io: &Io) -> bool {
        self.has_written && !self.is_over && (io.has_sent_recently() || io.unsent() > usize::from(self.is_ended))
    }

    fn note_written<T>(&mut self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &written {
            Poll::Ready(Ok(_)) => self.has_written = true,
            Poll::Ready(Err(_)) => self.is_over = true,
            Poll::Pending => {}
        }
        written
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        if let Some(own) = self.own.take().filter(|_| self.may_be_unread(&open.io)) {
            open.io.end_writing();
            if !open.io.discard() {
                let life = Arc::clone(own.life());
                own.spawn(async move { close(open, &life).await });
            }
        }
    }
}

impl Io {
    pub(super) fn end_writing(&self) {
        let _ = on!(self, stream => SockRef::from(stream).shutdown(Shutdown::Write));
    }

    /// Throws away what has arrived. Returns whether the peer has closed.
    pub(super) fn discard(&self) -> bool {
        let mut bytes = [0; 4096];
        // A peer that never stops sending holds the thread up no longer than this.
        for _ in 0..16 {
            match on!(self, stream => stream.try_read(&mut bytes)) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
        false
    }

    /// Waits until something has arrived. Cancel safe.
    pub(super) async fn readable(&self) {
        let _ = on!(self, stream => stream.ready(Interest::READABLE).await.map(|_| ()));
    }

    /// How much of what was written the peer has not acknowledged. Not known on every system.
    fn unsent(&self) -> usize {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsFd;
            on!(self, stream => crate::os::sys::unsent(stream.as_fd()))
        }
        #[cfg(not(target_os = "linux"))]
        {
            0
        }
    }

    /// Whether data has been sent within [`RECENTLY`]. On a Unix socket what was sent is unsent until the peer reads it;
    /// where the system does not say, it may have been.
    fn has_sent_recently(&self) -> bool {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsFd;
            on!(self, stream => crate::os::sys::idle_millis(stream.as_fd())).is_some_and(|millis| millis < RECENTLY)
        }
        #[cfg(not(target_os = "linux"))]
        {
            true
        }
    }

    /// Whether some of these are bytes, once the write side is closed.
    pub(super) fn has_unsent_bytes(&self) -> bool {
        self.unsent() > 1
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining());
        let read = ready!(on!(self.io(), stream => Pin::new(stream).poll_read(context, buf)));
        if read.is_err() || room > 0 && buf.filled().len() == before {
            self.is_over = true;
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = on!(self.io(), stream => Pin::new(stream).poll_write(context, buf));
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = on!(self.io(), stream => Pin::new(stream).poll_write_vectored(context, bufs));
        self.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets have no buffer of their own.
        Poll::Ready(Ok(()))
    }

    /// Closes the write side: the peer reads to the end.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_ended = true;
        on!(self.io(), stream => Pin::new(stream).poll_shutdown(context))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("peer", &self.peer).finish_non_exhaustive()
    }
}
