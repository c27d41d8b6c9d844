//! How a listener is opened, and why it cannot be.

use std::fmt;
use std::io;

use tokio::net::TcpListener;

use super::sockets::Socket;
use super::{Listener, handed_over};
use crate::say::connections;

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
    TcpListener::bind(address).await.map(Socket::from)
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
