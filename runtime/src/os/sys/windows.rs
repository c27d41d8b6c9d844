//! What Windows has instead.

/// `ExitProcess` calls nothing of ours.
pub(crate) fn at_exit(_: extern "C" fn()) {}

/// There is no death by a signal on Windows.
pub(crate) fn die_of(_: i32) {}

/// Starts one of the crate's threads, like any other.
pub(crate) fn outranked_by<T>(start: impl FnOnce() -> T) -> T {
    start()
}

/// Writes. No terminal suspends a process for writing.
pub(crate) fn from_the_background<T>(write: impl FnOnce() -> T) -> T {
    write()
}

/// Ends the process. Windows has no `_exit`; `ExitProcess` stops all other threads first.
pub(crate) fn exit_now(code: u8) -> ! {
    std::process::exit(i32::from(code))
}
