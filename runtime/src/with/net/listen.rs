//! How a listener is opened, and why it cannot be.

use std::fmt;
use std::io;

use tokio::net::TcpListener;

use super::sockets::Socket;
use super::{Listener, handed_over};
use crate::say::connections;

/// How many clients may wait to be accepted. The system has a limit of its own, `net.core.somaxconn` on Linux; this is its
/// usual value, and what systemd asks for is not less. A client for which there is no room tries again a second later.
const QUEUE: i32 = 4096;

/// Listens on `address`, or takes the socket that was handed over under this name.
///
/// An address is one of TCP, such as `127.0.0.1:3000`, or that of a Unix socket: a path with a `/` in it, or, on Linux, an
/// `@` and a name. A file that a process has left there, and on which none listens any more, is replaced.
///
/// | there is | what it takes |
/// |---|---|
/// | a socket of this name from the process before this one, in an upgrade in place, on this address | that one |
/// | one of this name there that systemd had handed over | that one, on whatever address |
/// | one of this name there on another address | a new one; the other is closed when this process is ready, and a line says so |
/// | a socket of this name from systemd, or from whatever follows its protocol (`LISTEN_FDS`, `LISTEN_FDNAMES`) | that one, on whatever address |
/// | a socket from systemd, and none there has a name | the next one, on whatever address |
/// | none of these | a new one |
///
/// Up to 4,096 clients wait to be accepted on a new one, where the system allows so many: a process that starts, or is
/// replaced, keeps them for longer than one that runs.
///
/// A socket that was handed over stays open from one process to the next, so that clients wait and are not refused.
/// systemd's name for it is `FileDescriptorName=` of the socket unit; without one, the name of the unit without `.socket`.
///
/// # Errors
///
/// When the socket cannot be opened. The error is one line that says which address, why, and what to do.
///
/// # Panics
///
/// Outside any tokio runtime.
pub async fn listen(name: &str, address: &str) -> Result<Listener, ListenError> {
    let socket = open(name, address).await.map_err(|error| ListenError::new(name, address, error))?;
    Ok(Listener::of(vec![socket.register(name, address)]))
}

async fn open(name: &str, address: &str) -> io::Result<Socket> {
    #[cfg(all(unix, feature = "upgrade"))]
    if let Some(socket) = super::handed_on::take_listener(name, address)? {
        return Ok(socket);
    }
    if let Some(socket) = handed_over::take(name)? {
        return Ok(socket);
    }
    #[cfg(unix)]
    if address.contains('/') || address.starts_with('@') {
        return bind_unix(address).map(Socket::from);
    }
    bind(address).await.map(Socket::from)
}

async fn bind(address: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    // tokio's queue is one of 128 on Linux. A system that does not take the longer one keeps that.
    let _ = socket2::SockRef::from(&listener).listen(QUEUE);
    Ok(listener)
}

#[cfg(unix)]
fn bind_unix(address: &str) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    let address = match address.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let listener = match UnixListener::bind_addr(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let path = address.as_pathname().ok_or(error)?;
            let is_left =
                matches!(UnixStream::connect(path), Err(why) if why.kind() == io::ErrorKind::ConnectionRefused);
            if !is_left {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            std::fs::remove_file(path)?;
            UnixListener::bind_addr(&address)?
        }
        listener => listener?,
    };
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// Why a [`listen()`] failed.
pub struct ListenError {
    name: String,
    address: String,
    error: io::Error,
}

impl ListenError {
    pub(super) fn new(name: &str, address: &str, error: io::Error) -> Self {
        Self { name: name.to_owned(), address: address.to_owned(), error }
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    /// More than tokio's queue holds.
    const CLIENTS: usize = 300;

    /// Less than the kernel takes to try again.
    const AT_ONCE: Duration = Duration::from_millis(900);

    #[tokio::test]
    async fn clients_wait_while_nobody_accepts() {
        let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("it is there");
        let clients = CLIENTS.min(limit.trim().parse().expect("a number"));
        let listener = super::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has one");
        let connect =
            |number| TcpStream::connect_timeout(&address, AT_ONCE).unwrap_or_else(|why| panic!("{number}: {why}"));
        let waiting: Vec<_> = (0..clients).map(connect).collect();
        assert_eq!(waiting.len(), clients);
    }
}
