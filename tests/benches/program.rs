//! A running contender: start it, read its output, signal it, wait for it.

use std::hint;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use graceful_benches::now;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::contenders::Contender;

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// The process itself: readable once it is gone.
    process: OwnedFd,
    stdout: BufReader<ChildStdout>,
    /// Set where the measurement reads it.
    stderr: Option<ChildStderr>,
    /// Just before it was started.
    pub(crate) asked: Duration,
    /// Just after its `exec`: `spawn` waits for that, and for nothing later.
    pub(crate) started: Duration,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct End {
    /// When its end was seen.
    at: Duration,
    /// With which code, or by which signal.
    pub(crate) status: ExitStatus,
    /// Its standard error, where the measurement reads it.
    pub(crate) said: String,
}

impl End {
    /// How long after `then` it was gone.
    pub(crate) fn after(&self, then: Duration) -> Duration {
        self.at.saturating_sub(then)
    }
}

impl Program {
    /// Starts it with a task and a number. Its standard error is discarded.
    pub(crate) fn start(contender: Contender, task: &str, n: usize) -> Self {
        Self::start_with(contender, task, n, Stdio::null())
    }

    /// The same, and keeps its standard error.
    pub(crate) fn start_heard(contender: Contender, task: &str, n: usize) -> Self {
        Self::start_with(contender, task, n, Stdio::piped())
    }

    fn start_with(contender: Contender, task: &str, n: usize, stderr: Stdio) -> Self {
        let mut command = Command::new(contender.path());
        command
            .args([task, &n.to_string()])
            .env_remove("GRACEFUL_STOP_TIMEOUT")
            .env_remove("GRACEFUL_DRAIN")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let asked = now();
        let mut child = command.spawn().expect("a contender starts");
        let started = now();
        let stdout = child.stdout.take().expect("its output is piped");
        let stderr = child.stderr.take();
        let pid = Pid::from_raw(child.id().cast_signed()).expect("it has a number");
        Self {
            process: pidfd_open(pid, PidfdFlags::empty()).expect("it was not waited for yet"),
            child,
            stdout: BufReader::new(stdout),
            stderr,
            asked,
            started,
        }
    }

    /// Its next line. An error when it ends without one.
    pub(crate) fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line) {
            Ok(0) => Err("it ended without a line".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Its next line as a number.
    pub(crate) fn number(&mut self) -> Result<f64, String> {
        let line = self.line()?;
        line.parse().map_err(|_| format!("`{line}` is not a number"))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM. Returns the moment before.
    pub(crate) fn terminate(&self) -> Duration {
        let before = now();
        // It cannot be refused: the process is a child that was not waited for.
        let _ = pidfd_send_signal(&self.process, Signal::TERM);
        before
    }

    /// Waits until it is gone, for so long at the most.
    pub(crate) fn gone_within(&mut self, limit: Duration) -> Option<End> {
        let limit = Timespec::try_from(limit).expect("a limit of seconds");
        let mut process = [PollFd::new(&self.process, PollFlags::IN)];
        let changed = poll(&mut process, Some(&limit)).expect("a process can be waited for");
        let at = now();
        if changed == 0 {
            return None;
        }
        let status = self.child.wait().expect("a child can be waited for");
        let mut said = String::new();
        if let Some(stderr) = &mut self.stderr {
            // No measurement looks for anything but text.
            let _ = stderr.read_to_string(&mut said);
        }
        Some(End { at, status, said })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until this moment, to the microsecond.
pub(crate) fn until(moment: Duration) {
    /// Less than a sleep may oversleep.
    const SLACK: Duration = Duration::from_micros(300);
    thread::sleep(moment.saturating_sub(now() + SLACK));
    while now() < moment {
        hint::spin_loop();
    }
}
