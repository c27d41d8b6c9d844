//! How long a thread has waited for a processor: what distinguishes a busy machine from a process that was stopped.

use std::time::Duration;

/// How long the calling thread, in all, could have run and did not, because others ran. `None` where the system does not
/// say.
#[cfg(target_os = "linux")]
pub(crate) fn run_delay() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run_delay() -> Option<Duration> {
    None
}
