//! A run of a row's program, with everything that it needs.

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use graceful_tests::{Child, End, Signal, terminal};
use nix::sys::signal::{SigSet, SigmaskHow, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, geteuid, mkfifo};

use crate::left_behind::{self, TAG};
use crate::row::{Row, Stage};
use crate::{aborting, own_user, streams};

/// The beginning of the text of a panic that is no failure of the program.
pub(crate) const AGAIN: &str = "once more";

/// A running program.
pub(crate) struct Scene {
    child: Child,
    /// When it was started.
    pub(crate) begun: Instant,
    /// The value of [`TAG`] in its environment.
    pub(crate) tag: String,
    /// The process to signal, where that is not the child itself.
    inside: Option<Pid>,
    /// What has to live as long as it runs, or until the act drops it.
    props: Props,
}

/// Files that belong to a scene.
#[derive(Default)]
struct Props {
    /// The other end of its standard error.
    other_end: Option<Box<dyn Send>>,
    fifo: Option<PathBuf>,
}

impl Drop for Props {
    fn drop(&mut self) {
        if let Some(fifo) = &self.fifo {
            let _ = fs::remove_file(fifo);
        }
    }
}

/// The program of the table, or what runs the same program for another processor.
fn fault() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        env::var_os("FAULTS_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_fault").into(), PathBuf::from)
    });
    &PROGRAM
}

impl Scene {
    /// Starts the program of a row.
    pub(crate) fn open(row: &Row, runtime: &str, setup: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{}-{number}", process::id());
        let mut props = Props::default();
        let mut arguments = vec![runtime.to_owned(), row.program.0.to_owned(), row.program.1.to_owned()];
        if row.stage == Stage::Fifo {
            let path = env::temp_dir().join(format!("graceful-faults-{tag}"));
            mkfifo(&path, Mode::S_IRWXU).expect("a FIFO");
            arguments.push(path.display().to_string());
            props.fifo = Some(path);
        }

        let program = match (runtime, row.stage) {
            ("panic_abort", _) => aborting::program(),
            (_, Stage::OwnUser | Stage::Nobody) => own_user::program(),
            _ => fault(),
        };
        let mut command = if row.stage == Stage::Pid1 {
            starting("unshare", &namespace(), program)
        } else if setup.is_empty() {
            Command::new(program)
        } else {
            let script = format!("{setup}; exec \"$@\"");
            starting("sh", &["-c", &script, "sh"], program)
        };
        if row.stage == Stage::OwnUser {
            own_user::become_one(&mut command, number);
        }
        if row.stage == Stage::Nobody {
            command = in_shell(own_user::NOBODY, &command);
        }
        if let Stage::Mounts(mount) = row.stage {
            let script = format!("{mount} && exec \"$@\"");
            command = starting("unshare", &mounts(&script), program);
        }
        command.args(arguments).env(TAG, &tag);
        command.envs(row.environment.iter().copied());

        let stderr = match row.stage {
            Stage::FullPipe => {
                let (reader, writer) = streams::full_pipe();
                props.other_end = Some(Box::new(reader));
                Stdio::from(writer)
            }
            Stage::BrokenPipe => Stdio::from(streams::broken_pipe()),
            Stage::Terminal => {
                let (master, path) = terminal::open();
                props.other_end = Some(Box::new(master));
                Stdio::from(File::options().write(true).open(path).expect("a terminal"))
            }
            Stage::Background => {
                let (master, path) = terminal::open();
                props.other_end = Some(Box::new(master));
                command = on_terminal(&in_background(&command), &path);
                Stdio::piped()
            }
            Stage::ControllingTerminal => {
                let (master, path) = terminal::open();
                props.other_end = Some(Box::new(master));
                command = on_terminal(&command, &path);
                Stdio::piped()
            }
            _ => Stdio::piped(),
        };
        let begun = Instant::now();
        let mut child = if row.stage == Stage::Blocked {
            with_blocked(Signal::SIGTERM, || Child::start_with(&mut command, stderr))
        } else {
            Child::start_with(&mut command, stderr)
        };
        if let Some(patience) = row.patience {
            child.be_patient(patience);
        }
        Self { child, begun, tag, inside: None, props }
    }

    /// Sends a signal to the program. Returns the moment before.
    pub(crate) fn send(&self, signal: Signal) -> Instant {
        let Some(inside) = self.inside else {
            return self.child.send(signal);
        };
        let now = Instant::now();
        kill(inside, signal).expect("the program can be signalled");
        now
    }

    pub(crate) fn terminate(&self) -> Instant {
        self.send(Signal::SIGTERM)
    }

    pub(crate) fn interrupt(&self) -> Instant {
        self.send(Signal::SIGINT)
    }

