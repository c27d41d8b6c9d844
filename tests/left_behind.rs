//! The processes of a run: each inherits a tag in its environment, in whatever group or session it is.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable with the tag.
pub const TAG: &str = "TESTS_RUN";

/// How long a process that was killed may take to disappear.
const DYING: Duration = Duration::from_millis(500);

/// How long processes may take until all of their threads wait.
const SETTLING: Duration = Duration::from_secs(20);

/// Panics if a process of this run is still there, after it has killed it.
#[track_caller]
pub fn assert_none(tag: &str) {
    let begun = Instant::now();
    let mut left = tagged(tag);
    while !left.is_empty() && begun.elapsed() < DYING {
        sleep(Duration::from_millis(1));
        left = tagged(tag);
    }
    let commands: Vec<_> = left.iter().map(|&pid| (pid, command(pid))).collect();
    for pid in left {
        let _ = kill(pid, Signal::SIGKILL);
    }
    assert!(commands.is_empty(), "it left processes behind: {commands:?}");
}

/// The processes with this tag. A zombie has no environment any more.
pub fn tagged(tag: &str) -> Vec<Pid> {
    let entry = format!("{TAG}={tag}");
    let is_tagged = |pid: &Pid| {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == entry.as_bytes()))
    };
    processes().filter(is_tagged).collect()
}

/// Whether it is PID 1 in the namespace it lives in.
pub fn is_pid_1(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    ids.is_some_and(|ids| ids.split_whitespace().skip(1).last() == Some("1"))
}

/// Whether it runs this program.
pub fn runs(pid: Pid, program: &Path) -> bool {
    let its = fs::read_link(format!("/proc/{pid}/exe"));
    its.is_ok_and(|its| program.canonicalize().is_ok_and(|program| its == program))
}

/// Waits until every thread of the processes with this tag waits for something. Returns whether that came to pass.
#[must_use]
pub fn settle(tag: &str) -> bool {
    let begun = Instant::now();
    let is_quiet = || tagged(tag).into_iter().all(is_asleep);
    // Twice in a row: work that one thread has begun may continue on another.
    while !(is_quiet() && is_quiet()) {
        if begun.elapsed() > SETTLING {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
    true
}

/// Whether all of its threads wait for something.
pub fn is_asleep(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    threads.into_iter().flatten().flatten().all(|thread| {
        let state = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // After the name, which ends with the last parenthesis.
        state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
    })
}

fn command(pid: Pid) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// All processes, where the system lists them.
fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir(Path::new("/proc")).into_iter().flatten();
    entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse().ok().map(Pid::from_raw)
    })
}
