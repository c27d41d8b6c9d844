//! Starts a program that gets one file of this process, as its child or as its grandchild.
//!
//! A `fork` copies the tables of this process's memory, and so takes the longer the more memory it uses. On Linux the new
//! process has the memory in common with this one until it executes the program, as with `posix_spawn`, which cannot say
//! which files are inherited.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::ptr;

use super::Mask;
use super::hand_over::{close_all, close_at_exec, highest_file};

/// A program and all that it starts with, as the system takes it.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) path: CString,
    pub(crate) arguments: Vec<CString>,
    pub(crate) environment: Vec<CString>,
    pub(crate) directory: CString,
}

impl Image {
    /// `arguments`: with the name of the program, which comes first.
    ///
    /// # Errors
    ///
    /// There is a zero in one of them.
    pub(crate) fn new(path: &Path, arguments: impl Iterator<Item = OsString>, directory: &Path) -> io::Result<Self> {
        let arguments: Result<_, _> = arguments.map(|one| CString::new(one.into_vec())).collect();
        let environment = Vec::new();
        Ok(Self { path: c_string(path)?, arguments: arguments?, environment, directory: c_string(directory)? })
    }

    /// Adds a variable to its environment.
    ///
    /// # Errors
    ///
    /// There is a zero in it.
    pub(crate) fn add_variable(&mut self, name: &OsStr, value: &OsStr) -> io::Result<()> {
        let text = [name.as_bytes(), b"=", value.as_bytes()].concat();
        self.environment.push(CString::new(text)?);
        Ok(())
    }
}

fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Whose child the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// This process, until it ends.
    ThisProcess,
    /// One between them, which only waits for the program and ends as it does. A SIGKILL to it alone gives the program to
    /// the init, which reaps it from then on. systemd takes the end of its unit's main process for one, and waits for it
    /// at a stop, only where it is its own child at the time it is told of it.
    Another,
}

/// Starts the program in a process group of its own. Of all that this process has open beyond its standard streams, it
/// inherits this one file, under its number. No signal is blocked in it.
///
/// Returns the number of the child of this process that leads the group.
///
/// # Errors
///
/// There is no such process, or it cannot execute the program.
pub(crate) fn start(image: &Image, file: BorrowedFd<'_>, parent: Parent) -> io::Result<i32> {
    let (mut failure, to_be_closed) = io::pipe()?;
    let start = Start::new(image, file.as_raw_fd(), to_be_closed.as_raw_fd(), parent);
    // No handler of this process may run in the other one.
    let mask = Mask::block_all();
    let child = match parent {
        Parent::ThisProcess => start.duplicate(),
        Parent::Another => start.duplicate_twice(),
    };
    let child = if child < 0 { Err(io::Error::last_os_error()) } else { Ok(child) };
    mask.apply();
    drop(to_be_closed);
    let child = child?;
    let mut error = [0; 4];
    // Once the program is executed, its end of the pipe is closed.
    if failure.read_exact(&mut error).is_err() {
        return Ok(child);
    }
    let _ = wait(child, true);
    Err(io::Error::from_raw_os_error(i32::from_ne_bytes(error)))
}

