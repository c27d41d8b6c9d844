//! Sockets that were handed over by systemd's protocol: `sd_listen_fds(3)`.

use super::sockets::Socket;

#[cfg(unix)]
pub(super) use unix::{has_number, take};

/// There are none on other systems.
#[cfg(not(unix))]
pub(super) fn take(_name: &str) -> std::io::Result<Option<Socket>> {
    Ok(None)
}

#[cfg(unix)]
mod unix {
    use std::env;
    use std::io;
    use std::os::fd::RawFd;
    use std::process;
    use std::sync::LazyLock;

    use listenfd::ListenFd;

    use super::Socket;
    use crate::os::lock::Lock;

    /// The number of the first one.
    const FIRST: RawFd = 3;

    /// Those that are left.
    static LEFT: LazyLock<Lock<Left>> = LazyLock::new(|| Lock::new(Left::from_env()));

    struct Left {
        sockets: ListenFd,
        /// Their names, empty once one is taken. None at all if the environment has none.
        names: Option<Vec<String>>,
        /// How many were taken in turn.
        taken: usize,
    }

    impl Left {
        fn from_env() -> Self {
            let names = env::var("LISTEN_FDNAMES").ok().filter(|_| count() > 0);
            let names = names.map(|names| names.split(':').map(str::to_owned).collect());
            Self { sockets: ListenFd::from_env(), names, taken: 0 }
        }

        /// The place of the next one with this name.
        fn find(&mut self, name: &str) -> Option<usize> {
            let Some(names) = &mut self.names else {
                self.taken += 1;
                return Some(self.taken - 1);
            };
            let place = names.iter().position(|own| own.strip_suffix(".socket").unwrap_or(own) == name)?;
            names[place].clear();
            Some(place)
        }
    }

    /// The next socket of this name that was handed over and not yet taken.
    pub(crate) fn take(name: &str) -> io::Result<Option<Socket>> {
        let mut left = LEFT.lock();
        let Some(place) = left.find(name) else {
            return Ok(None);
        };
        match left.sockets.take_tcp_listener(place) {
            Ok(listener) => listener.map(Socket::of_std).transpose(),
            Err(_) => left.sockets.take_unix_listener(place)?.map(Socket::of_std_unix).transpose(),
        }
    }

    /// Whether a socket with this number was handed over.
    pub(crate) fn has_number(fd: RawFd) -> bool {
        (FIRST..FIRST + count()).contains(&fd)
    }

    /// How many were handed over to this process.
    fn count() -> RawFd {
        let is_ours = env::var("LISTEN_PID").map_or(true, |pid| pid.parse() == Ok(process::id()));
        let count = env::var("LISTEN_FDS").ok().and_then(|count| count.parse().ok());
        count.filter(|count| is_ours && (0..1000).contains(count)).unwrap_or(0)
    }
}
