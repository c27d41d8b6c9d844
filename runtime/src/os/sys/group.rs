//! Signals for all processes of a group.

/// Whether a process of this group is left, running or not yet reaped.
pub(crate) fn has_group(id: i32) -> bool {
    // SAFETY: no signal is sent, no memory is involved.
    unsafe { libc::killpg(id, 0) == 0 }
}

/// Sends a signal to all processes of this group, which may be empty.
pub(crate) fn signal_group(id: i32, signal: i32) {
    // SAFETY: no memory is involved.
    unsafe {
        libc::killpg(id, signal);
    }
}
