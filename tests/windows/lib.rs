//! A program under test on Windows: start it, send it an event of the console, wait for it.
#![cfg(windows)]
#![allow(clippy::missing_panics_doc)] // everything here panics: that is how a test fails

mod sys;

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use sys::Event;

/// The budget of the program.
pub const BUDGET: Duration = Duration::from_millis(500);

/// The codes of a process that an event of the console has ended, which it did not handle: `STATUS_CONTROL_C_EXIT`, and
/// what wine has in its place.
const ENDED_BY_THE_EVENT: [i32; 2] = [0xC000_013A_u32.cast_signed(), 0];

/// How long a process may stay that nothing holds up.
pub const PROMPTLY: Duration = Duration::from_millis(500);

/// How long a test waits. Nothing takes a tenth of this.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that runs. It is killed when this is dropped.
pub struct Child {
    process: Arc<std::process::Child>,
    stdin: Option<ChildStdin>,
    /// Its standard output, where that is not read.
    unread: Option<ChildStdout>,
    stdout: Lines,
    stderr: Lines,
    /// Receives when it was gone.
    gone: Receiver<Instant>,
}

/// What becomes of what the program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It is read.
    Read,
    /// Standard output is a pipe that nobody reads from.
    Unread,
    /// Standard error is a pipe without a reader.
    Broken,
    /// Standard error is a pipe that nobody reads from.
    UnreadErrors,
}

impl Child {
    /// Starts the program with a case.
    pub fn start(program: &str, case: &str) -> Self {
        Self::start_with(program, case, &[], Output::Read)
    }

    /// Starts it with variables in its environment, and with another output.
    pub fn start_with(program: &str, case: &str, environment: &[(&str, &str)], output: Output) -> Self {
        let mut command = Command::new(program);
        for name in ["GRACEFUL_STOP_TIMEOUT", "GRACEFUL_DRAIN", "KUBERNETES_SERVICE_HOST", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command.arg(case).envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let (stdin, mut stdout, mut stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let unread = stdout.take_if(|_| output == Output::Unread);
        let unread_errors = stderr.take_if(|_| output == Output::UnreadErrors);
        drop(stderr.take_if(|_| output == Output::Broken));
        let process = Arc::new(process);
        let (gone, is_gone) = mpsc::channel();
        let waiting = Arc::clone(&process);
        thread::spawn(move || {
            sys::wait(&waiting);
            let _ = gone.send(Instant::now());
            drop(unread_errors);
        });
        Self { process, stdin, unread, stdout: Lines::of(stdout), stderr: Lines::of(stderr), gone: is_gone }
    }

    /// Sends it an event of the console. Returns the moment before.
    pub fn send(&self, event: Event) -> Instant {
        let now = Instant::now();
        drop(sys::send(&self.process, event));
        now
    }

    /// The same, and whether its handler has returned some time later. After that the system would end the process,
    /// where it has closed its console.
    pub fn has_handled(&self, event: Event, within: Duration) -> bool {
        sys::send(&self.process, event).ends_within(within)
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        sys::threads(self.process.id())
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("its standard input is open"), "{line}")
            .expect("it reads its standard input");
    }

    /// Waits until it has printed this line.
    #[track_caller]
    pub fn prints(&self, line: &str) {
        assert!(self.stdout.wait_for(|text| text == line), "no line `{line}`\n{self}");
    }

    /// Waits until a line of its standard error contains this.
    #[track_caller]
    pub fn says(&self, part: &str) {
        assert!(self.stderr.wait_for(|text| text.contains(part)), "no line with `{part}`\n{self}");
    }

    /// Waits until it is gone.
    #[track_caller]
    pub fn end(mut self) -> End {
        let Ok(at) = self.gone.recv_timeout(PATIENCE) else { panic!("it is still there\n{self}") };
        let mut rest = String::new();
        if let Some(mut unread) = self.unread.take() {
            let _ = unread.read_to_string(&mut rest);
        }
        let status: ExitStatus = sys::exit_status(&self.process);
        End { code: status.code(), stdout: self.stdout.to_the_end(), stderr: self.stderr.to_the_end(), at }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        sys::kill(&self.process);
    }
}

impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        transcript(f, &self.stdout.now(), &self.stderr.now())
    }
}

/// How a program ended, and all it wrote that was read.
#[derive(Debug)]
pub struct End {
    /// Its exit code.
    pub code: Option<i32>,
    /// The lines of its standard output.
    pub stdout: Vec<String>,
    /// The lines of its standard error.
    pub stderr: Vec<String>,
    /// When it was gone.
    pub at: Instant,
}

impl End {
    /// It ended with this code.
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "another exit code\n{self}");
    }

    /// An event of the console has ended it, at once, as if there were no handler.
    #[track_caller]
    pub fn assert_ended_by_the_event(&self, sent: Instant) {
        let is_code = self.code.is_some_and(|code| ENDED_BY_THE_EVENT.contains(&code));
        assert!(is_code, "another exit code\n{self}");
        assert!(self.at - sent < PROMPTLY, "gone after {:?}\n{self}", self.at - sent);
    }

    /// Whether a line of its standard error contains this.
    pub fn has_said(&self, part: &str) -> bool {
        self.stderr.iter().any(|line| line.contains(part))
    }

    /// A line of its standard error contains this.
    #[track_caller]
    pub fn assert_said(&self, part: &str) {
        assert!(self.has_said(part), "`{part}` was not said\n{self}");
    }

    /// This line is on its standard output.
    #[track_caller]
    pub fn assert_printed(&self, line: &str) {
        assert!(self.stdout.iter().any(|printed| printed == line), "`{line}` was not printed\n{self}");
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  exit code {:?}", self.code)?;
        transcript(f, &self.stdout, &self.stderr)
    }
}

fn transcript(f: &mut fmt::Formatter<'_>, stdout: &[String], stderr: &[String]) -> fmt::Result {
    for (name, lines) in [("stdout", stdout), ("stderr", stderr)] {
        for line in lines {
            writeln!(f, "  {name} | {line}")?;
        }
    }
    Ok(())
}

/// The lines of one output, read by a thread of its own.
#[derive(Clone, Default)]
struct Lines(Arc<(Mutex<(Vec<String>, bool)>, Condvar)>);

impl Lines {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let lines = Self::default();
        let writer = lines.clone();
        thread::spawn(move || {
            let read = pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n'));
            for line in read.map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
                writer.change(|(lines, _)| lines.push(line));
            }
            writer.change(|(_, is_closed)| *is_closed = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut (Vec<String>, bool))) {
        change(&mut self.0.0.lock().expect("no reader panics"));
        self.0.1.notify_all();
    }

    fn wait_for(&self, is_it: impl Fn(&str) -> bool) -> bool {
        let found = |lines: &[String]| lines.iter().any(|line| is_it(line));
        self.wait(|(lines, is_closed)| *is_closed || found(lines), |lines| found(lines))
    }

    fn to_the_end(&self) -> Vec<String> {
        self.wait(|(_, is_closed)| *is_closed, <[String]>::to_vec)
    }

    fn now(&self) -> Vec<String> {
        self.wait(|_| true, <[String]>::to_vec)
    }

    fn wait<T>(&self, until: impl Fn(&(Vec<String>, bool)) -> bool, get: impl FnOnce(&[String]) -> T) -> T {
        let read = self.0.0.lock().expect("no reader panics");
        let waited = self.0.1.wait_timeout_while(read, PATIENCE, |read| !until(read));
        get(&waited.expect("no reader panics").0.0)
    }
}
