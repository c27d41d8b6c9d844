//! The terminal, whose foreground belongs to one process group at a time: a child's, as long as this process's own has it
//! to give. What a shell does for its jobs.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::os::sys;

/// How long this process may take to be suspended by its own signal, in parts: a process that is resumed may find that
/// one part is over, but not that all are.
const PART: Duration = Duration::from_millis(10);
const PARTS: usize = 10;

/// The terminal that controls this process.
pub(super) struct Terminal(File);

impl Terminal {
    pub(super) fn open() -> Option<Self> {
        File::options().read(true).write(true).open("/dev/tty").ok().map(Self)
    }

    /// Gives the foreground to this group, if it is ours to give. Returns whether the group has it.
    fn give(&self, group: i32) -> bool {
        let holder = self.holder();
        if holder == sys::own_group() {
            sys::set_foreground(self.0.as_fd(), group);
            return true;
        }
        holder == group
    }

    /// Takes the foreground back from this group, if it is there.
    pub(super) fn take_back(&self, group: i32) {
        if self.holder() == group {
            sys::set_foreground(self.0.as_fd(), sys::own_group());
        }
    }

    /// Takes the foreground back from a child that was never executed.
    pub(super) fn take_back_from_nobody(&self) {
        if !sys::has_group(self.holder()) {
            sys::set_foreground(self.0.as_fd(), sys::own_group());
        }
    }

    fn holder(&self) -> i32 {
        sys::foreground(self.0.as_fd())
    }

    /// The child was suspended by this signal. If it was its terminal that did it, this process is suspended with it, so
    /// that a shell can resume both: in the foreground or in the background. Returns whether the child runs again.
    pub(super) async fn suspend_with(&self, child: i32, by: i32) -> bool {
        let wants_the_terminal = by == libc::SIGTTIN || by == libc::SIGTTOU;
        // This process has come to the foreground since the child was started.
        let is_served = wants_the_terminal && self.give(child);
        if !is_served {
            // It keeps it: a shell takes the terminal when a job of its own is suspended.
            let had_it = self.holder() == child;
            if !had_it && !wants_the_terminal {
                return false;
            }
            let is_resumed = suspend_own_group(if wants_the_terminal { by } else { libc::SIGTSTP }).await;
            // Nobody could resume this process, so the kernel has not suspended it.
            if !is_resumed && !had_it {
                return false;
            }
            self.give(child);
        }
        sys::signal_group(child, libc::SIGCONT);
        true
    }
}

/// Returns when it is resumed, or that it was not suspended: no shell could resume it, or it ignores the signal.
async fn suspend_own_group(by: i32) -> bool {
    let Ok(mut resumed) = signal(SignalKind::from_raw(libc::SIGCONT)) else {
        return false;
    };
    sys::signal_group(sys::own_group(), by);
    for _ in 0..PARTS {
        if timeout(PART, resumed.recv()).await.is_ok() {
            return true;
        }
    }
    false
}
