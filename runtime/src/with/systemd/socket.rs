//! The socket on which systemd takes notifications, as `sd_notify(3)` describes it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

/// The variable that names the socket.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// Sends one message, a line for each assignment.
///
/// # Errors
///
/// When the socket cannot be reached, and when its name is neither a path nor, on Linux, one that begins with `@`.
pub(super) fn send(name: &OsStr, message: &str) -> io::Result<()> {
    let message = format!("{message}\n");
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address(name)?).map(drop)
}

/// A file, or, after an `@`, a name that no file has: an abstract socket.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "neither a path nor @ and a name")),
    }
}

/// How long systemd waits for a ping before it ends the process, where the unit has a watchdog and this is the process
/// that it watches.
pub(super) fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok().map(|value| value.parse::<u64>().ok());
    if let Some(pid) = number("WATCHDOG_PID")
        && pid != Some(process::id().into())
    {
        return None;
    }
    number("WATCHDOG_USEC").flatten().filter(|micros| *micros > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_or_an_abstract_one() {
        let path = address(OsStr::new("/run/systemd/notify")).expect("a path");
        assert!(path.as_pathname().is_some_and(|path| path.ends_with("systemd/notify")));
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let name = address(OsStr::new("@/org/notify")).expect("an abstract name");
            assert_eq!(name.as_abstract_name(), Some(&b"/org/notify"[..]));
        }
        for wrong in ["", "notify", "vsock:2:1234"] {
            let why = address(OsStr::new(wrong)).unwrap_err();
            assert_eq!(why.kind(), io::ErrorKind::Unsupported, "{wrong}");
        }
    }
}
