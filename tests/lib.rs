//! A program under test: start it, read its output, signal it, wait for it.
#![cfg(unix)]
#![allow(clippy::missing_panics_doc)] // everything here panics: that is how a test fails

pub mod client;
pub mod left_behind;
pub mod terminal;

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{kill, killpg};
use nix::unistd::Pid;

pub use nix::sys::signal::Signal;

/// What the programs take as their first argument: everything on main's thread, or tasks on one beside it.
pub const FLAVOURS: [&str; 2] = ["current_thread", "multi_thread"];

/// How long a test waits for a child, unless it allows more. Nothing takes a tenth of this.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running program, in a process group of its own. Killed when dropped.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
    /// Receives how it ended, and when.
    exit: Receiver<(ExitStatus, Instant)>,
    is_gone: bool,
    patience: Duration,
}

impl Child {
    /// Starts `command` with its three standard streams piped.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::piped())
    }

    /// Starts `command` with a standard error of the test's own.
    pub fn start_with(command: &mut Command, stderr: Stdio) -> Self {
        Self::spawn(command, Stdio::piped(), stderr)
    }

    /// Starts `command` as systemd starts a service with a socket unit: the listener is the first file after the
    /// standard ones.
    pub fn start_with_listener(command: &Command, listener: &TcpListener) -> Self {
        let listener = listener.as_fd().try_clone_to_owned();
        let listener = listener.expect("a socket can be cloned");
        Self::start_in_shell(
            command,
            "LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null",
            listener.into(),
            Stdio::piped(),
        )
    }

    /// The same with two listeners that have names.
    pub fn start_with_listeners(command: &Command, [first, second]: &[TcpListener; 2], names: &str) -> Self {
        let clone = |listener: &TcpListener| listener.as_fd().try_clone_to_owned().expect("a socket can be cloned");
        let script = format!("LISTEN_FDS=2 LISTEN_FDNAMES={names} exec \"$0\" \"$@\" 3<&0 4<&2 </dev/null 2>/dev/null");
        Self::start_in_shell(command, &script, clone(first).into(), clone(second).into())
    }

    fn start_in_shell(command: &Command, script: &str, stdin: Stdio, stderr: Stdio) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("LISTEN_PID=$$ {script}")).arg(command.get_program());
        shell.args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.expect("nothing is taken away"));
        }
        Self::spawn(&mut shell, stdin, stderr)
    }

    fn spawn(command: &mut Command, stdin: Stdio, stderr: Stdio) -> Self {
        ignore_nothing();
        // The child does not inherit these from the environment of the tests.
        for name in [
            "GRACEFUL_STOP_TIMEOUT",
            "GRACEFUL_DRAIN",
            "GRACEFUL_TIMELINE",
            "KUBERNETES_SERVICE_HOST",
            "RUST_BACKTRACE",
            "NOTIFY_SOCKET",
            "JOURNAL_STREAM",
            "WATCHDOG_USEC",
            "WATCHDOG_PID",
        ] {
            if command.get_envs().all(|(set, _)| set != name) {
                command.env_remove(name);
            }
        }
        let mut process = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .expect("the child starts");
        let pid = Pid::from_raw(process.id().cast_signed());
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (gone, exit) = mpsc::channel();
        thread::spawn(move || {
            let status = process.wait().expect("a child can be waited for");
            let _ = gone.send((status, Instant::now()));
        });
        Self {
            pid,
            stdin,
            stdout: Stream::of(stdout),
            stderr: Stream::of(stderr),
            exit,
            is_gone: false,
            patience: PATIENCE,
        }
    }

    /// Waits longer for this child than for others.
    pub fn be_patient(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Waits until it printed this line on its standard output, and returns when that was.
    #[track_caller]
    pub fn prints(&self, line: &str) -> Instant {
        self.wait_for(&self.stdout, line, |text| text == line)
    }

    /// Waits until a line on its standard output contains this text, and returns when that was.
    #[track_caller]
    pub fn prints_part(&self, part: &str) -> Instant {
        self.wait_for(&self.stdout, part, |text| text.contains(part))
    }

    /// Waits until a line on its standard error contains this text, and returns when that was.
    #[track_caller]
    pub fn says(&self, part: &str) -> Instant {
        self.wait_for(&self.stderr, part, |text| text.contains(part))
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal. Returns the moment before.
    pub fn send(&self, signal: Signal) -> Instant {
        let now = Instant::now();
        kill(self.pid, signal).expect("the child can be signalled");
        now
    }

    /// Sends SIGTERM. Returns the moment before.
    pub fn terminate(&self) -> Instant {
        self.send(Signal::SIGTERM)
    }

    /// Sends SIGINT. Returns the moment before.
    pub fn interrupt(&self) -> Instant {
        self.send(Signal::SIGINT)
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its standard input is open");
        writeln!(stdin, "{line}").expect("the child reads its standard input");
    }

    /// Waits until it is gone: in time, without a panic, and with no process of it left behind.
    #[track_caller]
    pub fn end(self) -> End {
        let end = self.end_in_panic();
        assert!(!end.has_said("panicked at"), "it panicked\n{end}");
        end
    }

    /// As [`end`](Self::end), for a child that panics.
    #[track_caller]
    pub fn end_in_panic(mut self) -> End {
        let Ok((status, at)) = self.exit.recv_timeout(self.patience) else { panic!("it is still there\n{self}") };
        self.is_gone = true;
        assert_eq!(killpg(self.pid, None), Err(Errno::ESRCH), "it left a process behind\n{self}");
        End {
            code: status.code(),
            signal: status.signal().and_then(|signal| Signal::try_from(signal).ok()),
            stdout: self.stdout.to_the_end(),
            stderr: self.stderr.to_the_end(),
            at,
        }
    }

    #[track_caller]
    fn wait_for(&self, stream: &Stream, what: &str, is_it: impl Fn(&str) -> bool) -> Instant {
        match stream.find(is_it, self.patience) {
            Some(at) => at,
            None => panic!("no line `{what}`\n{self}"),
        }
    }
}

/// A child inherits an ignored signal, for example from `nohup` or from the background of a shell without job control.
/// It does not inherit a handler: a handled signal is back at its default.
pub fn ignore_nothing() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
            .unwrap_or(0);
        let all = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];
        let numbers: Vec<_> =
            all.map(|signal| signal as i32).into_iter().filter(|number| ignored >> (number - 1) & 1 == 1).collect();
        if !numbers.is_empty() {
            // On a thread of its own: a test may be inside a runtime.
            thread::spawn(move || handle(&numbers)).join().expect("the signals are handled");
        }
    });
}

