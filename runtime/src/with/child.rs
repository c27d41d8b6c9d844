//! Child processes that are workers: told to stop, waited for, killed with all they have started.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio::process::Command;
use tokio::time::sleep;

use crate::model::name::ToName;
use crate::os::lock::Lock;
use crate::os::sys;
use crate::say::lines;
use crate::work::body::Body;
use crate::work::cancellation::run_until_stopping;
use crate::work::worker::Worker;

/// How often a group without its leader is checked: nothing notifies this process when the last of it ends.
const CHECK_PERIOD: Duration = Duration::from_millis(50);

/// The groups that may be alive.
static GROUPS: Lock<Vec<i32>> = Lock::new(Vec::new());

/// A worker that runs `command` as a child process, called `name` in reports. Feature `process`, on Unix.
///
/// The child leads a process group of its own, so a Ctrl-C at the terminal does not reach it. When the worker is told
/// to stop, with its stage or through its handle, the whole group gets a SIGTERM (and a SIGCONT, should it be
/// suspended). The worker ends when the last process of the group has. When it is aborted, because the time
/// is over or through its handle, the group gets a SIGKILL.
///
/// The worker's result is the child's:
///
/// * `Ok` with its status, if that is a success. After it was told to stop, an end by SIGTERM is a success too, and so
///   is exit code 143, which is how shells report it.
/// * [`ChildError::Ended`] with any other: a failure like that of any worker, settled by
///   [`on_failure`](Worker::on_failure).
/// * [`ChildError::Io`] if it could not be started.
///
/// Processes that a child leaves in its group when it ends before it was told to stop are killed.
///
/// ```
/// use std::process::Command;
///
/// # #[graceful::main] async fn main() {
/// let mut command = Command::new("sleep");
/// command.arg("0.01");
/// graceful::child("nap", command).stage(graceful::Stage::Late).spawn();
/// # }
/// ```
///
/// For options that only the attribute has, such as `essential` or `backoff`, put it on a worker around the child:
///
/// ```
/// # use std::process::{Command, ExitStatus};
/// #[graceful::worker(essential, on_failure = "restart", max_restarts = 3)]
/// async fn cache() -> Result<ExitStatus, graceful::ChildError> {
///     graceful::child("cache", Command::new("redis-server")).await
/// }
/// ```
///
/// What it cannot do:
///
/// * A process that has left the group (a daemon, a shell with job control) is not seen.
/// * When something kills this process with SIGKILL, or it calls `std::process::exit`, its children live on. When it
///   is ended at the deadline, or by a second interrupt, they are killed.
/// * Pipes set for the child's output have no reader. Give it files, or the streams of this process; and where it
///   should not read a terminal, `Stdio::null()`.
#[track_caller]
pub fn child<'a, N, C>(
    name: &'a N,
    command: C,
) -> Worker<impl Body<Output = Result<ExitStatus, ChildError>> + use<N, C>>
where
    N: ToName<'a> + ?Sized,
    C: Into<Command>,
{
    let mut command = CommandWrap::from(command.into());
    command.wrap(ProcessGroup::leader());
    let command = Arc::new(Lock::new(command));
    Worker::new(name, move || run(Arc::clone(&command)))
}

/// Why a child process is a failure. See [`child`].
#[non_exhaustive]
pub enum ChildError {
    /// It could not be started, or waiting for it failed.
    Io(io::Error),
    /// It ended with this status, which is not a success.
    Ended(ExitStatus),
}

/// One child from its start to the end of its group.
async fn run(command: Arc<Lock<CommandWrap>>) -> Result<ExitStatus, ChildError> {
    let mut group = Group::start(&command)?;
    let by_itself = run_until_stopping(group.leader()).await;
    let is_told = by_itself.is_none();
    let status = if let Some(status) = by_itself {
        group.kill();
        status?
    } else {
        group.terminate();
        group.leader().await?
    };
    group.end().await?;
    if status.success() || is_told && is_death_by_sigterm(status) { Ok(status) } else { Err(ChildError::Ended(status)) }
}

fn is_death_by_sigterm(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGTERM) || status.code() == Some(128 + libc::SIGTERM)
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

/// Kills every group started here, when the process ends without dropping its workers.
pub(crate) fn kill_all() {
    for &id in &*groups() {
        sys::kill_group(id);
    }
}

fn groups() -> MutexGuard<'static, Vec<i32>> {
    GROUPS.lock()
}

/// A child and the processes it has started. Killed when dropped, unless it has ended.
struct Group {
    child: Box<dyn ChildWrapper>,
    /// The number of the group, and of the child.
    id: i32,
    /// Set once the group is empty: its number may then be another group's.
    has_ended: bool,
}

impl Group {
    fn start(command: &Lock<CommandWrap>) -> io::Result<Self> {
        let mut command = command.lock();
        let child = command.spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.expect("a child that was not waited for has a number");
        // Not locked before: starting a program can take its time, and the watch does not wait for it.
        groups().push(id);
        Ok(Self { child, id, has_ended: false })
    }

    /// Waits for the child, whatever the rest of the group does. Cancel safe.
    async fn leader(&mut self) -> io::Result<ExitStatus> {
        self.child.inner_mut().wait().await
    }

    /// Sends SIGTERM and SIGCONT to the whole group, which may be empty.
    fn terminate(&self) {
        let _ = self.child.signal(libc::SIGTERM);
        let _ = self.child.signal(libc::SIGCONT);
    }

    /// Kills the whole group, which may be empty.
    fn kill(&mut self) {
        let _ = self.child.start_kill();
    }

    /// Waits for the processes that the child has left behind.
    async fn end(mut self) -> io::Result<()> {
        // As PID 1 this process has to reap them: this call does.
        self.child.wait().await?;
        while is_alive(self.id) {
            sleep(CHECK_PERIOD).await;
        }
        self.has_ended = true;
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.has_ended {
            self.kill();
        }
        groups().retain(|&id| id != self.id);
    }
}

impl From<io::Error> for ChildError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// As its `Display`: reports show it.
impl fmt::Debug for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Io(error) => lines::child_not_run(error),
            Self::Ended(status) => lines::child_ended(*status),
        })
    }
}

impl std::error::Error for ChildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Ended(_) => None,
        }
    }
}
