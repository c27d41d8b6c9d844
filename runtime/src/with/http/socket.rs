//! The socket of a connection, as hyper sees it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::with::net::Stream;
use crate::with::tower::connection::Connection;

/// What is made of a stream before it is served.
pub(super) type Established = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;

/// Reads and writes the bytes of HTTP.
pub(crate) enum Transport {
    Plain(Stream),
    Other(Box<dyn ReadWrite>),
}

pub(crate) trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ReadWrite for T {}

/// Notes what the client sends and takes.
pub(super) struct Socket {
    transport: Transport,
    connection: Arc<Connection>,
}

/// Runs the same code on either kind of transport.
macro_rules! on {
    ($socket:expr, $stream:ident => $run:expr) => {
        match &mut $socket.transport {
            Transport::Plain($stream) => $run,
            Transport::Other($stream) => $run,
        }
    };
}

impl Socket {
    pub(super) fn new(transport: Transport, connection: Arc<Connection>) -> Self {
        Self { transport, connection }
    }

    fn sent(&self, sent: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.connection.sends(sent.is_ready());
        if sent.is_ready() {
            self.connection.has_sent();
        }
        sent
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
        let read = ready!(on!(self, stream => Pin::new(stream).poll_read(context, buf)));
        if let Some(bytes) = buf.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
            self.connection.received(bytes);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let sent = on!(self, stream => Pin::new(stream).poll_write(context, buf));
        self.sent(sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = on!(self, stream => Pin::new(stream).poll_write_vectored(context, bufs));
        self.sent(sent)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = on!(self, stream => Pin::new(stream).poll_flush(context));
        self.connection.sends(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}
