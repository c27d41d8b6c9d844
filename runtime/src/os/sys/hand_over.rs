//! What it takes to send a process files of this one, and to find what was handed over.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::ptr;
use std::time::Duration;

/// The first number after those of the standard streams.
const FIRST: RawFd = 3;

/// Where the system does not close a range of files itself, those beyond are left as they are.
const HIGHEST: RawFd = 1 << 16;

/// Room for the header and the one descriptor of a message, aligned as the header is.
#[repr(C)]
union Control {
    _aligned: libc::cmsghdr,
    bytes: [u8; 64],
}

/// Closes all files but the standard streams.
pub(super) fn close_all(highest: RawFd) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a system call that touches no memory; a kernel that does not know it refuses.
        if unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) } == 0 {
            return;
        }
    }
    for number in FIRST..highest {
        // SAFETY: nothing in this process uses these files any more; a number that is not in use is refused.
        unsafe {
            libc::close(number);
        }
    }
}

/// From now on each file beyond the standard streams is closed when another program is executed.
pub(super) fn close_at_exec(highest: RawFd) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a system call that touches no memory; a kernel that does not know it refuses.
        let result =
            unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        if result == 0 {
            return;
        }
    }
    for number in FIRST..highest {
        // SAFETY: it touches no memory; a number that is not in use is refused.
        unsafe {
            libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// Beyond the number of every file of this process, as far as it is known.
pub(super) fn highest_file() -> RawFd {
    i32::try_from(limit_of_files().unwrap_or(u64::MAX)).unwrap_or(HIGHEST).min(HIGHEST)
}

/// How many files this process may have open.
fn limit_of_files() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    #[allow(clippy::unnecessary_cast)] // each system has its own type for it
    (result == 0).then_some(limit.rlim_cur as u64)
}

/// Takes over a file that this process was started with, if it is open, under the lowest number that is free. Its
/// children do not get it.
pub(crate) fn adopt(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: a number that is not in use is refused. One that is belongs to nobody else: the environment names it, and
    // nothing of this process has run yet that could have opened a file there and then named it so.
    unsafe {
        let lowest = libc::fcntl(number, libc::F_DUPFD_CLOEXEC, FIRST);
        if lowest < 0 {
            return None;
        }
        let adopted = OwnedFd::from_raw_fd(lowest);
        Some(adopted)
    }
}

/// Closes a file of which [`adopt`] has made a copy.
pub(crate) fn let_go(number: RawFd) {
    // SAFETY: the environment has named the number, and the copy has taken its place: nothing else knows it.
    unsafe {
        libc::close(number);
    }
}

/// The process at the other end of this socket, as the system noted it when the pair was made. `None` where it is no
/// such socket, or the system does not say.
pub(crate) fn peer_of(socket: BorrowedFd<'_>) -> Option<u32> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut size = libc::socklen_t::try_from(size_of::<libc::ucred>()).ok()?;
        // SAFETY: both pointers are valid for the call, which writes `size` bytes at the most.
        let result = unsafe {
            let peer = (&raw mut peer).cast();
            libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, peer, &raw mut size)
        };
        (result == 0).then(|| u32::try_from(peer.pid).ok()).flatten()
    }
    #[cfg(target_os = "macos")]
    {
        let mut peer: libc::pid_t = 0;
        let mut size = libc::socklen_t::try_from(size_of::<libc::pid_t>()).ok()?;
        // SAFETY: both pointers are valid for the call, which writes `size` bytes at the most.
        let result = unsafe {
            let peer = (&raw mut peer).cast();
            libc::getsockopt(socket.as_raw_fd(), libc::SOL_LOCAL, libc::LOCAL_PEERPID, peer, &raw mut size)
        };
        (result == 0).then(|| u32::try_from(peer).ok()).flatten()
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
    {
        let _ = socket;
        None
    }
}

