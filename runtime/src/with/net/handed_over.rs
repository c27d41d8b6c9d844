//! Sockets that were handed over by systemd's protocol: `sd_listen_fds(3)`.

#[cfg(unix)]
pub(crate) use unix::{is_one, note, take, take_file};

/// There are none on other systems.
#[cfg(not(unix))]
pub(super) fn take(_name: &str) -> std::io::Result<Option<super::sockets::Socket>> {
    Ok(None)
}

#[cfg(unix)]
mod unix {
    use std::env;
    use std::io;
    use std::net::TcpListener;
    use std::os::fd::{OwnedFd, RawFd};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::process;
    use std::sync::LazyLock;

    use crate::os::lock::Lock;
    use crate::os::sys;
    use crate::with::net::sockets::Socket;

    /// The number of the first one.
    const FIRST: RawFd = 3;

    /// What the environment says when it is first asked. Other code may take the variables away later, and close a
    /// socket, whose number then belongs to another file.
    static HANDED_OVER: LazyLock<Lock<Vec<HandedOver>>> = LazyLock::new(|| Lock::new(from_env()));

    struct HandedOver {
        number: RawFd,
        /// What is behind the number, where the system says it.
        identity: Option<PathBuf>,
        /// Empty where none of them has a name.
        name: String,
        is_taken: bool,
    }

    /// Reads the environment, before code of the user's can change it.
    pub(crate) fn note() {
        LazyLock::force(&HANDED_OVER);
    }

    fn from_env() -> Vec<HandedOver> {
        let is_ours = env::var("LISTEN_PID").map_or(true, |pid| pid.parse() == Ok(process::id()));
        let count = env::var("LISTEN_FDS").ok().and_then(|count| count.parse().ok());
        let count: RawFd = count.filter(|count| is_ours && (0..1000).contains(count)).unwrap_or(0);
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').map(|name| name.strip_suffix(".socket").unwrap_or(name).to_owned());
        let one = |number| {
            let name = names.next().unwrap_or_default();
            HandedOver { number, identity: identity(number), name, is_taken: false }
        };
        (FIRST..FIRST + count).map(one).collect()
    }

    /// `socket:[4711]`: the same for each number of one socket.
    fn identity(number: RawFd) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/self/fd/{number}")).ok()
    }

    /// The next socket of this name that was handed over and not yet taken; the next one at all where none has a name.
    pub(crate) fn take(name: &str) -> io::Result<Option<Socket>> {
        take_file(name)?.map(socket).transpose()
    }

    /// The same for a socket on which nobody listens.
    pub(crate) fn take_file(name: &str) -> io::Result<Option<OwnedFd>> {
        let mut all = HANDED_OVER.lock();
        let is_named = all.iter().any(|one| !one.name.is_empty());
        let fits = |one: &&mut HandedOver| !one.is_taken && (!is_named || one.name == name);
        let Some(one) = all.iter_mut().find(fits) else {
            return Ok(None);
        };
        // Should other code have taken and closed it, the number may belong to any other file.
        if identity(one.number) != one.identity {
            return Err(io::Error::other("the socket that was handed over has been closed or taken by other code"));
        }
        one.is_taken = true;
        Ok(Some(sys::inherited(one.number)))
    }

    fn socket(fd: OwnedFd) -> io::Result<Socket> {
        let listener = TcpListener::from(fd);
        if listener.local_addr().is_ok() {
            Socket::inherited(listener, true)
        } else {
            Socket::inherited_unix(UnixListener::from(OwnedFd::from(listener)), true)
        }
    }

    /// Whether this is a socket that was handed over, under whatever number.
    pub(crate) fn is_one(number: RawFd) -> bool {
        let all = HANDED_OVER.lock();
        if all.is_empty() {
            return false;
        }
        let identity = identity(number);
        all.iter().any(|one| if identity.is_some() { one.identity == identity } else { one.number == number })
    }
}
