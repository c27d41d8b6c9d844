//! The process after this one: started, waited for, and ended if it does not get ready.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use crate::os::sys;
use crate::with::upgrade::predecessor::VARIABLE;

/// The group of the successor, from its start until it is ready or gone; 0 if there is none.
static GROUP: AtomicI32 = AtomicI32::new(0);

/// Set while one is being started, and its number is not known.
static IS_STARTING: AtomicBool = AtomicBool::new(false);

/// How long the end of this process waits for that number.
const STARTING: Duration = Duration::from_millis(100);

/// Kills the successor and its group, when this process ends at once.
pub(crate) fn kill() {
    for _ in 0..STARTING.as_millis() {
        if !IS_STARTING.load(Ordering::SeqCst) {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let group = GROUP.swap(0, Ordering::SeqCst);
    if group != 0 {
        sys::signal_group(group, libc::SIGKILL);
    }
}

/// How long a group that was killed may take to be gone.
const LEAVING: Duration = Duration::from_millis(200);

/// How it has ended. `None` where other code of this process has waited for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended(pub(super) Option<ExitStatus>);

/// A successor that is not ready yet. Its group is killed when this is dropped.
///
/// It is no child of this process: one between them waits for it, leads the group and ends as it does.
#[derive(Debug)]
pub(super) struct Successor {
    child: Child,
    group: i32,
    ended: Option<Ended>,
    is_released: bool,
}

impl Successor {
    /// Starts it, with one end of a channel.
    pub(super) fn start(mut command: Command, theirs: &UnixStream) -> io::Result<Self> {
        let number = std::os::fd::AsRawFd::as_raw_fd(theirs);
        command.env(VARIABLE, format!("{number}:{}", process::id()));
        command.process_group(0);
        sys::pass_on_only(&mut command, theirs.as_fd());
        IS_STARTING.store(true, Ordering::SeqCst);
        let child = command.spawn();
        if let Ok(child) = &child {
            GROUP.store(child.id().cast_signed(), Ordering::SeqCst);
        }
        IS_STARTING.store(false, Ordering::SeqCst);
        let child = child?;
        let group = child.id().cast_signed();
        Ok(Self { child, group, ended: None, is_released: false })
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            self.ended = match self.child.try_wait() {
                Ok(status) => status.map(|status| Ended(Some(status))),
                Err(_) => Some(Ended(None)),
            };
        }
        self.ended
    }

    /// Tells it and its group to stop.
    pub(super) fn terminate(&self) {
        sys::signal_group(self.group, libc::SIGTERM);
        sys::signal_group(self.group, libc::SIGCONT);
    }

    /// Kills it and what is left of its group, and reaps it.
    pub(super) fn kill(&mut self) {
        // Until it is reaped the number of the group cannot be another's; and after that as long as it has a member.
        if self.ended.is_none() || sys::has_group(self.group) {
            sys::signal_group(self.group, libc::SIGKILL);
        }
        GROUP.store(0, Ordering::SeqCst);
        if self.ended.is_none() {
            self.ended = Some(Ended(self.child.wait().ok()));
        }
        // The one that is reaped here has not waited for it: the init does.
        for _ in 0..LEAVING.as_millis() {
            if !sys::has_group(self.group) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// It is on its own from now on. It becomes a child of the init.
    pub(super) fn release(&mut self) {
        GROUP.store(0, Ordering::SeqCst);
        self.is_released = true;
        let _ = self.child.kill();
    }

    /// It has been released: waits until it is a child of the init.
    pub(super) fn wait_until_released(&mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.is_released {
            self.kill();
        }
    }
}
