//! The calls to the system that std does not have.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};
use windows_sys::Win32::System::Threading::{
    CreateRemoteThread, GetExitCodeProcess, INFINITE, TerminateProcess, WaitForSingleObject,
};

/// An event of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Event {
    /// Ctrl-C was pressed.
    CtrlC = CTRL_C_EVENT,
    /// Ctrl-Break was pressed.
    CtrlBreak = CTRL_BREAK_EVENT,
    /// The console is closed.
    Close = CTRL_CLOSE_EVENT,
    /// A user logs off.
    Logoff = CTRL_LOGOFF_EVENT,
    /// The system shuts down.
    Shutdown = CTRL_SHUTDOWN_EVENT,
}

/// The thread of a process on which the handlers of an event run.
pub(crate) struct Handling(OwnedHandle);

impl Handling {
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let millis = u32::try_from(limit.as_millis()).expect("a moment");
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.0.as_raw_handle(), millis) == WAIT_OBJECT_0 }
    }
}

/// Does what a console does: starts a thread in the process that calls its handlers. No console is needed, and no other
/// process gets the event. The function has the same address in every process.
pub(crate) fn send(process: &Child, event: Event) -> Handling {
    // SAFETY: the names end with a zero; the function has the signature of a thread's, and takes the event for its
    // argument; the handle is open, and the new one is nobody else's.
    unsafe {
        let library = GetModuleHandleA(c"kernelbase.dll".as_ptr().cast());
        assert!(!library.is_null(), "every process has that library");
        let routine = GetProcAddress(library, c"CtrlRoutine".as_ptr().cast()).expect("it has that function");
        let routine = std::mem::transmute::<
            unsafe extern "system" fn() -> isize,
            unsafe extern "system" fn(*mut c_void) -> u32,
        >(routine);
        let event = ptr::without_provenance_mut(event as usize);
        let thread =
            CreateRemoteThread(process.as_raw_handle(), ptr::null(), 0, Some(routine), event, 0, ptr::null_mut());
        assert!(!thread.is_null(), "no thread: {}", io::Error::last_os_error());
        Handling(OwnedHandle::from_raw_handle(thread))
    }
}

/// Waits until it is gone.
pub(crate) fn wait(process: &Child) {
    // SAFETY: the handle is open.
    unsafe {
        WaitForSingleObject(process.as_raw_handle(), INFINITE);
    }
}

/// How it ended.
pub(crate) fn exit_status(process: &Child) -> ExitStatus {
    let mut code = 0;
    // SAFETY: the handle is open, and the pointer valid for the call.
    let is_known = unsafe { GetExitCodeProcess(process.as_raw_handle(), &raw mut code) };
    assert!(is_known != 0, "it has ended");
    ExitStatus::from_raw(code)
}

/// Ends it, if it runs.
pub(crate) fn kill(process: &Child) {
    // SAFETY: the handle is open.
    unsafe {
        TerminateProcess(process.as_raw_handle(), 1);
    }
}

/// How many threads this process has.
pub(crate) fn threads(process: u32) -> usize {
    let size = u32::try_from(size_of::<THREADENTRY32>()).expect("it is small");
    let mut entry = THREADENTRY32 { dwSize: size, ..THREADENTRY32::default() };
    let mut count = 0;
    // SAFETY: the handle is open until the end of the block and nobody else's; the entry says how long it is.
    unsafe {
        let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
        assert!(snapshot != INVALID_HANDLE_VALUE, "no snapshot: {}", io::Error::last_os_error());
        let snapshot = OwnedHandle::from_raw_handle(snapshot);
        let mut is_there = Thread32First(snapshot.as_raw_handle(), &raw mut entry);
        while is_there != 0 {
            count += usize::from(entry.th32OwnerProcessID == process);
            entry.dwSize = size;
            is_there = Thread32Next(snapshot.as_raw_handle(), &raw mut entry);
        }
    }
    count
}
