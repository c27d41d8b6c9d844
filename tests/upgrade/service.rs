//! A service in a folder of its own, with its program, and all the processes that it has been.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use graceful_tests::{Child, Signal};
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

const PROGRAM: &str = env!("CARGO_BIN_EXE_upgrades");

/// A folder that is removed with what is in it, and the program in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// `mode`: of the first version.
    pub(crate) fn new(mode: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("upgrade-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("it can be made");
        let folder = Self(fs::canonicalize(path).expect("it is there"));
        folder.next_version(mode);
        folder.install();
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.0.join("service")
    }

    /// What the next process does otherwise.
    pub(crate) fn next_version(&self, mode: &str) {
        self.replace("mode", mode.as_bytes(), 0o644);
    }

    /// The real program is put in its place, as a deployment does it.
    pub(crate) fn install(&self) {
        self.replace("service", &fs::read(PROGRAM).expect("it is there"), 0o755);
    }

    /// A file appears, or is replaced, as a whole.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8], mode: u32) {
        let beside = self.0.join(format!("{name}.new"));
        // A child of another test that forks now would keep a program open for writing: one that nobody can execute.
        // So another process writes it.
        let from = self.0.join(format!("{name}.bytes"));
        fs::write(&from, bytes).expect("it can be written");
        let copied = Command::new("cp").arg(&from).arg(&beside).status().expect("it runs");
        assert!(copied.success());
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode)).expect("it is there");
        fs::rename(beside, self.0.join(name)).expect("it can be renamed");
        fs::remove_file(from).expect("it is there");
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.arg(&self.0);
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The service. All its processes are killed when it is dropped.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = Child::start(command);
        child.be_patient(PATIENCE);
        child.prints_part("up 1 pid ");
        let address = address_of(&child, "up 1 pid ");
        Self { child, address }
    }

    pub(crate) fn of(folder: &Folder) -> Self {
        Self::start(&mut folder.command())
    }

    /// The number of the process of this generation.
    #[track_caller]
    pub(crate) fn process(&self, generation: u32) -> Pid {
        let start = format!("start {generation} pid ");
        self.child.prints_part(&start);
        number_after(&self.child.to_string(), &start).expect("a number follows")
    }

    /// Asks for an upgrade by signal.
    pub(crate) fn ask(&self, process: Pid) {
        assert!(is_running(process), "{}", self.child);
        kill(process, Signal::SIGUSR2).expect("it is there");
    }

    /// Upgrades to this generation, and waits until the one before it accepts nobody any more.
    #[track_caller]
    pub(crate) fn upgrade(&self, generation: u32) -> Pid {
        let before = self.process(generation - 1);
        self.ask(before);
        self.child.prints_part(&format!("up {generation} pid "));
        self.child.says(&format!("generation {generation} serves"));
        let now = self.process(generation);
        let sockets =
            |process| files(process).into_iter().map(|(_, name)| name).filter(|name| name.starts_with("socket:"));
        until("the old one has closed what both had", || {
            let theirs: Vec<_> = sockets(now).collect();
            sockets(before).all(|one| !theirs.contains(&one))
        });
        now
    }

    /// What the service answers, on a new connection.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> String {
        get(self.address, path).expect("an answer")
    }

    /// The generation that answers.
    #[track_caller]
    pub(crate) fn generation(&self) -> u32 {
        let answer = self.get("/");
        answer.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
    }

    /// Ends the process, and waits until it is gone.
    #[track_caller]
    pub(crate) fn stop(&self, process: Pid) {
        assert!(is_running(process), "{}", self.child);
        kill(process, Signal::SIGTERM).expect("it is there");
        until_gone(process);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let printed = self.child.to_string();
        for line in printed.lines() {
            for words in ["pid ", "child "] {
                if let Some(process) = number_after(line, words).filter(|process| is_of_ours(*process)) {
                    let _ = kill(process, Signal::SIGKILL);
                }
            }
        }
    }
}

/// Nobody else gets a signal, should the number be another process's by now.
fn is_of_ours(process: Pid) -> bool {
    let command = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).into_owned();
    command.contains("upgrade-") || command.contains("sleep\0")
}

pub(crate) fn number_after(text: &str, words: &str) -> Option<Pid> {
    let (_, rest) = text.split_once(words)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok().map(Pid::from_raw)
}

pub(crate) fn address_of(child: &Child, words: &str) -> SocketAddr {
    let printed = child.to_string();
    let (_, rest) = printed.split_once(words).expect("it was printed");
    let (_, rest) = rest.split_once("at ").expect("an address follows");
    rest.lines().next().and_then(|line| line.parse().ok()).expect("an address")
}

/// The body of the answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.strip_prefix("HTTP/1.1 200").and_then(|answer| answer.split_once("\r\n\r\n"));
    body.map(|(_, body)| body.to_owned()).ok_or_else(|| std::io::Error::other(format!("no answer: {answer:?}")))
}

/// Waits for something to be so.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so: {what}");
        sleep(PAUSE);
    }
}

/// Whether it runs; a zombie does not.
pub(crate) fn is_running(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[track_caller]
pub(crate) fn until_gone(process: Pid) {
    until(&format!("{process} is gone"), || !is_running(process));
}

/// The children of a process, zombies included.
pub(crate) fn children(process: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<i32>>())
        .map(Pid::from_raw)
        .collect()
}

/// What a process has open, by number.
pub(crate) fn files(process: Pid) -> Vec<(u32, String)> {
    let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut files: Vec<_> = files
        .filter_map(|file| {
            let number = file.file_name().to_str()?.parse().ok()?;
            Some((number, fs::read_link(file.path()).ok()?.to_string_lossy().into_owned()))
        })
        .collect();
    files.sort();
    files
}

pub(crate) fn threads(process: Pid) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut names: Vec<_> = tasks
        .filter_map(|task| Some(fs::read_to_string(task.path().join("comm")).ok()?.trim_end().to_owned()))
        .collect();
    names.sort();
    names
}
