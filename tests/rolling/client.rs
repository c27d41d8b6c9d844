//! A client by the book: it leaves a connection that it is told to leave, and sends again only what nobody has taken.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{CONNECTION, HOST};
use hyper::{Method, Request, Response, StatusCode, Version, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Longer than any answer takes: one that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an upload pauses between its parts: so long it is in hand.
const PAUSE: Duration = Duration::from_millis(20);

/// A part of an upload, and how many there are.
const PART: &[u8] = &[b'x'; 4096];
const PARTS: u8 = 3;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// A page that is there at once.
    Page,
    /// An upload, which takes a moment.
    Upload,
}

impl Ask {
    fn request(self, address: SocketAddr, version: Version) -> Request<Body> {
        let (method, path, body) = match self {
            Self::Page => (Method::GET, "/", Empty::new().boxed_unsync()),
            Self::Upload => (Method::POST, "/upload", slowly()),
        };
        // HTTP/2 takes the host from the address, HTTP/1 from the header.
        let request = Request::builder().method(method).version(version);
        let request = if version == Version::HTTP_2 {
            request.uri(format!("http://{address}{path}"))
        } else {
            request.uri(path).header(HOST, address.to_string())
        };
        request.body(body).expect("all parts are well formed")
    }

    /// What the examples and the contenders answer.
    fn answer(self) -> String {
        match self {
            Self::Page => "try /slow\n".to_owned(),
            Self::Upload => format!("{} bytes\n", PART.len() * usize::from(PARTS)),
        }
    }
}

/// A body that arrives part by part.
fn slowly() -> Body {
    let parts = stream::unfold(0, async |sent| {
        if sent == PARTS {
            return None;
        }
        if sent > 0 {
            sleep(PAUSE).await;
        }
        Some((Ok(Frame::data(Bytes::from_static(PART))), sent + 1))
    });
    StreamBody::new(parts).boxed_unsync()
}

/// Why there was no answer, or not the right one.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Nobody listens.
    Refused,
    /// A connection that was just made went away, without an answer.
    Reset(String),
    /// A connection that had been used before went away under the request.
    Cut(String),
    /// An answer that the service does not give.
    Status(StatusCode),
    /// Not all of the answer.
    Truncated(String),
    /// No answer within ten seconds.
    Late,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => write!(f, "refused"),
            Self::Reset(why) => write!(f, "reset on a fresh connection: {why}"),
            Self::Cut(why) => write!(f, "cut on a reused connection: {why}"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Truncated(text) => write!(f, "truncated: {text:?}"),
            Self::Late => write!(f, "no answer in {} s", PATIENCE.as_secs()),
        }
    }
}

/// How a request ended that was no success.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// Nobody has seen it, so it may be sent again on another connection. The connection had been closed before a byte
    /// was sent; or it is of HTTP/2, and `GOAWAY` says that the server has not taken this request any more.
    NotTaken,
    Failed(Failure),
}

/// A connection; its clones are the same connection, and only HTTP/2 has any.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    sender: Sender,
    /// Whether anything was ever answered on it.
    has_answered: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, version: Version) -> Result<Self, Failure> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await;
        let stream = stream.map_err(|_| Failure::Late)?;
        let stream = stream.map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => Failure::Refused,
            _ => Failure::Reset(error.to_string()),
        })?;
        stream.set_nodelay(true).map_err(|error| reset(&error))?;
        let io = TokioIo::new(stream);
        let sender = if version == Version::HTTP_2 {
            let made = http2::handshake(TokioExecutor::new(), io).await;
            let (sender, connection) = made.map_err(|error| reset(&error))?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let made = http1::handshake(io).await;
            let (sender, connection) = made.map_err(|error| reset(&error))?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        Ok(Self { address, sender, has_answered: Arc::default() })
    }

    /// Another user of the same connection.
    pub(crate) fn share(&self) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else {
            return None;
        };
        Some(Self {
            address: self.address,
            sender: Sender::Http2(sender.clone()),
            has_answered: Arc::clone(&self.has_answered),
        })
    }

    /// Whether the other side is known to have closed it.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Asks, and reads the answer to its end. `Ok(true)` if the connection may be used for another request.
    pub(crate) async fn ask(&mut self, ask: Ask) -> Result<bool, End> {
        match timeout(PATIENCE, self.exchange(ask)).await {
            Ok(result) => result,
            Err(_) => Err(End::Failed(Failure::Late)),
        }
    }

    async fn exchange(&mut self, ask: Ask) -> Result<bool, End> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(|_| End::NotTaken)?;
                let request = ask.request(self.address, Version::HTTP_11);
                sender.try_send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(|_| End::NotTaken)?;
                let request = ask.request(self.address, Version::HTTP_2);
                sender.try_send_request(request).await
            }
        };
        let response = response.map_err(|error| self.gone(error))?;
        let is_kept = !says_close(&response);
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| self.gone_under(&error))?.to_bytes();
        if status != StatusCode::OK {
            return Err(End::Failed(Failure::Status(status)));
        }
        if body != ask.answer() {
            let text = String::from_utf8_lossy(&body).into_owned();
            return Err(End::Failed(Failure::Truncated(text)));
        }
        self.has_answered.store(true, Ordering::Relaxed);
        Ok(is_kept)
    }

    fn gone(&self, mut error: TrySendError<Request<Body>>) -> End {
        match error.take_message() {
            Some(_) => End::NotTaken,
            None => self.gone_under(error.error()),
        }
    }

    fn gone_under(&self, error: &hyper::Error) -> End {
        let cause = error.source().and_then(<dyn Error>::downcast_ref);
        // The library says this of the requests beyond the last one that the server names, and of no others.
        let is_not_taken =
            |error: &h2::Error| error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
        if cause.is_some_and(is_not_taken) {
            return End::NotTaken;
        }
        let why = chain(error);
        End::Failed(if self.has_answered.load(Ordering::Relaxed) { Failure::Cut(why) } else { Failure::Reset(why) })
    }
}

fn says_close(response: &Response<Incoming>) -> bool {
    let mut values = response.headers().get_all(CONNECTION).iter();
    values.any(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

fn reset(error: &(dyn Error + 'static)) -> Failure {
    Failure::Reset(chain(error))
}

/// An error, and what it comes from.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The status of a page, asked for without any of the above: for probes.
pub(crate) fn status_of(address: SocketAddr, path: &str) -> io::Result<u16> {
    use std::io::{Read, Write};

    let mut stream = std::net::TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, answer))
}
