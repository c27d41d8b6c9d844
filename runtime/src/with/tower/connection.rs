//! What is known of one HTTP connection: what its client and its requests are at.
//!
//! The socket and the service write here, and the task that drives the connection looks. With HTTP/2 requests run in
//! tasks of their own. No clock is read here: since when something is so, the task knows from when it first saw it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Poll, Waker};

use http::Extensions;
use tokio::sync::SetOnce;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::GracefulLayer;
use super::binding::Binding;
use crate::life::lifecycle::Lifecycle;
use crate::os::lock::Lock;

/// Adds what a handler may want to know of the client to a request's extensions.
pub(crate) type ConnectInfo = dyn Fn(SocketAddr, &mut Extensions) + Send + Sync;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Its client has sent nothing yet.
    Opening,
    /// Its client has sent a part of a request's head.
    ReadingHead,
    /// Requests are in hand.
    Answering,
    /// What is ready for its client is not taken.
    Blocked,
    /// Its client may send another request.
    Idle,
}

pub(crate) struct Connection {
    /// Where its requests are counted.
    pub(super) binding: Arc<Binding>,
    /// The client, and who wants to know of it.
    peer: Option<(SocketAddr, Arc<ConnectInfo>)>,
    /// Requests in hand.
    requests: AtomicU32,
    /// How many there were: with HTTP/2 perhaps a few more.
    served: AtomicU32,
    is_http2: AtomicBool,
    /// Bytes have come that are no whole head yet.
    has_part: AtomicBool,
    /// The client takes nothing.
    is_blocked: AtomicBool,
    /// How often it has taken something.
    writes: AtomicU32,
    /// A request of HTTP/2 has become a tunnel, which no request in hand stands for.
    has_tunnel: AtomicBool,
    /// The socket becomes a WebSocket.
    speaks_websocket: AtomicBool,
    websocket: WebSocket,
    /// The next answer is the last one.
    ends: AtomicBool,
    /// Cancelled when it is set, for answers that have to end then.
    ending: Lock<Option<CancellationToken>>,
    /// The client was told so, by an answer of HTTP/1.
    has_said_so: AtomicBool,
    /// The socket is gone.
    closed: SetOnce<()>,
}

/// The end of a WebSocket.
#[derive(Default)]
struct WebSocket {
    /// The server has said Close.
    says_close: SetOnce<()>,
    /// How often its client has said something.
    heard: AtomicU32,
    /// Its client is not waited for.
    is_given_up: AtomicBool,
    /// The task that waits for it.
    reader: Lock<Option<Waker>>,
}

/// How a connection that speaks HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

impl Connection {
    /// For requests that this layer takes.
    pub(crate) fn new(
        life: &Arc<Lifecycle>,
        layer: &GracefulLayer,
        peer: Option<(SocketAddr, Arc<ConnectInfo>)>,
    ) -> Arc<Self> {
        let GracefulLayer(shared) = layer;
        let no = || AtomicBool::new(false);
        Arc::new(Self {
            binding: shared.within(life),
            peer,
            requests: AtomicU32::new(0),
            served: AtomicU32::new(0),
            is_http2: no(),
            has_part: no(),
            is_blocked: no(),
            writes: AtomicU32::new(0),
            has_tunnel: no(),
            speaks_websocket: no(),
            websocket: WebSocket::default(),
            ends: no(),
            ending: Lock::default(),
            has_said_so: no(),
            closed: SetOnce::new(),
        })
    }

    // ----- the socket -----

    /// The client has sent these bytes.
    #[inline]
    pub(crate) fn received(&self, bytes: &[u8]) {
        if self.requests.load(Ordering::Relaxed) > 0 || self.is_http2() {
            return;
        }
        let is_first = self.served.load(Ordering::Relaxed) == 0 && !self.has_part.load(Ordering::Relaxed);
        if is_first && bytes.starts_with(&PREFACE[..PREFACE.len().min(bytes.len())]) {
            self.is_http2.store(true, Ordering::Relaxed);
        } else {
            self.has_part.store(true, Ordering::Relaxed);
        }
    }

    /// What was received before belongs to another protocol.
    pub(crate) fn is_established(&self) {
        self.is_http2.store(false, Ordering::Relaxed);
        self.has_part.store(false, Ordering::Relaxed);
    }

    /// Whether the client takes what is sent.
    #[inline]
    pub(crate) fn sends(&self, takes: bool) {
        if takes == self.is_blocked() {
            self.is_blocked.store(!takes, Ordering::Relaxed);
        }
    }

