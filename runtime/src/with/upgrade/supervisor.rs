//! Who has started this process, and takes its end for that of the service, or waits for its successor.

use std::env;
use std::process;

use crate::os::sys::Parent;
use crate::say::upgrades;

/// Inits that end with their one child, and supervisors that start it anew. systemd is none of them: it is told which
/// process is the main one.
const WATCHERS: [&str; 11] = [
    "tini",
    "tini-static",
    "docker-init",
    "dumb-init",
    "catatonit",
    "graceful-init",
    "runsv",
    "s6-supervise",
    "supervise",
    "supervisord",
    "conmon",
];

/// Why an upgrade would end the service.
pub(super) fn refusal() -> Option<String> {
    if process::id() == 1 {
        return Some(upgrades::IS_PID_1.to_owned());
    }
    let parent = name_of(std::os::unix::process::parent_id())?;
    WATCHERS.contains(&&*parent).then(|| upgrades::is_watched_by(&parent))
}

/// Variables of systemd's: one for whoever notifies it, one for all services.
const OF_SYSTEMD: [&str; 2] = ["NOTIFY_SOCKET", "INVOCATION_ID"];

/// Whose child a successor is. systemd may learn at any time which process is the main one, by a message or by a file, and
/// then it has to be its own child.
pub(super) fn parent_of_successors() -> Parent {
    let is_systemd = OF_SYSTEMD.iter().any(|name| env::var_os(name).is_some());
    if is_systemd { Parent::Another } else { Parent::ThisProcess }
}

/// What `ps` shows for a process, where the system says it.
fn name_of(process: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}
