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
#[cfg(all(unix, feature = "upgrade"))]
mod handed_on;
mod handed_over;
mod listen;
mod sockets;
mod stream;
mod udp;

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

#[cfg(all(unix, feature = "upgrade"))]
pub(crate) use self::handed_on::{Sent, begin as begin_to_hand_on, close_unclaimed, has_any, inherit, send_next};
#[cfg(unix)]
pub(crate) use self::handed_over::note as note_handed_over;
pub use self::listen::{ListenError, listen};
use self::sockets::{Accepted, Socket};
use self::stream::Io;
pub use self::stream::Stream;
pub use self::udp::{UdpSocket, udp};
use crate::say::connections;
use crate::work::cancellation::run_until_stopping;
use crate::work::own_entry::OwnEntry;

/// How long a client may take to complete a handshake that the kernel has answered.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// How long a listener that closes tries, when the system does not let it accept those who are already connected.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);

/// The pauses after an `accept` that failed: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How often a line says that connections cannot be accepted.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// A socket, or several, on which clients connect.
///
/// Made by [`listen()`], or from tokio's listeners by `Listener::from`. [`and`](Self::and) adds another one.
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
    /// Set when connections cannot be accepted meanwhile.
    gives_up_at: Option<Instant>,
    failing: Failing,
}

impl Listener {
    fn of(sockets: Vec<Socket>) -> Self {
        let limit = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self {
            sockets,
            next: 0,
            limit,
            is_nodelay: false,
            own: None,
            closes_at: None,
            gives_up_at: None,
            failing: Failing::default(),
        }
    }

    /// A listener that another process keeps open as well: one that was handed over, or one that this process hands on.
    /// It is not closed at a stop, so that the other process gets the clients. See [`listen()`] for those of systemd.
    ///
    /// # Errors
    ///
    /// When tokio cannot use it.
    ///
    /// # Panics
    ///
    /// Outside any tokio runtime.
    pub fn handed_over(listener: std::net::TcpListener) -> io::Result<Self> {
        Socket::inherited(listener, true).map(|socket| Self::of(vec![socket]))
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
        #[cfg(all(unix, feature = "upgrade"))]
        if let Some(own) = self.own.as_ref().filter(|own| own.life().succession.is_waiting()) {
            // Until then the predecessor accepts: a client that it gets is not lost if this process fails to start.
            run_until_stopping(own.life().succession.confirmed()).await;
        }
        while self.closes_at.is_none() {
            match run_until_stopping(self.accept_within_limit()).await {
                Some(Ok(stream)) => return Some(stream),
                Some(Err(error)) => self.pause_after(&error).await,
                None => self.begin_to_close(),
            }
        }
        // Before the time is checked, it is checked whether a client is there.
        while let Some(at) = self.closes_at.filter(|_| !self.sockets.is_empty()) {
            match timeout_at(at, self.accept_now()).await {
                Ok(Ok(stream)) => return Some(self.stream(stream, None)),
                Ok(Err(error)) => self.pause_while_closing(&error).await,
                Err(_) => self.sockets.clear(),
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

    async fn accept_now(&mut self) -> io::Result<Accepted> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// Asks each socket, a different one first each time.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
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

    fn stream(&self, accepted: Accepted, permit: Option<OwnedSemaphorePermit>) -> Stream {
        if let (Io::Tcp(stream), _) = &accepted
            && self.is_nodelay
        {
            let _ = stream.set_nodelay(true);
        }
        Stream::new(accepted, self.own.clone(), permit)
    }

    fn begin_to_close(&mut self) {
        self.sockets.retain(Socket::is_ours);
        #[cfg(all(unix, feature = "upgrade"))]
        if let Some(own) = &self.own {
            let life = own.life();
            let is_the_next_ones = matches!(life.phase.cause(), Some(crate::model::state::Cause::Upgraded(_)));
            let is_the_last_ones = life.succession.is_waiting();
            self.sockets.retain(|socket| {
                !(is_the_next_ones && socket.is_handed_on() || is_the_last_ones && socket.is_inherited)
            });
        }
        for socket in &self.sockets {
            socket.begin_to_close();
        }
        self.closes_at = Some(Instant::now() + ROUND_TRIP);
    }

    /// The clients in the backlog are not given up at once: there may be files again.
    async fn pause_while_closing(&mut self, error: &io::Error) {
        if is_of_client(error) {
            return;
        }
        sleep(self.note_failure(error)).await;
        let now = Instant::now();
        let gives_up_at = *self.gives_up_at.get_or_insert(now + LONGEST_CLOSE);
        self.closes_at = Some(gives_up_at.min(now + ROUND_TRIP));
    }

    async fn pause_after(&mut self, error: &io::Error) {
        if !is_of_client(error) {
            let pause = self.note_failure(error);
            run_until_stopping(sleep(pause)).await;
        }
    }

    /// Says it, now and then. Returns how long to wait before the next try.
    fn note_failure(&mut self, error: &io::Error) -> Duration {
        let (now, failing) = (Instant::now(), &mut self.failing);
        if failing.said.is_none_or(|said| now - said >= BETWEEN_LINES) {
            failing.said = Some(now);
            if let Some(own) = &self.own {
                own.life().writer.say(connections::cannot_accept(error));
            }
        }
        failing.pause = (failing.pause * 2).clamp(PAUSES.0, PAUSES.1);
        failing.pause
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

/// One that systemd has handed over to this process is recognised.
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
