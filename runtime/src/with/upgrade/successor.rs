//! The process after this one: started, waited for, and ended if it does not get ready.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::{self, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use crate::model::settings::PREDECESSOR;
use crate::os::sys;
use crate::os::sys::{Image, Parent};

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
#[derive(Debug)]
pub(super) struct Successor {
    /// The child of this process that leads the group: the successor, or one between them that ends as it does.
    child: i32,
    parent: Parent,
    ended: Option<Ended>,
    is_released: bool,
}

impl Successor {
    /// Starts it, with one end of a channel.
    pub(super) fn start(mut image: Image, theirs: &UnixStream, parent: Parent) -> io::Result<Self> {
        let value = format!("{}:{}", theirs.as_raw_fd(), process::id());
        image.add_variable(PREDECESSOR.as_ref(), value.as_ref())?;
        IS_STARTING.store(true, Ordering::SeqCst);
        let child = sys::start(&image, theirs.as_fd(), parent);
        if let Ok(child) = child {
            GROUP.store(child, Ordering::SeqCst);
        }
        IS_STARTING.store(false, Ordering::SeqCst);
        Ok(Self { child: child?, parent, ended: None, is_released: false })
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            self.ended = match sys::wait(self.child, false) {
                Ok(status) => status.map(|status| Ended(Some(status))),
                Err(_) => Some(Ended(None)),
            };
        }
        self.ended
    }

    /// Tells it and its group to stop.
    pub(super) fn terminate(&self) {
        sys::signal_group(self.child, libc::SIGTERM);
        sys::signal_group(self.child, libc::SIGCONT);
    }

    /// Kills it and what is left of its group, and reaps it.
    pub(super) fn kill(&mut self) {
        // Until it is reaped the number of the group cannot be another's; and after that as long as it has a member.
        if self.ended.is_none() || sys::has_group(self.child) {
            sys::signal_group(self.child, libc::SIGKILL);
        }
        GROUP.store(0, Ordering::SeqCst);
        self.reap();
        // What is left of the group is not reaped here: the init does that.
        for _ in 0..LEAVING.as_millis() {
            if !sys::has_group(self.child) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// It is on its own from now on.
    pub(super) fn release(&mut self) {
        GROUP.store(0, Ordering::SeqCst);
        self.is_released = true;
        // Until it is reaped its number is not another's.
        if self.parent == Parent::Another && self.ended.is_none() {
            sys::kill(self.child);
        }
    }

    /// It has been released: waits until it is a child of the init, where one is between them.
    pub(super) fn wait_until_released(&mut self) {
        if self.parent == Parent::Another {
            self.reap();
        }
    }

    /// Waits until the child of this process has ended. A successor that ends before this process does would stay a zombie
    /// until then.
    pub(super) fn reap(&mut self) {
        if self.ended.is_none() {
            self.ended = Some(Ended(sys::wait(self.child, true).ok().flatten()));
        }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.is_released {
            self.kill();
        }
    }
}
