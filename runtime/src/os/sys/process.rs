//! Process groups, their ends, and the terminal that one of them may read.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use tokio::process::Command;

use super::from_the_background;

/// Whether this is the number of a signal that a process can be sent.
pub(crate) fn is_signal(number: i32) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before `sigaddset` uses it, which refuses a number that is no signal.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), number) == 0
    }
}

/// The group of this process.
pub(crate) fn own_group() -> i32 {
    // SAFETY: it cannot fail, and no memory is involved.
    unsafe { libc::getpgrp() }
}

/// Reaps the members of this group that have ended and are children of this process because their own parent has ended:
/// it is then PID 1 or a subreaper. Not the group's leader: whoever has started it waits for it, and until it is reaped
/// the number cannot become that of another group. Returns whether a child of this process is left in the group.
pub(crate) fn reap_members(id: i32) -> bool {
    loop {
        let Ok(member) = ended(libc::P_PGID, id, libc::WEXITED | libc::WNOWAIT) else {
            return false;
        };
        let Some((member, _)) = member.filter(|&(member, _)| member != id) else {
            return true;
        };
        // SAFETY: a null status is not written.
        unsafe {
            libc::waitpid(member, std::ptr::null_mut(), libc::WNOHANG);
        }
    }
}

/// The signal that has suspended this child since the last call, if one has.
pub(crate) fn suspended_by(child: i32) -> Option<i32> {
    ended(libc::P_PID, child, libc::WSTOPPED).ok().flatten().map(|(_, signal)| signal)
}

/// A child to which that has happened, and its status or signal.
///
/// # Errors
///
/// There is no such child.
fn ended(kind: libc::idtype_t, id: i32, what: i32) -> io::Result<Option<(i32, i32)>> {
    // Each system has its own type for it.
    let id = libc::id_t::try_from(id).map_err(io::Error::other)?;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` is valid for the call. It stays zero if there is nothing to tell; the fields read are those of a
    // `SIGCHLD`, which `waitid` fills.
    unsafe {
        if libc::waitid(kind, id, info.as_mut_ptr(), what | libc::WNOHANG) != 0 {
            return Err(io::Error::last_os_error());
        }
        let info = info.assume_init();
        Ok((info.si_pid() != 0).then(|| (info.si_pid(), info.si_status())))
    }
}

/// The group in the foreground of this terminal.
pub(crate) fn foreground(terminal: BorrowedFd<'_>) -> i32 {
    // SAFETY: the descriptor is borrowed for the call. It is -1 where it is no terminal of ours.
    unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) }
}

/// Puts this group into the foreground, even from the background.
pub(crate) fn set_foreground(terminal: BorrowedFd<'_>, group: i32) {
    // Otherwise the terminal suspends a process of the background that does this.
    // SAFETY: the descriptor is borrowed for the call, and no memory is involved.
    from_the_background(|| unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), group) });
}

/// The command puts its own group into the foreground of the terminal if the group of its parent is there: before it
/// is executed, so that it never finds itself in the background.
pub(crate) fn start_in_the_foreground(command: &mut Command) {
    let take_the_terminal = || {
        // SAFETY: system calls that are allowed between `fork` and `exec`; the path is a C string.
        unsafe {
            let terminal = libc::open(c"/dev/tty".as_ptr(), libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
            if terminal >= 0 {
                if libc::tcgetpgrp(terminal) == libc::getpgid(libc::getppid()) {
                    set_foreground(BorrowedFd::borrow_raw(terminal), libc::getpgrp());
                }
                libc::close(terminal);
            }
        }
        Ok(())
    };
    // SAFETY: see above; nothing allocates, locks or panics.
    unsafe {
        command.pre_exec(take_the_terminal);
    }
}
