//! The few calls to the operating system that need `unsafe`. Nothing else in the crate has any.

#![allow(unsafe_code)]

#[cfg(all(unix, any(feature = "process", feature = "upgrade")))]
pub(crate) use group::*;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) use hand_over::*;
#[cfg(target_os = "linux")]
pub(crate) use init::*;
pub(crate) use priority::*;
#[cfg(all(unix, feature = "process"))]
pub(crate) use process::*;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) use start::*;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(all(unix, any(feature = "process", feature = "upgrade")))]
mod group;
#[cfg(all(unix, feature = "upgrade"))]
mod hand_over;
#[cfg(target_os = "linux")]
mod init;
mod priority;
#[cfg(all(unix, feature = "process"))]
mod process;
#[cfg(all(unix, feature = "upgrade"))]
mod start;
#[cfg(windows)]
mod windows;

/// No program is PID 1 on other systems.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_too_late_to_leave_pid_1() -> bool {
    false
}

/// See above.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)] // as on Linux
pub(crate) fn leave_pid_1() -> std::io::Result<()> {
    Ok(())
}

/// Milliseconds on a clock that only goes forward.
#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse_millis() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static FIRST: OnceLock<Instant> = OnceLock::new();
    u64::try_from(FIRST.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(unix)]
mod unix {
    use std::io::{self, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::ptr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use signal_hook_registry::SigId;

    /// Ends the process without atexit handlers, destructors or flushing: `_exit(2)`.
    ///
    /// `std::process::exit` would wait for a thread that is already exiting, and for handlers that may hang.
    pub(crate) fn exit_now(code: u8) -> ! {
        // SAFETY: `_exit` takes any status, touches no memory of ours and does not return.
        unsafe { libc::_exit(i32::from(code)) }
    }

    /// Milliseconds on a clock that only goes forward, as of the kernel's last tick: at most ten of them late, for a
    /// fraction of what the exact time costs.
    #[cfg(target_os = "linux")]
    pub(crate) fn coarse_millis() -> u64 {
        let (seconds, nanos) = now(libc::CLOCK_MONOTONIC_COARSE);
        seconds * 1000 + nanos / 1_000_000
    }

    /// Microseconds on the clock that systemd compares messages by.
    #[cfg(feature = "systemd")]
    pub(crate) fn monotonic_micros() -> u64 {
        let (seconds, nanos) = now(libc::CLOCK_MONOTONIC);
        seconds * 1_000_000 + nanos / 1000
    }

    /// Seconds, and nanoseconds below one. The types are the system's own, 32 bits long on some.
    #[cfg(any(target_os = "linux", feature = "systemd"))]
    fn now(clock: libc::clockid_t) -> (u64, u64) {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is valid for the call. Were the clock not there, it would stay zero.
        unsafe { libc::clock_gettime(clock, &raw mut now) };
        (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0))
    }

    /// Waits until `fd` is readable, for `limit` at most (`None` waits forever), to the millisecond. A socket's own
    /// timeout is counted in ticks of the kernel, of 10 ms on many machines.
    pub(crate) fn wait_readable(fd: BorrowedFd<'_>, limit: Option<Duration>) {
        let millis = limit.map_or(-1, |limit| i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        poll(fd, libc::POLLIN, millis);
    }

    /// Whether `fd` accepts a write without blocking.
    pub(crate) fn is_writable(fd: BorrowedFd<'_>) -> bool {
        poll(fd, libc::POLLOUT, 0) == libc::POLLOUT
    }

    /// Waits until `fd` is writable, or never will be.
    pub(crate) fn wait_writable(fd: BorrowedFd<'_>) {
        poll(fd, libc::POLLOUT, -1);
    }

    /// Writes, even to a terminal that lets no background job write (`stty tostop`). With SIGTTOU blocked the terminal
    /// takes the text; otherwise it would suspend the whole process for a line the program has not asked for.
    pub(crate) fn from_the_background<T>(write: impl FnOnce() -> T) -> T {
        let mask = Mask::block(&[libc::SIGTTOU]);
        let written = write();
        mask.apply();
        written
    }

    /// Waits for one of these events, for `millis` at most (-1 is forever), and returns those that are ready.
    pub(super) fn poll(fd: BorrowedFd<'_>, events: i16, millis: i32) -> i16 {
        let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        // SAFETY: one valid `pollfd`, whose descriptor is borrowed for the call.
        unsafe {
            libc::poll(&raw mut poll, 1, millis);
        }
        poll.revents
    }

    /// Ends the process by `signal`, as if it had never been handled. Returns where the kernel does not allow that, as PID 1
    /// of a namespace, with the handler from before.
    pub(crate) fn die_of(signal: i32) {
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: the default action is installed and the signal unblocked and raised, then the action from before is put
        // back, which zeroed is a valid value for. No other memory is involved.
        unsafe {
            let mut default = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, before.as_mut_ptr());
            Mask::change(libc::SIG_UNBLOCK, &Mask::of(&[signal]));
            libc::raise(signal);
            libc::sigaction(signal, before.as_ptr(), ptr::null_mut());
        }
    }

    /// From now on `exit(3)`, and so `std::process::exit`, calls this function. The first call counts.
    pub(crate) fn at_exit(function: extern "C" fn()) {
        static ONCE: std::sync::Once = std::sync::Once::new();
        // SAFETY: the function is there as long as the process. If the table is full, it is not called.
        ONCE.call_once(|| {
            unsafe { libc::atexit(function) };
        });
    }