/// From now on this process handles these signals, and does nothing on them.
fn handle(numbers: &[i32]) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().build().expect("a runtime");
    let _entered = runtime.enter();
    for &number in numbers {
        // The handler stays when this is dropped.
        let kind = tokio::signal::unix::SignalKind::from_raw(number);
        drop(tokio::signal::unix::signal(kind).expect("a handler"));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_gone {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
    }
}

impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        transcript(f, &self.stdout.now(), &self.stderr.now())
    }
}

/// How a child ended, and all it printed.
#[derive(Debug)]
pub struct End {
    /// The exit code, unless a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<Signal>,
    /// Its standard output.
    pub stdout: Vec<Line>,
    /// Its standard error, where the test left it to the child's own pipe.
    pub stderr: Vec<Line>,
    /// When it was gone.
    pub at: Instant,
}

/// A line, and when it arrived.
#[derive(Clone, Debug)]
pub struct Line {
    /// Without its end.
    pub text: String,
    /// When the test read it.
    pub at: Instant,
}

impl End {
    /// How long after `then` it was gone.
    pub fn after(&self, then: Instant) -> Duration {
        self.at - then
    }

    /// The lines of its standard output.
    pub fn printed(&self) -> Vec<&str> {
        self.stdout.iter().map(|line| &*line.text).collect()
    }

