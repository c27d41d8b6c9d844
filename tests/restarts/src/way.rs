//! The ways to restart a service.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{Backlog, listen};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::runtime;

use crate::service::QUEUE;
use crate::usage::Usage;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Graceful,
    Ecdysis,
    Shellflip,
    /// The socket stays open between the two processes. This program does what systemd does, as systemd is not everywhere.
    KeptOpen,
    /// Stop, wait, start.
    Plain,
}

impl Way {
    pub const ALL: [Self; 5] = [Self::Graceful, Self::Ecdysis, Self::Shellflip, Self::KeptOpen, Self::Plain];

    /// As an argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Graceful => "graceful",
            Self::Ecdysis => "ecdysis",
            Self::Shellflip => "shellflip",
            Self::KeptOpen => "kept-open",
            Self::Plain => "plain",
        }
    }

    pub fn title(self) -> String {
        match self {
            Self::Graceful => "this crate".to_owned(),
            Self::Ecdysis => versioned("ecdysis"),
            Self::Shellflip => versioned("shellflip"),
            Self::KeptOpen => "socket kept open".to_owned(),
            Self::Plain => "stop and start".to_owned(),
        }
    }

    /// The program, as an argument of this one.
    pub fn program(self) -> &'static str {
        match self {
            Self::Graceful | Self::KeptOpen | Self::Plain => "graceful",
            Self::Ecdysis => "ecdysis",
            Self::Shellflip => "shellflip",
        }
    }

    /// What asks for an upgrade in place: the signal of each one's documentation.
    fn upgrade(self) -> Option<Signal> {
        match self {
            Self::Graceful => Some(Signal::SIGUSR2),
            Self::Ecdysis => Some(Signal::SIGHUP),
            Self::Shellflip => Some(Signal::SIGUSR1),
            Self::KeptOpen | Self::Plain => None,
        }
    }
}

/// With the version that the manifest has.
fn versioned(name: &str) -> String {
    let manifest = include_str!("../Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")));
    let version = line.and_then(|line| line.split_once("\"=")).and_then(|(_, rest)| rest.split('"').next());
    version.map_or(name.to_owned(), |version| format!("{name} {version}"))
}

/// How long a process may take to end.
const TO_END: Duration = Duration::from_secs(20);

/// A service that runs. Its processes are killed when this is dropped.
pub struct Service {
    pub way: Way,
    pub address: SocketAddr,
    /// Kept open here for those that inherit it.
    socket: Option<TcpListener>,
    pub log: PathBuf,
    /// The process that serves, and the one before it.
    pub process: i32,
    before: Option<i32>,
}

impl Service {
    pub fn start(way: Way) -> io::Result<Self> {
        let socket = TcpListener::bind("127.0.0.1:0")?;
        let address = socket.local_addr()?;
        listen(&socket, Backlog::new(QUEUE)?)?;
        let socket = (way == Way::KeptOpen).then_some(socket);
        let log = env::current_exe()?.with_file_name(format!("restarts-{}.log", way.name()));
        File::create(&log)?;
        let mut service = Self { way, address, socket, log, process: 0, before: None };
        service.process = service.start_process()?;
        Ok(service)
    }

    fn start_process(&self) -> io::Result<i32> {
        let own = env::current_exe()?;
        let mut command = match &self.socket {
            None => {
                let mut command = Command::new(own);
                command.stdin(Stdio::null());
                command
            }
            // As systemd starts it: the socket is number 3.
            Some(socket) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg("exec 3<&0 0</dev/null; LISTEN_PID=$$ exec \"$0\" \"$@\"").arg(own);
                command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "http");
                command.stdin(OwnedFd::from(socket.try_clone()?));
                command
            }
        };
        let log = File::options().append(true).open(&self.log)?;
        command.args(["serve", self.way.program(), &self.address.to_string()]);
        command.stdout(log.try_clone()?).stderr(log);
        Ok(command.spawn()?.id().cast_signed())
    }

    /// Asks for the next process. Returns when that was asked for; where the old one is stopped first, the next one was
    /// started by then.
    pub fn restart(&mut self) -> io::Result<Instant> {
        let asked = Instant::now();
        if let Some(signal) = self.way.upgrade() {
            kill(Pid::from_raw(self.process), signal)?;
        } else {
            kill(Pid::from_raw(self.process), Signal::SIGTERM)?;
            has_ended(self.process).ok_or_else(|| io::Error::other("it does not stop"))?;
            self.process = self.start_process()?;
        }
        Ok(asked)
    }

    /// Another process has answered. Returns when the one before has ended.
    pub fn is_succeeded_by(&mut self, process: i32) {
        if self.way.upgrade().is_some() {
            self.before = Some(std::mem::replace(&mut self.process, process));
        }
    }

    /// Waits until the process before this one has ended. `None` if it does not.
    pub fn has_settled(&mut self) -> Option<()> {
        match self.before.take() {
            Some(before) => has_ended(before),
            None => Some(()),
        }
    }

    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.process)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for process in [Some(self.process), self.before].into_iter().flatten() {
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
            let _ = has_ended(process);
        }
    }
}

/// Waits until a process has ended, and reaps it. `None` if it does not end.
fn has_ended(process: i32) -> Option<()> {
    let until = Instant::now() + TO_END;
    while Instant::now() < until {
        // Orphans become children of this process: it has asked for that.
        let _ = waitpid(Pid::from_raw(process), Some(WaitPidFlag::WNOHANG));
        if kill(Pid::from_raw(process), None).is_err() {
            return Some(());
        }
        thread::sleep(Duration::from_micros(500));
    }
    None
}

/// Kills whatever is left of all services: this process is the parent of their orphans.
pub fn end_all() {
    loop {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<i32> = lists
            .flat_map(|list| list.split(' ').filter_map(|word| word.trim().parse().ok()).collect::<Vec<_>>())
            .collect();
        if children.is_empty() {
            return;
        }
        for child in children {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
            let _ = waitpid(Pid::from_raw(child), None);
        }
    }
}

/// Most of the services are in process groups of their own: a terminal does not tell them.
pub fn end_all_on_ctrl_c() {
    thread::spawn(|| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("the system grants it");
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            end_all();
            process::exit(130);
        }
    });
}