/// How a child of this process has ended, if it has; `waits`: when it has.
///
/// # Errors
///
/// Other code has waited for it.
pub(crate) fn wait(child: i32, waits: bool) -> io::Result<Option<ExitStatus>> {
    let mut status = 0;
    loop {
        // SAFETY: the pointer is valid for the call.
        match unsafe { libc::waitpid(child, &raw mut status, if waits { 0 } else { libc::WNOHANG }) } {
            0 => return Ok(None),
            ended if ended > 0 => return Ok(Some(ExitStatus::from_raw(status))),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// Ends a process at once.
pub(crate) fn kill(process: i32) {
    // SAFETY: no memory is involved.
    unsafe {
        libc::kill(process, libc::SIGKILL);
    }
}

/// What the new process needs: it must not allocate, lock or panic.
struct Start {
    path: *const libc::c_char,
    /// These three end with a null pointer.
    arguments: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    /// The arguments of a shell that runs a script without a first line that says so.
    of_shell: Vec<*const libc::c_char>,
    directory: *const libc::c_char,
    file: RawFd,
    /// Takes the number of an error.
    failure: RawFd,
    highest: RawFd,
    leads_group: bool,
    /// That of the main thread: the one that starts the program may have a higher priority.
    #[cfg(target_os = "linux")]
    scheduling: (libc::c_int, libc::sched_param),
}

/// Where the child runs until it executes the program: in bytes, four times what that takes.
#[cfg(target_os = "linux")]
const STACK: usize = 16 << 10;

const SHELL: &std::ffi::CStr = c"/bin/sh";

impl Start {
    /// What it points to lives as long as `image`.
    fn new(image: &Image, file: RawFd, failure: RawFd, parent: Parent) -> Self {
        let end = [ptr::null()];
        let all = |strings: &[CString]| -> Vec<_> { strings.iter().map(|one| one.as_ptr()).chain(end).collect() };
        let arguments = all(&image.arguments);
        let rest = arguments.iter().skip(1).copied();
        let of_shell = [SHELL.as_ptr(), image.path.as_ptr()].into_iter().chain(rest).collect();
        Self {
            path: image.path.as_ptr(),
            of_shell,
            arguments,
            environment: all(&image.environment),
            directory: image.directory.as_ptr(),
            file,
            failure,
            highest: highest_file(),
            leads_group: parent == Parent::ThisProcess,
            #[cfg(target_os = "linux")]
            scheduling: scheduling_of_main(),
        }
    }

    /// Has a child execute the program, and returns its number, or -1.
    #[cfg(target_os = "linux")]
    fn duplicate(&self) -> libc::pid_t {
        extern "C" fn run(start: *mut libc::c_void) -> libc::c_int {
            // SAFETY: the parent waits meanwhile, and its value is there until then.
            unsafe { (*start.cast::<Start>()).execute() }
        }
        let mut stack = [MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
        let start = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the child has the memory in common with this thread, which waits until the child has executed a program
        // or is gone, so its stack and `self` are there. All signals are blocked, so that nothing but `execute` runs in it.
        unsafe {
            let top = stack.as_mut_ptr_range().end.cast();
            libc::clone(run, top, libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, start)
        }
    }

    /// The same with a copy of the memory.
    #[cfg(not(target_os = "linux"))]
    fn duplicate(&self) -> libc::pid_t {
        // SAFETY: the child calls nothing but `execute`, which is made for this.
        unsafe {
            match libc::fork() {
                0 => self.execute(),
                child => child,
            }
        }
    }

    /// Has a grandchild execute the program, and returns the number of the child between, or -1.
    fn duplicate_twice(&self) -> libc::pid_t {
        // SAFETY: the child makes system calls that are allowed after a `fork`; nothing allocates, locks or panics.
        unsafe {
            match libc::fork() {
                0 => {
                    libc::setpgid(0, 0);
                    match self.duplicate() {
                        -1 => self.fail(),
                        grandchild => wait_and_end_like(grandchild, self.highest),
                    }
                }
                child => child,
            }
        }
    }

    /// Becomes the program.
    ///
    /// # Safety
    ///
    /// Called in a new process that has one thread and all signals blocked. Nothing here allocates, locks or panics.
    unsafe fn execute(&self) -> ! {
        // SAFETY: system calls, with pointers that are valid for them.
        unsafe {
            if self.leads_group {
                libc::setpgid(0, 0);
            }
            close_at_exec(self.highest);
            if libc::fcntl(self.file, libc::F_SETFD, 0) == -1 || libc::chdir(self.directory) == -1 {
                self.fail();
            }
            take_default_actions();
            #[cfg(target_os = "linux")]
            libc::sched_setscheduler(0, self.scheduling.0, &raw const self.scheduling.1);
            Mask::of(&[]).apply();
            let environment = self.environment.as_ptr();
            libc::execve(self.path, self.arguments.as_ptr(), environment);
            if io::Error::last_os_error().raw_os_error() == Some(libc::ENOEXEC) {
                libc::execve(SHELL.as_ptr(), self.of_shell.as_ptr(), environment);
            }
            self.fail()
        }
    }

    /// Tells the last error, and ends.
    ///
    /// # Safety
    ///
    /// As for `execute`.
    unsafe fn fail(&self) -> ! {
        let error = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes();
        // SAFETY: the pointer is valid for the call.
        unsafe {
            libc::write(self.failure, error.as_ptr().cast(), error.len());
            libc::_exit(1)
        }
    }
}

/// Policy and parameters. The system takes the number of a process for that of its main thread.
#[cfg(target_os = "linux")]
fn scheduling_of_main() -> (libc::c_int, libc::sched_param) {
    let main = std::process::id().cast_signed();
    let mut parameters = MaybeUninit::zeroed();
    // SAFETY: the pointer is valid for the call, and zeroed is a valid value should it fail.
    unsafe {
        let policy = libc::sched_getscheduler(main);
        libc::sched_getparam(main, parameters.as_mut_ptr());
        (policy, parameters.assume_init())
    }
}

/// Signals are no longer handled by functions, which would find the memory of another process; those that are ignored stay
/// so, but for SIGPIPE, which std ignores.
///
/// # Safety
///
/// As for `execute`.
unsafe fn take_default_actions() {
    // SAFETY: zeroed is a valid action, and that of default; numbers that are not in use are refused.
    unsafe {
        let default = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        #[cfg(target_os = "linux")]
        for signal in 1..=libc::SIGRTMAX() {
            let mut before = default;
            libc::sigaction(signal, &raw const default, &raw mut before);
            if before.sa_sigaction == libc::SIG_IGN {
                libc::sigaction(signal, &raw const before, ptr::null_mut());
            }
        }
        libc::sigaction(libc::SIGPIPE, &raw const default, ptr::null_mut());
    }
}

/// Waits for a child of this process, which has no other task, and no open file, and takes no signal. It ends when the
/// thread that has started it does, too.
///
/// # Safety
///
/// Called after a `fork`: nothing here allocates, locks or panics.
unsafe fn wait_and_end_like(child: libc::pid_t, highest: RawFd) -> ! {
    // SAFETY: system calls that are allowed between `fork` and `exec`; the pointers are valid for the calls.
    unsafe {
        Mask::all().apply();
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        close_all(highest);
        let mut status = 0;
        while libc::waitpid(child, &raw mut status, 0) < 0 {
            // Where SIGCHLD is ignored nobody learns how a child has ended.
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                libc::_exit(1);
            }
        }
        if libc::WIFSIGNALED(status) {
            // The program has left its core, if it leaves one.
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
            super::die_of(libc::WTERMSIG(status));
        }
        libc::_exit(libc::WEXITSTATUS(status))
    }
}