    /// Whether a line of its standard error contains this text.
    pub fn has_said(&self, part: &str) -> bool {
        self.stderr.iter().any(|line| line.text.contains(part))
    }

    /// It ended by itself, with this code.
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "another exit code\n{self}");
    }

    /// A line of its standard error contains this text.
    #[track_caller]
    pub fn assert_said(&self, part: &str) {
        assert!(self.has_said(part), "`{part}` was not said\n{self}");
    }

    /// No line of its standard error contains this text.
    #[track_caller]
    pub fn assert_silent_about(&self, part: &str) {
        assert!(!self.has_said(part), "`{part}` was said\n{self}");
    }

    /// This line is on its standard output.
    #[track_caller]
    pub fn assert_printed(&self, line: &str) {
        assert!(self.printed().contains(&line), "`{line}` was not printed\n{self}");
    }

    /// It was gone no sooner than `from` and no later than `to`, counted from `then`.
    #[track_caller]
    pub fn assert_gone_between(&self, then: Instant, from: Duration, to: Duration) {
        let took = self.after(then);
        assert!((from..=to).contains(&took), "gone after {took:?}, not within {from:?} to {to:?}\n{self}");
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => writeln!(f, "  exit code {code}")?,
            (None, signal) => writeln!(f, "  killed by {signal:?}")?,
        }
        transcript(f, &self.stdout, &self.stderr)
    }
}

fn transcript(f: &mut fmt::Formatter<'_>, stdout: &[Line], stderr: &[Line]) -> fmt::Result {
    for (name, lines) in [("stdout", stdout), ("stderr", stderr)] {
        for line in lines {
            writeln!(f, "  {name} | {}", line.text)?;
        }
    }
    Ok(())
}

/// One of a child's outputs, read by a thread of its own.
#[derive(Clone, Debug, Default)]
struct Stream(Arc<(Mutex<Heard>, Condvar)>);

/// What was read so far.
#[derive(Debug, Default)]
struct Heard {
    lines: Vec<Line>,
    is_closed: bool,
}

impl Stream {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let stream = Self::default();
        let writer = stream.clone();
        thread::spawn(move || {
            let lines = pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n'));
            for line in lines.map_while(Result::ok) {
                let line = Line { text: String::from_utf8_lossy(&line).into_owned(), at: Instant::now() };
                writer.change(|read| read.lines.push(line));
            }
            writer.change(|read| read.is_closed = true);
        });
        stream
    }

    fn change(&self, change: impl FnOnce(&mut Heard)) {
        let (read, changed) = &*self.0;
        change(&mut read.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// When the line arrived; `None` if it does not.
    fn find(&self, is_it: impl Fn(&str) -> bool, patience: Duration) -> Option<Instant> {
        let found = |read: &Heard| Some(read.lines.iter().find(|line| is_it(&line.text))?.at);
        self.wait(patience, |read| found(read).is_some() || read.is_closed, found)
    }

    /// Everything, once the child and every process that has its pipe are gone.
    fn to_the_end(&self) -> Vec<Line> {
        self.wait(PATIENCE, |read| read.is_closed, |read| read.lines.clone())
    }

    fn now(&self) -> Vec<Line> {
        self.wait(PATIENCE, |_| true, |read| read.lines.clone())
    }

    fn wait<T>(&self, patience: Duration, until: impl Fn(&Heard) -> bool, get: impl FnOnce(&Heard) -> T) -> T {
        let (read, changed) = &*self.0;
        let read = read.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, _) =
            changed.wait_timeout_while(read, patience, |read| !until(read)).unwrap_or_else(PoisonError::into_inner);
        get(&read)
    }
}
