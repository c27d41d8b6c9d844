//! Listeners and streams that lose nothing at a stop. Feature `net`.
//!
//! ```no_run
//! use graceful::net::Stream;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! #[graceful::worker]
//! async fn greet(mut stream: Stream) {
//!     let mut name = [0; 64];
//!     if let Some(Ok(length)) = graceful::run_until_stopping(stream.read(&mut name)).await {
//!         let _ = stream.write_all(&name[..length]).await;
//!     }
//! }
//!
//! #[graceful::main]
//! async fn main() -> Result<(), graceful::net::ListenError> {
//!     let mut listener = graceful::net::listen("greet", "127.0.0.1:4000").await?.max_connections(1000);
//!     graceful::ready();
//!     while let Some(stream) = listener.accept().await {
//!         greet(stream).spawn();
//!     }
//!     Ok(())
//! }
//! ```
//!
//! [`Listener::accept`] deals with errors, and hands out what clients have begun before it closes. A [`Stream`] that
//! is dropped closes so that the peer gets all that was written. For HTTP there is `graceful::http`.

mod closing;
mod handed_over;
mod sockets;
mod stream;

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use self::sockets::Socket;
pub use self::stream::Stream;
use crate::say::connections;
use crate::work::cancellation::run_until_stopping;
use crate::work::own_entry::OwnEntry;

/// How long a client may take to complete a handshake that the kernel has answered.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// The pauses after an `accept` that failed: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How often a line says that connections cannot be accepted.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Listens on `address`, such as `127.0.0.1:3000`, or takes the socket that was handed over under this name.
///
/// systemd hands sockets over, and so does whatever follows its protocol (`LISTEN_FDS`). Such a socket stays open from
/// one process to the next, so that clients wait and are not refused. Its name is `FileDescriptorName=` of the socket
/// unit; without one, the name of the unit without `.socket`. Where sockets have no names at all, each call takes the
/// next one.
///
/// # Errors
///
/// When the socket cannot be opened. The error is one line that says which address, why, and what to do.
///
/// # Panics
///
/// Outside any tokio runtime.
pub async fn listen(name: &str, address: &str) -> Result<Listener, ListenError> {
    let failed = |error| ListenError { name: name.to_owned(), address: address.to_owned(), error };
    match handed_over::take(name).map_err(failed)? {
        Some(socket) => Ok(Listener::of(vec![socket])),
        None => TcpListener::bind(address).await.map(Listener::from).map_err(failed),
    }
}

/// Why a [`listen`] failed.
pub struct ListenError {
    name: String,
    address: String,
    error: io::Error,
}

/// A socket, or several, on which clients connect.
///
/// Made by [`listen`], or from tokio's listeners by `Listener::from`. [`and`](Self::and) adds another one.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<Socket>,
    /// Which of them is asked first.
    next: usize,
    limit: Arc<Semaphore>,
    is_nodelay: bool,
    /// Where its connections are counted, from the first one on.
    own: Option<Arc<OwnEntry>>,
    /// Set when the caller is told to stop: how long clients may take that are just connecting.
    closes_at: Option<Instant>,
    failing: Failing,
}

impl Listener {
    fn of(sockets: Vec<Socket>) -> Self {
        let limit = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { sockets, next: 0, limit, is_nodelay: false, own: None, closes_at: None, failing: Failing::default() }
    }

    /// A listener that another process handed over, and keeps open. See [`listen`] for those of systemd.
    ///
    /// # Errors
    ///
    /// When tokio cannot use it.
    ///
    /// # Panics
    ///
    /// Outside any tokio runtime.
    pub fn handed_over(listener: std::net::TcpListener) -> io::Result<Self> {
        Socket::of_std(listener).map(|socket| Self::of(vec![socket]))
    }

