//! Child processes that are workers: told to stop, waited for, killed with all they have started.

mod group;
mod terminal;

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;

use tokio::process::Command;

use crate::model::name::ToName;
use crate::os::lock::Lock;
use crate::os::sys;
use crate::say::{children, refusals};
use crate::work::ambient;
use crate::work::body::Body;
use crate::work::cancellation::run_until_stopping;
use crate::work::worker::Worker;

use group::Group;

pub(crate) use group::{kill_all, reap_killed};

/// What a shell's status is when it cannot execute a program, and when there is none of that name.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// A worker that runs `command` as a child process, called `name` in reports. Feature `process`, on Unix.
///
/// The child leads a process group of its own, so a Ctrl-C at the terminal does not reach it, unless it is
/// [in the foreground](ChildCommand::foreground). When the worker is told to stop, with its stage or through its handle,
/// the whole group gets its [stop signal](ChildCommand::stop_signal), a SIGTERM unless set, and a SIGCONT, should it be
/// suspended. The worker ends when the last process of the group has. When it is aborted, because the time
/// is over or through its handle, the group gets a SIGKILL.
///
/// The worker's result is the child's:
///
/// * `Ok` with its status, if that is a success. After it was told to stop, an end by the stop signal is a success too,
///   and so is the exit code by which shells report it: 143 for SIGTERM.
/// * [`ChildError::Ended`] with any other: a failure like that of any worker, settled by
///   [`on_failure`](Worker::on_failure).
/// * [`ChildError::Io`] if it could not be started.
///
/// [`exit_code`](Worker::exit_code) makes it the exit code of this process.
///
/// Processes that a child leaves in its group when it ends before it was told to stop are killed. Those of a group that
/// become children of this process, as PID 1 or a subreaper, are reaped when the group ends, within a second if it was
/// killed.
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
/// * A process that has left the group (a daemon, a shell with job control) is not seen. As PID 1 of a container it is
///   reaped with [`reap`](crate::Builder::reap).
/// * When a signal kills this process that it does not handle, or it calls `std::process::exit`, its children live on:
///   with SIGKILL, and with SIGHUP, when its terminal is closed, unless that is one of its
///   [`signals`](crate::Builder::signals). When it is ended at the deadline, or by a second interrupt, they are killed.
/// * Pipes set for the child's output have no reader. Give it files, or the streams of this process.
/// * A child that is not in the foreground and reads from the terminal is suspended by it (SIGTTIN), as is one that
///   writes to a terminal with `stty tostop` or changes its settings (SIGTTOU). A line says so. Give it `Stdio::null()`,
///   or the foreground.
#[track_caller]
pub fn child<'a, N, C>(
    name: &'a N,
    command: C,
) -> Worker<impl Body<Output = Result<ExitStatus, ChildError>> + use<N, C>>
where
    N: ToName<'a> + ?Sized,
    C: Into<ChildCommand>,
{
    let mut command = command.into();
    command.command.process_group(0);
    if command.is_foreground {
        sys::start_in_the_foreground(&mut command.command);
    }
    let command = Arc::new(Lock::new(command));
    let child: Arc<str> = name.to_name().as_ref().into();
    Worker::new(name, move || run(Arc::clone(&child), Arc::clone(&command)))
}

/// A command with options of its own, for [`child`].
///
/// ```no_run
/// use std::process::Command;
///
/// use graceful::{ChildCommand, Signal};
///
/// # #[graceful::main] async fn main() {
/// let mut database = Command::new("sleep"); // PostgreSQL would take a SIGTERM for "when all clients have left"
/// database.arg("1000");
/// let database = ChildCommand::from(database).stop_signal(Signal::Interrupt);
/// graceful::child("database", database).spawn();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a command does nothing until it is given to `child`"]
pub struct ChildCommand {
    command: Command,
    stop_signal: i32,
    is_foreground: bool,
}

impl From<Command> for ChildCommand {
    fn from(command: Command) -> Self {
        Self { command, stop_signal: libc::SIGTERM, is_foreground: false }
    }
}

impl From<std::process::Command> for ChildCommand {
    fn from(command: std::process::Command) -> Self {
        Self::from(Command::from(command))
    }
}