    /// The same for a program that may be gone. Returns whether it was there.
    pub(crate) fn try_to_send(&self, signal: Signal) -> bool {
        kill(self.inside.unwrap_or(self.child.pid()), signal).is_ok()
    }

    /// Finds the program behind the process that started it: the one with its tag that is PID 1 in its namespace.
    pub(crate) fn enter(&mut self) {
        self.find(left_behind::is_pid_1);
    }

    /// Finds the program behind the shell whose job it is.
    pub(crate) fn enter_the_job(&mut self) {
        self.find(|pid| left_behind::runs(pid, Path::new(env!("CARGO_BIN_EXE_fault"))));
    }

    fn find(&mut self, is_it: impl Fn(Pid) -> bool) {
        self.inside = left_behind::tagged(&self.tag).into_iter().find(|&pid| is_it(pid));
        assert!(self.inside.is_some(), "it is not there\n{}", self.child);
    }

    /// From now on its user has too many threads for another one. Only that user may set this.
    pub(crate) fn get_no_more_threads(&self) {
        let pid = self.child.pid().to_string();
        let its = fs::metadata(format!("/proc/{pid}")).expect("it runs");
        let mut limit = Command::new("prlimit");
        limit.args(["--pid", &pid, "--nproc=1"]);
        if geteuid().is_root() {
            limit.uid(its.uid()).gid(its.gid());
        }
        let limited = limit.status().expect("prlimit runs");
        assert!(limited.success(), "no limit");
    }

    /// Waits until every thread of it waits for something.
    pub(crate) fn settle(&self) {
        assert!(left_behind::settle(&self.tag), "it does not settle\n{}", self.child);
    }

    /// Closes the other end of its standard error.
    pub(crate) fn hang_up(&mut self) {
        self.props.other_end = None;
    }

    /// Waits until it is gone, and keeps everything it was given until then.
    pub(crate) fn end(self) -> End {
        let Self { child, props, .. } = self;
        let end = child.end_in_panic();
        drop(props);
        end
    }
}

impl Deref for Scene {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

/// Has the row run again where the test itself was too slow to produce the case.
pub(crate) fn again_unless(was_in_time: bool) {
    assert!(was_in_time, "{AGAIN}: two signals were not sent in time");
}

/// Sleeps for so many milliseconds, where the case needs them.
pub(crate) fn pause(millis: u64) {
    sleep(Duration::from_millis(millis));
}

/// One program that starts another.
fn starting(starter: &str, arguments: &[&str], program: &Path) -> Command {
    let mut command = Command::new(starter);
    command.args(arguments).arg(program);
    command
}

/// The command as the leader of a session that this terminal controls: its standard input and standard error.
fn on_terminal(command: &Command, terminal: &Path) -> Command {
    let script = "exec setsid -c -w \"$@\" <\"$TERMINAL\" 2>\"$TERMINAL\"";
    let mut session = in_shell(script, command);
    session.env("TERMINAL", terminal);
    session
}

/// The command as a background job, on a terminal that stops background jobs that write to it.
fn in_background(command: &Command) -> Command {
    in_shell("stty tostop; set -m; \"$@\" & wait $!", command)
}

/// The command as the arguments of a shell's script.
fn in_shell(script: &str, command: &Command) -> Command {
    let mut shell = starting("sh", &["-c", script, "sh"], Path::new(command.get_program()));
    shell.args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell
}

/// The command that makes a PID namespace: as root, or as any user where that is allowed.
fn namespace() -> Vec<&'static str> {
    let mut options = vec!["--pid", "--fork", "--mount-proc"];
    if !geteuid().is_root() {
        options.insert(0, "--map-root-user");
    }
    options
}

/// The command that makes a namespace of mounts, and then runs a script in it.
fn mounts(script: &str) -> Vec<&str> {
    let mut options = vec!["--mount", "sh", "-c", script, "sh"];
    if !geteuid().is_root() {
        options.insert(0, "--map-root-user");
    }
    options
}

/// Why the program that is to start that of the row cannot run here, if it cannot.
pub(crate) fn no_starter(row: &Row) -> Option<String> {
    let (program, options) = row.starter?;
    let tried = Command::new("sh").arg("-c").arg(format!("exec {program} {options} true")).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("{program}: {error}")),
    }
}

/// Whether this machine allows a namespace; else why not.
pub(crate) fn namespaces() -> Result<(), String> {
    let tried = Command::new("unshare").args(namespace()).arg("true").output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

fn with_blocked<T>(signal: Signal, start: impl FnOnce() -> T) -> T {
    let mut blocked = SigSet::empty();
    blocked.add(signal);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK).expect("a mask");
    let started = start();
    before.thread_set_mask().expect("the mask from before");
    started
}
