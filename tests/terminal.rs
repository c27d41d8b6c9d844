//! Terminals, and a shell with job control in front of one: what a person types and sees.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::left_behind::{self, TAG};

/// How long a test waits for what a terminal shows. Nothing takes a tenth of this.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a screen is read.
const PAUSE: Duration = Duration::from_millis(2);

/// What the shells print when they are ready for a command.
pub const PROMPT: &str = "READY> ";

/// A terminal, and the name of the end that programs have. No program inherits the other end: it would keep it open.
pub fn open() -> (PtyMaster, PathBuf) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a terminal");
    grantpt(&master).expect("a terminal of our own");
    unlockpt(&master).expect("a terminal that can be opened");
    let name = ptsname_r(&master).expect("a terminal has a name");
    (master, PathBuf::from(name))
}

/// A program that leads a session in front of a terminal. Everything in it is killed when this is dropped.
#[derive(Debug)]
pub struct Session {
    leader: process::Child,
    keyboard: Option<Arc<File>>,
    screen: Screen,
    /// How much of the screen was looked at.
    seen: usize,
    /// The value of [`TAG`] in the environment of every process in it.
    tag: String,
}

impl Session {
    /// An interactive shell. The variables are in its environment.
    pub fn of_shell(shell: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("setsid");
        command.args(["--ctty", shell]);
        if shell == "bash" {
            command.args(["--norc", "--noprofile", "--noediting"]);
        }
        command.arg("-i").env("PS1", PROMPT).envs(variables.iter().copied());
        let mut session = Self::start(command);
        session.shows(PROMPT);
        session
    }

    /// A command whose standard streams are the terminal, which does not control it yet.
    pub fn start(mut command: Command) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        crate::ignore_nothing();
        let tag = format!("{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (master, name) = open();
        let end = || {
            Stdio::from(
                File::options()
                    .read(true)
                    .write(true)
                    .custom_flags(OFlag::O_NOCTTY.bits())
                    .open(&name)
                    .expect("a terminal"),
            )
        };
        let leader = command.env(TAG, &tag).stdin(end()).stdout(end()).stderr(end()).spawn().expect("a session");
        // It holds the terminal open, and the screen would have no end.
        drop(command);
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a terminal can be non-blocking");
        let keyboard = Arc::new(File::from(OwnedFd::from(master)));
        let screen = Screen::of(Arc::downgrade(&keyboard));
        Self { leader, keyboard: Some(keyboard), screen, seen: 0, tag }
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Types these characters.
    pub fn press(&mut self, keys: &str) {
        let mut keyboard = &**self.keyboard.as_ref().expect("it was not hung up");
        keyboard.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// Waits until this text is on the screen, behind all that was waited for before.
    #[track_caller]
    pub fn shows(&mut self, text: &str) {
        match self.screen.find(text, self.seen) {
            Ok(end) => self.seen = end,
            Err(screen) => panic!("no `{text}` behind character {} of\n{screen}", self.seen),
        }
    }

    /// Sends a signal to every process of this session that runs the program.
    #[track_caller]
    pub fn send(&self, program: &str, signal: Signal) {
        let pids = self.pids(program);
        assert!(!pids.is_empty(), "`{program}` does not run");
        for pid in pids {
            kill(pid, signal).expect("it can be signalled");
        }
    }

    /// Waits until each process of this session that runs the program is in this state, with all its threads, as `ps`
    /// shows it: `T` is suspended, `S` waits.
    #[track_caller]
    pub fn is_in_state(&self, program: &str, state: char) {
        let begun = Instant::now();
        let is_there = |pid: Pid| {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            let mut threads = threads.map(|thread| fs::read_to_string(thread.path().join("stat")).unwrap_or_default());
            threads.all(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(state)))
        };
        loop {
            let pids = self.pids(program);
            if !pids.is_empty() && pids.into_iter().all(is_there) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "`{program}` is not in state {state}\n{}", self.screen.now());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn pids(&self, program: &str) -> Vec<Pid> {
        let is_it = |pid: &Pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim_end() == program
        };
        left_behind::tagged(&self.tag).into_iter().filter(is_it).collect()
    }

    /// The line is gone, as when the window is closed.
    pub fn hang_up(&mut self) {
        let keyboard = self.keyboard.take().expect("it was not hung up");
        // The thread of the screen has it for a moment at a time.
        while Arc::strong_count(&keyboard) > 1 {
            thread::yield_now();
        }
    }

    /// Ends the shell, and checks that no process is left.
    #[track_caller]
    pub fn exit(mut self) {
        if self.keyboard.is_some() {
            self.line("exit 0");
        }
        self.end();
    }

    /// Waits for the end, and checks that no process is left.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.leader.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "the shell does not end\n{}", self.screen.now());
            thread::sleep(Duration::from_millis(5));
        };
        left_behind::assert_none(&self.tag);
        status
    }

    /// All that was on the screen.
    pub fn screen(&self) -> String {
        self.screen.now()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.leader.kill();
        let _ = self.leader.wait();
        for pid in left_behind::tagged(&self.tag) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// What a terminal shows, read by a thread of its own.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<(Mutex<String>, Condvar)>);

impl Screen {
    fn of(master: Weak<File>) -> Self {
        let screen = Self::default();
        let writer = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Some(master) = master.upgrade() {
                let count = match (&*master).read(&mut bytes) {
                    Ok(count) => count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        drop(master);
                        thread::sleep(PAUSE);
                        continue;
                    }
                    // Linux returns an error while no program has the terminal open.
                    Err(_) => return,
                };
                let (text, changed) = &*writer.0;
                let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&bytes[..count]));
                changed.notify_all();
            }
        });
        screen
    }

    /// Where the text ends.
    fn find(&self, text: &str, from: usize) -> Result<usize, String> {
        let (screen, changed) = &*self.0;
        let found = |screen: &str| screen[from..].find(text).map(|at| from + at + text.len());
        let screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(screen, PATIENCE, |screen| found(screen).is_none());
        let (screen, _) = waited.unwrap_or_else(PoisonError::into_inner);
        found(&screen).ok_or_else(|| screen.clone())
    }

    fn now(&self) -> String {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