    /// The client takes a part of it.
    #[inline]
    pub(crate) fn has_sent(&self) {
        // The socket has one writer.
        self.writes.store(self.writes().wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether frames of a WebSocket are sent, or are about to be.
    #[inline]
    pub(crate) fn speaks_websocket(&self) -> bool {
        self.speaks_websocket.load(Ordering::Relaxed)
    }

    /// The server has said Close, as a WebSocket.
    pub(crate) fn says_close(&self) {
        let _ = self.websocket.says_close.set(());
    }

    /// The client of a WebSocket has said something.
    pub(crate) fn has_heard(&self) {
        self.websocket.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the client of a WebSocket is not waited for. Otherwise this reader is woken when it is not.
    #[cold]
    pub(crate) fn is_given_up(&self, reader: &Waker) -> bool {
        let mut own = self.websocket.reader.lock();
        if !own.as_ref().is_some_and(|own| own.will_wake(reader)) {
            *own = Some(reader.clone());
        }
        // Under the lock: it is set before the reader is taken.
        self.websocket.is_given_up.load(Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        let _ = self.closed.set(());
    }

    // ----- the service -----

    #[inline]
    pub(crate) fn request_began(&self, is_http2: bool, extensions: &mut Extensions) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.has_part.store(false, Ordering::Relaxed);
        let served = self.served.load(Ordering::Relaxed);
        if served == 0 {
            self.is_http2.store(is_http2, Ordering::Relaxed);
        }
        self.served.store(served.wrapping_add(1).max(1), Ordering::Relaxed);
        if let Some((peer, info)) = &self.peer {
            info(*peer, extensions);
        }
    }

    #[inline]
    pub(crate) fn request_ended(&self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the client should be told that the answer is the last one.
    #[inline]
    pub(crate) fn is_ending(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// Resolves when it is so.
    pub(crate) fn ending(&self) -> WaitForCancellationFutureOwned {
        let mut ending = self.ending.lock();
        let token = ending.get_or_insert_default();
        if self.is_ending() {
            token.cancel();
        }
        token.clone().cancelled_owned()
    }

    /// The request becomes a tunnel. With HTTP/1 that takes the socket along.
    pub(crate) fn opens_a_tunnel(&self) {
        self.has_tunnel.store(self.is_http2(), Ordering::Relaxed);
    }

    /// The socket leaves, for frames of a WebSocket. The first of them follows the answer.
    pub(crate) fn opens_a_websocket(&self) {
        self.speaks_websocket.store(true, Ordering::Relaxed);
    }

    /// The client is told so.
    pub(crate) fn says_so(&self) {
        self.has_said_so.store(true, Ordering::Relaxed);
    }

    // ----- the task -----

    pub(crate) fn ends(&self) {
        let ending = self.ending.lock();
        self.ends.store(true, Ordering::Relaxed);
        let token = ending.clone();
        drop(ending);
        if let Some(token) = token {
            token.cancel();
        }
    }

    pub(crate) fn has_said_so(&self) -> bool {
        self.has_said_so.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    #[inline]
    fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    pub(crate) fn has_requests(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn writes(&self) -> u32 {
        self.writes.load(Ordering::Relaxed)
    }

    pub(crate) fn has_tunnel(&self) -> bool {
        self.has_tunnel.load(Ordering::Relaxed)
    }

    /// What it is at, and a number that changes with each step of it: one that is at the same again has been at something
    /// else meanwhile, or has come further, if the number is another.
    pub(crate) fn look(&self) -> (Activity, u32) {
        let served = self.served.load(Ordering::Relaxed);
        if self.is_blocked() {
            (Activity::Blocked, self.writes())
        } else if self.has_requests() || self.has_tunnel() {
            (Activity::Answering, served)
        } else if self.has_part.load(Ordering::Relaxed) {
            (Activity::ReadingHead, served)
        } else {
            (if served > 0 { Activity::Idle } else { Activity::Opening }, served)
        }
    }

    /// How often the client of a WebSocket has said something.
    pub(crate) fn heard(&self) -> u32 {
        self.websocket.heard.load(Ordering::Relaxed)
    }

    /// The client of a WebSocket is not waited for any more: the handler reads the end.
    pub(crate) fn give_up(&self) {
        let mut reader = self.websocket.reader.lock();
        self.websocket.is_given_up.store(true, Ordering::Relaxed);
        let reader = { reader.take() };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Waits until the socket is gone: after an upgrade another task has it.
    pub(crate) async fn closed(&self) {
        self.closed.wait().await;
    }

    /// Waits until the socket is gone, which is `None`, or its server has said Close.
    pub(crate) async fn close_is_said(&self) -> Option<()> {
        let (mut closed, mut said) = (pin!(self.closed.wait()), pin!(self.websocket.says_close.wait()));
        poll_fn(|context| match closed.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => said.as_mut().poll(context).map(|()| Some(())),
        })
        .await
    }
}
