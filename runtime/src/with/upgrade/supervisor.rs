//! Those for whom the end of a process is the end of the service, whatever has taken its place.

use std::process;

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

/// What `ps` shows for a process, where the system says it.
fn name_of(process: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}
