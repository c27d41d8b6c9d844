//! The priority of the crate's threads.

/// Starts one of the crate's threads. In a real-time process (`SCHED_FIFO`, `SCHED_RR`) it gets a higher priority than
/// the calling thread, which would starve it forever by never waiting.
#[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
pub(crate) fn outranked_by<T>(start: impl FnOnce() -> T) -> T {
    let mut policy = 0;
    let mut own = std::mem::MaybeUninit::<libc::sched_param>::zeroed();
    // SAFETY: both pointers are valid for the call, and zeroed is a valid value should it fail.
    let (is_known, own) = unsafe {
        let known = libc::pthread_getschedparam(libc::pthread_self(), &raw mut policy, own.as_mut_ptr());
        (known == 0, own.assume_init())
    };
    if !is_known || (policy != libc::SCHED_FIFO && policy != libc::SCHED_RR) {
        return start();
    }
    let mut higher = own;
    higher.sched_priority += 1;
    // A thread inherits the priority of the one that starts it. If a higher one is not granted, nothing changes.
    // SAFETY: the parameters are valid for the calls, which touch no memory of ours.
    unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &raw const higher) };
    let started = start();
    // SAFETY: as above.
    unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &raw const own) };
    started
}

/// Starts one of the crate's threads, like any other: Windows has other priorities, and `libc` has none for these systems.
#[cfg(not(all(unix, not(any(target_os = "illumos", target_os = "solaris")))))]
pub(crate) fn outranked_by<T>(start: impl FnOnce() -> T) -> T {
    start()
}
