//! The process group of a child: its signals, its end, and what is left of it when it was killed.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use std::{fs, io};

use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::os::lock::Lock;
use crate::os::sys;
use crate::say::children;
use crate::with::child::terminal::Terminal;
use crate::work::ambient;

/// How often a group without its leader is checked: nothing notifies this process when the last of it ends.
const CHECK_PERIOD: Duration = Duration::from_millis(50);

/// The groups that may be alive.
static GROUPS: Lock<Vec<i32>> = Lock::new(Vec::new());

/// The groups that were killed by a worker that did not live to reap them.
static KILLED: Lock<Vec<i32>> = Lock::new(Vec::new());

/// Kills every group started here, when the process ends without dropping its workers.
pub(crate) fn kill_all() {
    let terminal = Terminal::open();
    for &id in &*GROUPS.lock() {
        sys::signal_group(id, libc::SIGKILL);
        if let Some(terminal) = &terminal {
            terminal.take_back(id);
        }
    }
}

/// Reaps what is left of groups that were killed, where this process is PID 1 or a subreaper. Called once a second while
/// there are any. Returns whether there are.
pub(crate) fn reap_killed() -> bool {
    let mut killed = KILLED.lock();
    killed.retain(|&id| sys::reap_members(id) || is_alive(id));
    !killed.is_empty()
}

/// A child and the processes it has started. Killed when dropped, unless it has ended.
pub(super) struct Group {
    child: Child,
    /// The number of the group, and of the child.
    id: i32,
    name: Arc<str>,
    /// Something has happened to a child of this process.
    changes: Signal,
    /// The terminal that is this child's while this process has it to give.
    terminal: Option<Terminal>,
    /// Set once the group is empty: its number may then be another group's.
    has_ended: bool,
}

impl Group {
    pub(super) fn start(command: &mut Command, is_foreground: bool, name: Arc<str>) -> io::Result<Self> {
        // Before there is a child whose changes could be missed.
        let changes = signal(SignalKind::child())?;
        let terminal = is_foreground.then(Terminal::open).flatten();
        let child = command.spawn().inspect_err(|_| {
            if let Some(terminal) = &terminal {
                terminal.take_back_from_nobody();
            }
        })?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.expect("a child that was not waited for has a number");
        // Not locked before: starting a program can take its time, and the watch does not wait for it.
        GROUPS.lock().push(id);
        Ok(Self { child, id, name, changes, terminal, has_ended: false })
    }

    /// Waits for the child, whatever the rest of the group does. Cancel safe.
    pub(super) async fn leader(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended_or_changed().await {
                return status;
            }
            if let Some(signal) = sys::suspended_by(self.id) {
                self.is_suspended(signal).await;
            }
        }
    }

    /// The child's status, or nothing if a child of this process may have been suspended.
    async fn ended_or_changed(&mut self) -> Option<io::Result<ExitStatus>> {
        let mut ended = pin!(self.child.wait());
        let changes = &mut self.changes;
        poll_fn(|context| match ended.as_mut().poll(context) {
            Poll::Ready(status) => Poll::Ready(Some(status)),
            Poll::Pending => changes.poll_recv(context).map(|_| None),
        })
        .await
    }

    /// A shell would suspend the job, and tell. Here the job is this process, if the child has its terminal.
    async fn is_suspended(&self, signal: i32) {
        let is_resumed = match &self.terminal {
            Some(terminal) => terminal.suspend_with(self.id, signal).await,
            None => false,
        };
        if !is_resumed && let Some(life) = ambient::lifecycle() {
            life.writer.say(children::suspended(&self.name, signal, self.terminal.is_some()));
        }
    }

    /// Sends a signal to the whole group, which may be empty.
    pub(super) fn signal(&self, signal: i32) {
        sys::signal_group(self.id, signal);
    }

    /// Kills the whole group, which may be empty.
    pub(super) fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    /// Waits for the processes that the child has left behind.
    pub(super) async fn end(mut self) {
        self.take_back_the_terminal();
        loop {
            let is_alive = is_alive(self.id);
            // As PID 1 or a subreaper this process has inherited them.
            sys::reap_members(self.id);
            if !is_alive {
                break;
            }
            sleep(CHECK_PERIOD).await;
        }
        self.has_ended = true;
    }

    fn take_back_the_terminal(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.take_back(self.id);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.has_ended {
            self.kill();
            self.take_back_the_terminal();
            KILLED.lock().push(self.id);
        }
        GROUPS.lock().retain(|&id| id != self.id);
    }
}

/// Whether a process of this group is alive. A zombie is not: in a container it may never be reaped.
fn is_alive(group: i32) -> bool {
    let exists = sys::has_group(group);
    if !exists || cfg!(not(target_os = "linux")) {
        return exists;
    }
    let Ok(processes) = fs::read_dir("/proc") else {
        return true;
    };
    let is_living_member = |entry: fs::DirEntry| {
        // `4711 (a name) S 4710 4711 …`: state, parent, group. The name can be anything.
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X");
        Some(!is_dead && fields.nth(1)?.parse() == Ok(group))
    };
    processes.flatten().any(|entry| is_living_member(entry).unwrap_or(false))
}