/// Sends these bytes, and a file with them. Never blocks.
pub(crate) fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], file: RawFd) -> io::Result<usize> {
    let mut control = Control { bytes: [0; 64] };
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all zero is a valid message; what it points to lives until the call is over, and the control part has room
    // for one descriptor. A number that is no open file is refused.
    let sent = unsafe {
        let mut message: libc::msghdr = MaybeUninit::zeroed().assume_init();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        let length = libc::CMSG_SPACE(libc::c_uint::try_from(size_of::<RawFd>()).unwrap_or(4));
        message.msg_controllen = length as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(libc::c_uint::try_from(size_of::<RawFd>()).unwrap_or(4)) as _;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast::<RawFd>(), file);
        libc::sendmsg(socket.as_raw_fd(), &raw const message, NO_SIGPIPE | libc::MSG_DONTWAIT)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
const NO_SIGPIPE: libc::c_int = 0; // std sets it for the socket
#[cfg(not(any(target_os = "macos", target_os = "ios")))]
const NO_SIGPIPE: libc::c_int = libc::MSG_NOSIGNAL;

/// Receives bytes, and the file that was sent with the first of them, if one was. The children of this process do not get
/// it.
pub(crate) fn receive_with(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FLAGS: libc::c_int = libc::MSG_CMSG_CLOEXEC;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const FLAGS: libc::c_int = 0;
    let mut control = Control { bytes: [0; 64] };
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: all zero is a valid message; what it points to lives until the call is over. The kernel has written the
    // header that is read, and each descriptor in it is new and belongs to nobody else.
    unsafe {
        let mut message: libc::msghdr = MaybeUninit::zeroed().assume_init();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of::<Control>() as _;
        let received = libc::recvmsg(socket.as_raw_fd(), &raw mut message, FLAGS);
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let has_file =
            !header.is_null() && (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS;
        let file = has_file.then(|| {
            let number = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<RawFd>());
            libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
            OwnedFd::from_raw_fd(number)
        });
        Ok((received, file))
    }
}

/// Waits until the socket can be read, or also written where that is asked for, or until `limit` has passed.
pub(crate) fn wait_for(socket: BorrowedFd<'_>, also_writable: bool, limit: Duration) {
    let events = if also_writable { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
    let millis = i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    super::unix::poll(socket, events, millis);
}

/// Whether this is a socket that takes connections.
pub(crate) fn is_listening(socket: BorrowedFd<'_>) -> bool {
    let mut value: libc::c_int = 0;
    let mut size = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(4);
    // SAFETY: both pointers are valid for the call, which writes `size` bytes at the most.
    let result = unsafe {
        let value = (&raw mut value).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ACCEPTCONN, value, &raw mut size)
    };
    result == 0 && value != 0
}

/// Puts a file in the place of standard error, and returns what was there.
pub(crate) fn replace_stderr(file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the numbers are open or refused, and the copy is new and belongs to nobody else.
    unsafe {
        let before = libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, FIRST);
        if before < 0 {
            return Err(io::Error::last_os_error());
        }
        let before = OwnedFd::from_raw_fd(before);
        if libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(before)
    }
}

/// Removes a variable from the environment, where no other thread can be reading it.
pub(crate) fn remove_variable(name: &str) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;

        // A link for each thread, and two that every folder has.
        if std::fs::metadata("/proc/self/task").is_ok_and(|task| task.nlink() > 3) {
            return;
        }
    }
    // SAFETY: as far as the system tells this is the only thread. Where it does not tell, this runs before main's own
    // code, unless a plain `main` has started threads before the lifecycle.
    unsafe { std::env::remove_var(name) }
}

/// The path that was given to `exec`, where the system says it.
pub(crate) fn executed_path() -> Option<PathBuf> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::ffi::{CStr, OsStr};
        use std::os::unix::ffi::OsStrExt;

        // SAFETY: it reads what the kernel has given the process: zero, or the address of a C string that stays.
        let path = unsafe {
            let address = libc::getauxval(libc::AT_EXECFN);
            if address == 0 {
                return None;
            }
            CStr::from_ptr(ptr::with_exposed_provenance(usize::try_from(address).ok()?))
        };
        Some(PathBuf::from(OsStr::from_bytes(path.to_bytes())))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    None
}
