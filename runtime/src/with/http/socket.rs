//! The socket of a connection, as hyper sees it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::either::Either;

use super::websocket::Outgoing;
use crate::with::net::Stream;
use crate::with::tower::connection::Connection;

/// What is made of a stream before it is served.
pub(super) type Established = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;

/// Reads and writes the bytes of HTTP: a plain stream, or what was made of one.
pub(super) type Transport = Either<Stream, Box<dyn ReadWrite>>;

pub(crate) trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ReadWrite for T {}

/// Notes what the client sends and takes.
pub(super) struct Socket {
    transport: Transport,
    connection: Arc<Connection>,
    /// Set once the connection becomes a WebSocket.
    websocket: Option<Box<Outgoing>>,
}

impl Socket {
    pub(super) fn new(transport: Transport, connection: Arc<Connection>) -> Self {
        Self { transport, connection, websocket: None }
    }

    #[inline]
    fn sent(&mut self, sent: Poll<io::Result<usize>>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.connection.sends(sent.is_ready());
        if let Poll::Ready(sent) = &sent {
            self.connection.has_sent();
            if let (Ok(length), true) = (sent, self.connection.speaks_websocket()) {
                self.sent_by_websocket(*length, bufs);
            }
        }
        sent
    }

    #[cold]
    fn sent_by_websocket(&mut self, mut length: usize, bufs: &[io::IoSlice<'_>]) {
        let outgoing = self.websocket.get_or_insert_with(|| Box::new(Outgoing::new()));
        if outgoing.is_closed() {
            return;
        }
        for buf in bufs {
            let sent = length.min(buf.len());
            outgoing.sent(&buf[..sent]);
            length -= sent;
        }
        if outgoing.is_closed() {
            self.connection.says_close();
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.connection.close();
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.transport).poll_read(context, buf);
        if read.is_pending() && self.connection.speaks_websocket() && self.connection.is_given_up(context.waker()) {
            // For the handler the client has gone.
            return Poll::Ready(Ok(()));
        }
        let read = ready!(read);
        if let Some(bytes) = buf.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
            self.connection.received(bytes);
            if self.websocket.is_some() {
                self.connection.has_heard();
            }
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.transport).poll_write(context, buf);
        self.sent(sent, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.transport).poll_write_vectored(context, bufs);
        self.sent(sent, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.transport).poll_flush(context);
        self.connection.sends(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}