    /// From now on `signal` sets the flags, the first one first, and then writes a byte to wake the reader, after the
    /// handlers registered before this one.
    pub(crate) fn register(
        signal: i32,
        came: &'static AtomicBool,
        arrived: Arc<AtomicBool>,
        wake: UnixStream,
    ) -> io::Result<SigId> {
        let handle = move || {
            came.store(true, Ordering::SeqCst);
            arrived.store(true, Ordering::SeqCst);
            // If the socket is full, the reader is about to wake anyway.
            let _ = (&wake).write(&[0]);
        };
        // SAFETY: a store and a `write(2)`: no memory is allocated, no lock taken, nothing panics; the registry gives
        // `errno` back.
        unsafe { signal_hook_registry::register(signal, handle) }
    }

    /// From now on `signal` takes its default action, which ends the process, while the flag is set.
    pub(crate) fn keep_default_up(signal: i32, unattended: &'static AtomicBool) -> io::Result<SigId> {
        let handle = move || {
            if unattended.load(Ordering::SeqCst) {
                die_of(signal);
                // SAFETY: it does not return. Only PID 1 gets here: the kernel protects it from the signal itself.
                unsafe { libc::abort() }
            }
        };
        // SAFETY: a load and system calls that are allowed in a handler: no memory is allocated, no lock taken.
        unsafe { signal_hook_registry::register(signal, handle) }
    }

    /// A file that this process was started with. The children of this process do not get it.
    #[cfg(feature = "net")]
    pub(crate) fn inherited(number: std::os::fd::RawFd) -> std::os::fd::OwnedFd {
        use std::os::fd::FromRawFd;
        // SAFETY: the caller has found the number in the environment, takes each one once, and has checked that it is
        // still what it was. No memory is involved.
        unsafe {
            libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
            std::os::fd::OwnedFd::from_raw_fd(number)
        }
    }

    /// How much of what was written to this socket its peer has not acknowledged, the end included: the sign of the
    /// end counts as a byte.
    #[cfg(all(target_os = "linux", feature = "net"))]
    pub(crate) fn unsent(socket: BorrowedFd<'_>) -> usize {
        let mut bytes: libc::c_int = 0;
        // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes one integer, and the pointer is valid for the call.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        if result == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
    }

    /// How long ago the kernel last sent data on this TCP connection, in milliseconds. `None` for other sockets.
    #[cfg(all(target_os = "linux", feature = "net"))]
    pub(crate) fn idle_millis(socket: BorrowedFd<'_>) -> Option<u32> {
        let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
        let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
        // SAFETY: both pointers are valid for the call, which writes `size` bytes at the most; all zero is a valid value.
        unsafe {
            let (fd, info) = (socket.as_raw_fd(), info.as_mut_ptr());
            let result = libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.cast(), &raw mut size);
            (result == 0).then(|| (*info).tcpi_last_data_sent)
        }
    }

    /// Whether `signal` is ignored in this process, as `nohup` and `sh -c 'x &'` leave it.
    pub(crate) fn is_ignored(signal: i32) -> bool {
        handler(signal) == libc::SIG_IGN
    }

    /// The action of `signal` in this process: the address of a function, or one of the constants.
    pub(crate) fn handler(signal: i32) -> usize {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a null new action only reads; the kernel fills `action`, and zeroed is a valid value
        // should the call fail for a number that is no signal.
        let action = unsafe {
            libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
            action.assume_init()
        };
        action.sa_sigaction
    }

    /// A thread's signal mask.
    #[derive(Clone, Copy)]
    pub(crate) struct Mask(libc::sigset_t);

    impl Mask {
        /// Blocks `signals` on this thread and returns the mask it had before.
        pub(crate) fn block(signals: &[i32]) -> Self {
            Self::change(libc::SIG_BLOCK, &Self::of(signals))
        }

        /// Makes this the calling thread's mask.
        pub(crate) fn apply(&self) {
            Self::change(libc::SIG_SETMASK, self);
        }

        /// The same mask with `signals` unblocked.
        pub(crate) fn without(mut self, signals: &[i32]) -> Self {
            for &signal in signals {
                // SAFETY: `self.0` is an initialised set; a number that is no signal is refused.
                unsafe { libc::sigdelset(&raw mut self.0, signal) };
            }
            self
        }

        /// Whether it blocks this signal.
        pub(crate) fn blocks(&self, signal: i32) -> bool {
            // SAFETY: as above.
            unsafe { libc::sigismember(&raw const self.0, signal) == 1 }
        }

        /// Blocks all signals on this thread and returns the mask it had before.
        #[cfg(any(target_os = "linux", feature = "upgrade"))]
        pub(crate) fn block_all() -> Self {
            Self::change(libc::SIG_BLOCK, &Self::all())
        }

        /// All signals.
        #[cfg(any(target_os = "linux", feature = "upgrade"))]
        pub(crate) fn all() -> Self {
            let mut set = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: `sigfillset` initialises the set.
            unsafe {
                libc::sigfillset(set.as_mut_ptr());
                Self(set.assume_init())
            }
        }

        /// For a system call.
        #[cfg(target_os = "linux")]
        pub(crate) fn as_ptr(&self) -> *const libc::sigset_t {
            &raw const self.0
        }

        /// These signals.
        pub(super) fn of(signals: &[i32]) -> Self {
            let mut set = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: `sigemptyset` initialises the set before anything reads it.
            unsafe {
                libc::sigemptyset(set.as_mut_ptr());
                for &signal in signals {
                    libc::sigaddset(set.as_mut_ptr(), signal);
                }
                Self(set.assume_init())
            }
        }

        fn change(how: i32, to: &Self) -> Self {
            let mut old = MaybeUninit::<libc::sigset_t>::zeroed();
            // SAFETY: both sets are valid for the call; zeroed is a valid set should it fail, which it
            // cannot with these values of `how`.
            unsafe {
                libc::pthread_sigmask(how, &raw const to.0, old.as_mut_ptr());
                Self(old.assume_init())
            }
        }
    }
}