    /// Listens on these sockets as well, with the limits of this one.
    #[must_use = "it returns the changed listener"]
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        self.sockets.extend(other.into().sockets);
        self
    }

    /// How many streams may be open at a time: further clients wait until one of them is closed. Unlimited unless set.
    #[must_use = "it returns the changed listener"]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limit = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        self
    }

    /// Whether small writes leave at once (`TCP_NODELAY`). Off unless set, as everywhere: then the kernel may hold a
    /// small write back until the peer has acknowledged the one before, for 40 ms or so. On for streams of gRPC, web
    /// sockets and events; off for many small answers on one connection, which then share packets.
    #[must_use = "it returns the changed listener"]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.is_nodelay = nodelay;
        self
    }

    /// The address of the first TCP socket: with port 0, which port the system has chosen.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.sockets.iter().find_map(Socket::local_addr)
    }

    /// The next client.
    ///
    /// `None` once the caller is told to stop, and never before. Until then errors are dealt with: a client that has
    /// gone is skipped; when the process runs out of files, or the system of memory, a line says so, and it tries again
    /// after 10 ms, 20 ms, … up to 1 s.
    ///
    /// At the stop it returns the clients that the kernel has already connected, beyond the limit if need be, and closes
    /// the sockets after that. On Linux, the kernel meanwhile lets no client begin a connection; a client that tries to
    /// sends its first packet again a second later. A socket that was handed over is left as it is: further clients
    /// wait in it for the next process.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no client.
    #[track_caller]
    pub fn accept(&mut self) -> impl Future<Output = Option<Stream>> + Send + '_ {
        self.accept_at(Location::caller())
    }

    /// The same for connections that were written there.
    pub(crate) fn accept_at(
        &mut self,
        place: &'static Location<'static>,
    ) -> impl Future<Output = Option<Stream>> + Send + '_ {
        if self.own.is_none() {
            self.own = OwnEntry::new("connection", place);
        }
        self.accept_in_turn()
    }

    async fn accept_in_turn(&mut self) -> Option<Stream> {
        while self.closes_at.is_none() {
            match run_until_stopping(self.accept_within_limit()).await {
                Some(Ok(stream)) => return Some(stream),
                Some(Err(error)) => self.pause_after(&error).await,
                None => self.begin_to_close(),
            }
        }
        let at = self.closes_at?;
        // Before the time is checked, it is checked whether a client is there.
        while !self.sockets.is_empty() {
            match timeout_at(at, self.accept_now()).await {
                Ok(Ok(stream)) => return Some(self.stream(stream, None)),
                Ok(Err(error)) if is_of_client(&error) => {}
                _ => self.sockets.clear(),
            }
        }
        None
    }

    async fn accept_within_limit(&mut self) -> io::Result<Stream> {
        let permit = Arc::clone(&self.limit).acquire_owned().await.ok();
        let accepted = self.accept_now().await?;
        self.failing = Failing::default();
        Ok(self.stream(accepted, permit))
    }

    async fn accept_now(&mut self) -> io::Result<sockets::Accepted> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// Asks each socket, a different one first each time.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<sockets::Accepted>> {
        let count = self.sockets.len();
        self.next = self.next.wrapping_add(1);
        for turn in 0..count {
            let socket = &self.sockets[self.next.wrapping_add(turn) % count];
            if let Poll::Ready(accepted) = socket.poll_accept(context) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    fn stream(&self, accepted: sockets::Accepted, permit: Option<OwnedSemaphorePermit>) -> Stream {
        if let sockets::Accepted::Tcp(stream, _) = &accepted
            && self.is_nodelay
        {
            let _ = stream.set_nodelay(true);
        }
        Stream::new(accepted, self.own.clone(), permit)
    }

    fn begin_to_close(&mut self) {
        self.sockets.retain(Socket::is_ours);
        for socket in &self.sockets {
            socket.begin_to_close();
        }
        self.closes_at = Some(Instant::now() + ROUND_TRIP);
    }

    async fn pause_after(&mut self, error: &io::Error) {
        if is_of_client(error) {
            return;
        }
        let pause = self.failing.pause();
        if self.failing.is_line_due()
            && let Some(own) = &self.own
        {
            own.life().writer.say(connections::cannot_accept(error));
        }
        run_until_stopping(sleep(pause)).await;
    }
}

/// The client went away before it was accepted: the next one is no worse for it.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What is known of a series of errors.
#[derive(Debug, Default)]
struct Failing {
    pause: Duration,
    said: Option<Instant>,
}

impl Failing {
    fn pause(&mut self) -> Duration {
        self.pause = (self.pause * 2).clamp(PAUSES.0, PAUSES.1);
        self.pause
    }

    fn is_line_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.said.is_none_or(|said| now - said >= BETWEEN_LINES);
        if is_due {
            self.said = Some(now);
        }
        is_due
    }
}

/// One that systemd has handed over is recognised, as long as it has kept its number.
impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::of(vec![Socket::from(listener)])
    }
}

/// As for TCP. Its file is not removed when it is closed: the next process may have made it already.
#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::of(vec![Socket::from(listener)])
    }
}

/// As its `Display`: main prints it.
impl fmt::Debug for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&connections::cannot_listen(&self.name, &self.address, &self.error))
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
