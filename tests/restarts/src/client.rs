//! A client of HTTP/1.1 that notices how a connection ends.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens.
    Refused,
    /// The connection was reset, when it was made or later.
    Reset,
    /// The connection was closed with the request on its way, and without the whole answer.
    Cut,
    /// No answer within ten seconds.
    Late,
    /// An answer that the service does not give.
    Wrong,
}

impl Failure {
    pub const ALL: [Self; 5] = [Self::Refused, Self::Reset, Self::Cut, Self::Late, Self::Wrong];

    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::Late => "not answered in 10 s",
            Self::Wrong => "not the service's answer",
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Reset,
        }
    }
}

/// An open connection, and what has come on it and is not read yet.
pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    bytes: Vec<u8>,
}

/// Clients come from many addresses: one has not enough ports for a thousand connections a second, of which each takes
/// its port out of use for a minute.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    (Ipv4Addr::new(127, 0, 1, NEXT.fetch_add(1, Ordering::Relaxed)), 0).into()
}

/// The number of the process that has answered, and whether the connection stays.
pub struct Answer {
    pub process: i32,
    pub stays: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(own_address())?;
        let stream = timeout(PATIENCE, socket.connect(address)).await.map_err(|_| Failure::Late)??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, bytes: Vec::with_capacity(256) })
    }

    /// Whether the other side has closed it, as far as is known here.
    pub fn is_closed(&self) -> bool {
        // Nothing comes unasked.
        !matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Asks for `path`. `stays`: the connection is to be kept.
    pub async fn ask(&mut self, path: &str, stays: bool) -> Result<Answer, Failure> {
        let answer = timeout(PATIENCE, async {
            let close = if stays { "" } else { "Connection: close\r\n" };
            let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{close}\r\n", self.address);
            self.stream.write_all(request.as_bytes()).await?;
            self.read().await
        });
        answer.await.map_err(|_| Failure::Late)?
    }

    async fn read(&mut self) -> Result<Answer, Failure> {
        self.bytes.clear();
        let end_of_head = loop {
            if let Some(at) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8_lossy(&self.bytes[..end_of_head]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let (true, Some(length)) = (head.starts_with("http/1.1 200 "), length) else {
            return Err(Failure::Wrong);
        };
        while self.bytes.len() < end_of_head + length {
            self.read_more().await?;
        }
        let body = std::str::from_utf8(&self.bytes[end_of_head..]).map_err(|_| Failure::Wrong)?;
        let process = body.parse().map_err(|_| Failure::Wrong)?;
        Ok(Answer { process, stays: !head.lines().any(|line| line == "connection: close") })
    }

    async fn read_more(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.bytes).await? {
            0 => Err(Failure::Cut),
            _ => Ok(()),
        }
    }
}