impl ChildCommand {
    /// The signal that tells the child to stop, as `KillSignal=` of systemd and `STOPSIGNAL` of a Dockerfile: a
    /// [`Signal`](crate::Signal), a `SignalKind` of tokio's, or a number. SIGTERM unless set.
    ///
    /// # Panics
    ///
    /// For a number that is no signal.
    #[track_caller]
    pub fn stop_signal(mut self, signal: impl Into<i32>) -> Self {
        self.stop_signal = signal.into();
        assert!(sys::is_signal(self.stop_signal), "{}", refusals::NO_SIGNAL);
        self
    }

    /// The child has the terminal, as a shell's job in the foreground has it, as long as it runs: it can read, Ctrl-C
    /// and Ctrl-\ are its own, and this process does not see them. For a program that asks its user something, and for
    /// a program around another one.
    ///
    /// This needs a terminal that controls this process, and this process in its foreground; otherwise it does nothing.
    /// With Ctrl-Z the child suspends this process, too: its shell has the terminal then, and `fg` and `bg` resume both.
    /// A job that was started with `&` gets the terminal when it reads from it after `fg`. Where there is no shell that
    /// could resume a job, as in a container, Ctrl-Z does nothing. One child at a time has the terminal: the last one
    /// started while this process was in the foreground.
    ///
    /// Meanwhile this process is in the background: its own reads from the terminal fail or suspend it.
    pub fn foreground(mut self) -> Self {
        self.is_foreground = true;
        self
    }
}

impl<B: Body<Output = Result<ExitStatus, ChildError>>> Worker<B> {
    /// Runs the child right here, and returns its status as that of this process: main's result, in a program around
    /// another one.
    ///
    /// That is its exit code; 128 and the number of the signal that killed it, as shells have it; 127 if there is no such
    /// program and 126 if it could not be started, with a line that says why. It is the same after it was told to stop:
    /// 143 for a child that died of SIGTERM.
    ///
    /// ```no_run
    /// use std::process::{Command, ExitCode};
    ///
    /// #[graceful::main(stop_timeout = "10s", reap)]
    /// async fn main() -> ExitCode {
    ///     graceful::child("server", Command::new("server")).exit_code().await
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, the child and its group are killed.
    pub async fn exit_code(self) -> ExitCode {
        let status = match self.await {
            Ok(status) | Err(ChildError::Ended(status)) => status,
            Err(ChildError::Io(error)) => {
                if let Some(life) = ambient::lifecycle() {
                    life.writer.say(children::not_started(&error));
                }
                let is_found = error.kind() != io::ErrorKind::NotFound;
                return ExitCode::from(if is_found { NOT_EXECUTABLE } else { NOT_FOUND });
            }
        };
        let code = status.code().or_else(|| Some(128 + status.signal()?));
        code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
    }
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
async fn run(name: Arc<str>, command: Arc<Lock<ChildCommand>>) -> Result<ExitStatus, ChildError> {
    let (mut group, stop_signal) = {
        let mut command = command.lock();
        let ChildCommand { command, stop_signal, is_foreground } = &mut *command;
        (Group::start(command, *is_foreground, name)?, *stop_signal)
    };
    let by_itself = run_until_stopping(group.leader()).await;
    let is_told = by_itself.is_none();
    let status = if let Some(status) = by_itself {
        group.kill();
        status?
    } else {
        group.signal(stop_signal);
        group.signal(libc::SIGCONT);
        group.leader().await?
    };
    group.end().await;
    if status.success() || is_told && is_death_by(stop_signal, status) {
        Ok(status)
    } else {
        Err(ChildError::Ended(status))
    }
}

fn is_death_by(signal: i32, status: ExitStatus) -> bool {
    status.signal() == Some(signal) || status.code() == Some(128 + signal)
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
            Self::Io(error) => children::not_run(error),
            Self::Ended(status) => children::ended(*status),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_signal_is_any_that_there_is() {
        for number in [1, libc::SIGKILL, libc::SIGWINCH, libc::SIGRTMIN() + 3] {
            let command = ChildCommand::from(Command::new("sleep")).stop_signal(number);
            assert_eq!(command.stop_signal, number);
        }
    }

    #[test]
    #[should_panic(expected = "stop_signal: this is not the number of a signal")]
    fn zero_is_no_stop_signal() {
        let _ = ChildCommand::from(Command::new("sleep")).stop_signal(0);
    }
}
