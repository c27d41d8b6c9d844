//! How a listener is opened, and why it cannot be.

use std::fmt;
use std::io;

use tokio::net::TcpListener;

use super::{Listener, handed_over};
use crate::say::connections;

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
