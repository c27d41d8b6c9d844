//! A UDP socket that was handed over, or a new one.

use std::io;
use std::ops::Deref;
#[cfg(all(unix, feature = "upgrade"))]
use std::os::fd::AsRawFd;

use tokio::net::UdpSocket as Inner;

use super::ListenError;
#[cfg(all(unix, feature = "upgrade"))]
use super::handed_on;

/// tokio's socket, which it is by [`Deref`]. Made by [`udp()`].
#[derive(Debug)]
pub struct UdpSocket {
    // First: it is dropped before the number of the socket can be another file's.
    #[cfg(all(unix, feature = "upgrade"))]
    _registered: handed_on::Registered,
    inner: Inner,
}

impl Deref for UdpSocket {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// A UDP socket on `address`, such as `0.0.0.0:53`, or the one that was handed over under this name: by systemd, or by the
/// process before this one in an upgrade in place. As for [`listen()`](super::listen()), with which it shares the names.
///
/// While both processes of an upgrade have the socket open, a datagram goes to one of them. Read on, in the stop, until
/// nothing comes for a moment, if each has to be answered.
///
/// # Errors
///
/// When the socket cannot be opened. The error is one line that says which address, why, and what to do.
///
/// # Panics
///
/// Outside any tokio runtime.
pub async fn udp(name: &str, address: &str) -> Result<UdpSocket, ListenError> {
    open(name, address).await.map_err(|error| ListenError::new(name, address, error))
}

#[cfg_attr(not(all(unix, feature = "upgrade")), allow(unused_variables))]
async fn open(name: &str, address: &str) -> io::Result<UdpSocket> {
    let (inner, is_kept) = match handed_over(name, address)? {
        Some((socket, is_kept)) => {
            socket.set_nonblocking(true)?;
            (Inner::from_std(socket)?, is_kept)
        }
        None => (Inner::bind(address).await?, false),
    };
    Ok(UdpSocket {
        #[cfg(all(unix, feature = "upgrade"))]
        _registered: handed_on::register(inner.as_raw_fd(), handed_on::Type::Udp, name, address, is_kept),
        inner,
    })
}

/// One that was handed over, and whether another process keeps it open.
#[cfg_attr(not(all(unix, feature = "upgrade")), allow(unused_variables))]
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps))]
fn handed_over(name: &str, address: &str) -> io::Result<Option<(std::net::UdpSocket, bool)>> {
    #[cfg(all(unix, feature = "upgrade"))]
    if let Some(socket) = handed_on::take_udp(name, address) {
        return Ok(Some(socket));
    }
    #[cfg(unix)]
    if let Some(file) = super::handed_over::take_file(name)? {
        return Ok(Some((file.into(), true)));
    }
    Ok(None)
}
