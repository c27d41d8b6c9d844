//! Windows.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use std::thread;

use windows_sys::Win32::System::Console::{GetConsoleMode, SetConsoleCtrlHandler, WriteConsoleW};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetCurrentProcessId, TerminateProcess};

/// `ExitProcess` calls nothing of ours.
pub(crate) fn at_exit(_: extern "C" fn()) {}

/// There is no death by a signal on Windows.
pub(crate) fn die_of(_: i32) {}

/// Writes. No terminal suspends a process for writing.
pub(crate) fn from_the_background<T>(write: impl FnOnce() -> T) -> T {
    write()
}

/// Ends the process without destructors or flushing.
///
/// `std::process::exit` would flush standard output, which may block forever, and `ExitProcess` runs code of each
/// library, under a lock that another thread may hold.
pub(crate) fn exit_now(code: u8) -> ! {
    // SAFETY: the handle is a constant that means this process; no memory is involved.
    unsafe {
        TerminateProcess(GetCurrentProcess(), u32::from(code));
    }
    // The call may return before the process is gone.
    loop {
        thread::park();
    }
}

/// From now on this function is called for each event of the console, on a new thread of the system's, before the
/// handlers that were there before. If it returns 0, those are called.
pub(crate) fn handle_console_events(handler: extern "system" fn(u32) -> i32) -> io::Result<()> {
    // SAFETY: the function is there as long as the process.
    let is_set = unsafe { SetConsoleCtrlHandler(Some(handler), 1) };
    if is_set == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// From now on that function is not called any more. A call that is under way goes on.
pub(crate) fn ignore_console_events(handler: extern "system" fn(u32) -> i32) {
    // SAFETY: the function is compared with those in the system's list, and nothing else.
    unsafe {
        SetConsoleCtrlHandler(Some(handler), 0);
    }
}

/// Whether the process is a service: it runs in the session that no user has.
pub(crate) fn is_service() -> bool {
    let mut session = u32::MAX;
    // SAFETY: the pointer is valid for the call, which writes one integer.
    let is_known = unsafe { ProcessIdToSessionId(GetCurrentProcessId(), &raw mut session) };
    is_known != 0 && session == 0
}

/// Writes to a console, whatever code page that has. Returns whether it is one.
pub(crate) fn write_to_console(console: BorrowedHandle<'_>, text: &str) -> bool {
    let (handle, mut mode) = (console.as_raw_handle(), 0);
    // SAFETY: the handle is borrowed, and the pointer valid, for the call.
    if unsafe { GetConsoleMode(handle, &raw mut mode) } == 0 {
        return false;
    }
    let text: Vec<u16> = text.encode_utf16().collect();
    let mut rest = &text[..];
    while !rest.is_empty() {
        let (length, mut written) = (u32::try_from(rest.len()).unwrap_or(u32::MAX), 0);
        // SAFETY: the text is at least that long, and the pointer to the count is valid for the call.
        let result = unsafe { WriteConsoleW(handle, rest.as_ptr(), length, &raw mut written, ptr::null()) };
        if result == 0 || written == 0 {
            break;
        }
        rest = &rest[written as usize..];
    }
    true
}
