//! What a process has to do as PID 1: reap whatever it inherits, and pass signals on.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, io, process};

use super::{Mask, exit_now};

/// Whether this process has asked to leave PID 1.
static HAS_LEFT: AtomicBool = AtomicBool::new(false);

/// Whether the process can no longer leave PID 1: it has other threads, as far as the system tells, and has not left it
/// before.
pub(crate) fn is_too_late_to_leave_pid_1() -> bool {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    threads > 1 && !HAS_LEFT.load(Ordering::Relaxed)
}

/// Leaves PID 1 to a copy of this process that does nothing but an init's work, and returns in another process, which
/// is the program. Where this process is not PID 1, nothing happens.
///
/// Only this thread is left in the program: the caller has made sure that there is no other.
pub(crate) fn leave_pid_1() -> io::Result<()> {
    HAS_LEFT.store(true, Ordering::Relaxed);
    if process::id() != 1 {
        return Ok(());
    }
    // From here on, signals wait for the init, which passes them on.
    let before = Mask::block_all();
    // Where it is ignored, as a parent can leave it, nobody learns how a child has ended.
    // SAFETY: the default action is installed; no memory is involved.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
    // SAFETY: the process has one thread, so no lock is held by another one.
    match unsafe { libc::fork() } {
        -1 => {
            let why = io::Error::last_os_error();
            before.apply();
            Err(why)
        }
        0 => {
            before.apply();
            address_to_this_process();
            Ok(())
        }
        program => be_init(program),
    }
}

/// Sockets and a watchdog that the environment hands to PID 1 are the program's.
fn address_to_this_process() {
    for name in ["LISTEN_PID", "WATCHDOG_PID"] {
        if env::var_os(name).is_some_and(|pid| pid == "1") {
            // SAFETY: the process has one thread.
            unsafe { env::set_var(name, process::id().to_string()) };
        }
    }
}

/// Passes signals on to the program and reaps everything, until the program has ended; then ends as it did.
fn be_init(program: i32) -> ! {
    // SAFETY: the name is a C string. What `ps` shows for this thread is all that changes.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"graceful-init".as_ptr());
    }
    let_go_of_files();
    loop {
        let (signal, is_of_the_kernel) = next_signal();
        if signal == libc::SIGCHLD {
            reap(program);
        // The terminal signals its whole foreground group, and the program is in it. Only a hang-up is for the leader
        // of the session alone.
        } else if !is_of_the_kernel || signal == libc::SIGHUP {
            // SAFETY: no memory is involved. The program was not reaped, so the number is its own.
            unsafe {
                libc::kill(program, signal);
            }
        }
    }
}

/// Whoever waits for the end of a pipe, or for a port to be free, waits for the program alone.
fn let_go_of_files() {
    let nothing = fs::File::options().read(true).write(true).open("/dev/null");
    let numbers: Vec<RawFd> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers {
        // SAFETY: nothing in this process uses these files any more; a number that is closed already is refused.
        unsafe {
            match &nothing {
                Ok(nothing) if number <= libc::STDERR_FILENO => {
                    libc::dup2(nothing.as_raw_fd(), number);
                }
                Ok(nothing) if number == nothing.as_raw_fd() => {}
                _ => {
                    libc::close(number);
                }
            }
        }
    }
    std::mem::forget(nothing);
}

/// Waits for a signal, and tells whether the kernel sent it.
fn next_signal() -> (i32, bool) {
    let all = Mask::all();
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: both are valid for the call.
        let signal = unsafe { libc::sigwaitinfo(all.as_ptr(), info.as_mut_ptr()) };
        if signal > 0 {
            // SAFETY: the call has filled it.
            return (signal, unsafe { info.assume_init_ref().si_code } > 0);
        }
    }
}

/// Reaps everything that has ended. With the program this process ends too, and with it all that is left.
fn reap(program: i32) {
    let mut status = 0;
    loop {
        // SAFETY: the pointer is valid for the call.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if ended <= 0 {
            return;
        }
        if ended == program {
            let code = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
            exit_now(u8::try_from(code).unwrap_or(u8::MAX))
        }
    }
}
