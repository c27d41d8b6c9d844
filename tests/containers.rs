//! Services in containers, with the files of `examples/deploy/`: how Docker and its like stop them, what an end by the
//! deadline is there, what a stop leaves that takes too long, and how a loop of restarts ends. Podman runs them, which has
//! the same commands and needs no daemon. The images are made of nothing but the programs and their libraries.
#![cfg(unix)]

use std::fs;
use std::io::{ErrorKind, Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use saphyr::{LoadableYamlNode, Yaml};

const HTTP: &str = env!("CARGO_BIN_EXE_example-http");
const MINIMAL: &str = env!("CARGO_BIN_EXE_example-minimal");
const MANAGED: &str = env!("CARGO_BIN_EXE_managed");

const DOCKERFILE: &str = include_str!("../examples/deploy/Dockerfile");
const COMPOSE: &str = include_str!("../examples/deploy/compose.yaml");

/// The last line of the report.
const REPORTED: &str = "graceful: exit code 124: out of time, still running: ignorant";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where Podman keeps images and containers: a folder of the tests' own, for all of them. Removed when dropped.
struct Podman {
    folder: PathBuf,
}

/// What the tests share while one of them runs, or why they are skipped.
static SHARED: Mutex<Result<Weak<Podman>, String>> = Mutex::new(Ok(Weak::new()));

impl Podman {
    /// The one of the tests, if containers can be run here. If not, it is printed why not.
    fn get() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let podman = match &*shared {
            Ok(weak) => weak.upgrade().map_or_else(|| Self::try_out().map(Arc::new), Ok),
            Err(why) => Err(why.clone()),
        };
        *shared = podman.as_ref().map(Arc::downgrade).map_err(Clone::clone);
        match podman {
            Ok(podman) => Some(podman),
            Err(why) => {
                // Bypasses the capture of output: a skipped test must not look like a success.
                let _ = writeln!(stderr(), "\n*** SKIPPED, which proves nothing of containers: {why} ***\n");
                None
            }
        }
    }

    /// Makes the images, and runs a container.
    fn try_out() -> Result<Self, String> {
        match Command::new("podman").arg("--version").output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err("podman is missing; Debian has it in the packages podman and crun".to_owned());
            }
            _ if !geteuid().is_root() => return Err("podman is run as root only".to_owned()),
            _ => {}
        }
        // Short: the paths of sockets in it are.
        let folder = std::env::temp_dir().join(format!("graceful-podman-{}", process::id()));
        let podman = Self { folder };
        podman.build("http", HTTP, DOCKERFILE);
        podman.build("http-sigint", HTTP, &DOCKERFILE.replace("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGINT"));
        podman.build("minimal", MINIMAL, DOCKERFILE);
        podman.build("managed", MANAGED, DOCKERFILE);
        // 125 to 127 are Podman's own.
        let first = podman.run(&["run", "--rm"], "managed", &["fails_to_start"]);
        match first.status.code() {
            Some(1) => Ok(podman),
            _ => Err(text(&first).trim().to_owned()),
        }
    }

    /// An image of this program and the libraries that it is linked with, by the last stage of a Dockerfile.
    fn build(&self, image: &str, program: &str, dockerfile: &str) {
        let root = self.folder.join(image);
        let (_, stage) = dockerfile.rsplit_once("FROM scratch\n").expect("a stage with nothing in it");
        let stage = stage.replace("COPY --from=build /http /http", "COPY . /");
        fs::create_dir_all(&root).expect("a folder can be made");
        fs::write(self.folder.join(format!("{image}.Dockerfile")), format!("FROM scratch\n{stage}"))
            .expect("a file can be written");
        fs::copy(program, root.join("http")).expect("it is built");
        for library in libraries_of(program) {
            let copy = root.join(library.strip_prefix("/").expect("from the root"));
            fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder can be made");
            fs::copy(&library, copy).expect("the library is there");
        }
        let dockerfile = self.folder.join(format!("{image}.Dockerfile"));
        let mut command = self.command(&["build", "--quiet", "--pull=never", "--network=none", "-t", image, "-f"]);
        let output = command.arg(dockerfile).arg(&root).output().expect("it runs");
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Podman with these arguments, as nobody else on this machine has it.
    fn command(&self, arguments: &[&str]) -> Command {
        // crun takes old hierarchies of cgroups, and the one of today, but not both: then it is to see the old ones alone.
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c"]);
        command.arg("umount /sys/fs/cgroup/unified 2>/dev/null; exec podman \"$@\"").arg("podman");
        for (option, folder) in [("--root", "store"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(option).arg(self.folder.join(folder));
        }
        // Without systemd, and without a file system on top of others: both may be missing.
        command.args(["--cgroup-manager=cgroupfs", "--storage-driver=vfs", "--events-backend=file"]);
        command.args(arguments);
        command
    }

    /// Has it do something.
    #[track_caller]
    fn tell(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        output
    }

    /// What it knows of a container.
    #[track_caller]
    fn inspect(&self, format: &str, name: &str) -> String {
        let output = self.tell(&["inspect", "--format", format, name]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn run(&self, options: &[&str], image: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(options);
        // Limits that any machine grants. What a container prints is not for the machine's journal.
        command.args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--log-driver=k8s-file"]);
        command.args(["--network=none", image]).args(arguments);
        command.output().expect("it runs")
    }

    /// Starts a container in the background.
    #[track_caller]
    fn start<'a>(&'a self, name: &'a str, options: &[&str], image: &str, arguments: &[&str]) -> Container<'a> {
        let options = [&["run", "--detach", "--name", name], options].concat();
        let output = self.run(&options, image, arguments);
        assert!(output.status.success(), "{}", text(&output));
        Container { podman: self, name }
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A container that was started. It is removed when this is dropped.
struct Container<'a> {
    podman: &'a Podman,
    name: &'a str,
}

impl Container<'_> {
    /// All that it has written.
    fn logs(&self) -> String {
        text(&self.podman.tell(&["logs", self.name])).trim().to_owned()
    }

    #[track_caller]
    fn says(&self, part: &str) {
        self.until(part, || self.logs().contains(part));
    }

    #[track_caller]
    fn until(&self, what: &str, is_it: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_it() {
            assert!(begun.elapsed() < PATIENCE, "not {what}\n{}", self.logs());
            sleep(Duration::from_millis(100));
        }
    }

    /// Its state, its exit code and how often it was started again: `exited 0 0`.
    fn state(&self) -> String {
        self.podman.inspect("{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", self.name)
    }

    /// Stops it as `docker stop` does, and returns how long that took.
    #[track_caller]
    fn stop(&self) -> Duration {
        let begun = Instant::now();
        self.podman.tell(&["stop", self.name]);
        begun.elapsed()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.podman.command(&["rm", "--force", "--time=0", self.name]).output();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

/// What the loader loads with it, and the loader.
fn libraries_of(program: &str) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("it is text");
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    paths.map(|path| Path::new(path).to_owned()).collect()
}

/// The options of `compose.yaml`, as those of `podman run`.
fn composed() -> Vec<String> {
    let documents = Yaml::load_from_str(COMPOSE).expect("it is YAML");
    let service = &documents[0]["services"]["http"];
    let word = |name: &str| service[name].as_str().unwrap_or_else(|| panic!("no {name}"));
    let seconds = word("stop_grace_period").strip_suffix('s').expect("seconds");
    let mut options = vec![format!("--restart={}", word("restart")), format!("--stop-timeout={seconds}")];
    for (name, value) in service["environment"].as_mapping().expect("variables") {
        options.push(format!("--env={}={}", name.as_str().expect("a name"), value.as_str().expect("text")));
    }
    for (name, option) in [("cap_drop", "--cap-drop"), ("security_opt", "--security-opt")] {
        for value in service[name].as_sequence().expect("a list") {
            options.push(format!("{option}={}", value.as_str().expect("text")));
        }
    }
    options.push(format!("--read-only={}", service["read_only"].as_bool().expect("true or false")));
    options.push(format!("--init={}", service["init"].as_bool().expect("true or false")));
    options
}

#[test]
fn a_stop_is_waited_for_as_long_as_the_file_says() {
    let Some(podman) = Podman::get() else { return };
    let options = composed();
    let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
    // Longer than it would be waited for without the file.
    options.push("--env=GRACEFUL_DRAIN=11s");
    let container = podman.start("composed", &options, "http", &[]);
    container.says("press Ctrl-C here while it waits");
    let took = container.stop();
    assert!(took > Duration::from_secs(11), "{took:?}");
    // It failed in nothing, and it is not started again.
    assert_eq!(container.state(), "exited 0 0");
    let logs = container.logs();
    assert!(
        logs.contains("graceful[http]: stopping: SIGTERM; serving for another 11 s, gone in 25 s at the latest"),
        "{logs}"
    );
    assert!(logs.contains("graceful[http]: stopped in "), "{logs}");
    assert!(!logs.contains("sends SIGKILL"), "what was set is no reason for a warning\n{logs}");
}

#[test]
fn the_stop_signal_of_the_image_is_what_it_gets() {
    let Some(podman) = Podman::get() else { return };
    let container = podman.start("sigint", &[], "http-sigint", &[]);
    container.says("press Ctrl-C here while it waits");
    container.stop();
    assert_eq!(container.state(), "exited 0 0");
    let logs = container.logs();
    assert!(logs.contains("graceful[http]: stopping: SIGINT; "), "{logs}");
}

#[test]
fn an_end_by_the_deadline_has_its_code_and_its_report() {
    let Some(podman) = Podman::get() else { return };
    let options = ["--env=GRACEFUL_STOP_TIMEOUT=2s", "--restart=on-failure:5"];
    let container = podman.start("late", &options, "managed", &["ignores"]);
    container.says("serving as 1");
    let took = container.stop();
    assert!(took < Duration::from_secs(6), "SIGKILL after 10 s would have ended it: {took:?}");
    // Who asks for a stop wants no restart, whatever the code is.
    assert_eq!(container.state(), "exited 124 0");
    let logs = container.logs();
    assert!(logs.ends_with(REPORTED), "{logs}");
}

/// Without a limit of its own that is shorter, a process loses its report: the lines that it wrote in time remain.
#[test]
fn a_kill_before_the_deadline_leaves_what_was_said_until_then() {
    let Some(podman) = Podman::get() else { return };
    let container = podman.start("killed", &["--stop-timeout=3"], "managed", &["ignores"]);
    container.says("serving as 1");
    container.stop();
    assert_eq!(container.state(), "exited 137 0");
    let logs = container.logs();
    assert!(logs.contains("graceful: stopping: SIGTERM; gone in 10 s at the latest"), "{logs}");
    assert!(logs.ends_with("graceful: still waiting for: ignorant (2 s)"), "{logs}");
}

#[test]
fn a_budget_that_podman_does_not_grant_is_said_at_the_start() {
    let Some(podman) = Podman::get() else { return };
    let warning = "graceful: Podman sends SIGKILL 10 s after it has asked for the stop unless --stop-timeout says \
                   otherwise, and stop_timeout is 25 s: set --stop-timeout, or set GRACEFUL_STOP_TIMEOUT to less than 10 s";
    for (name, options, is_said) in [("warned", &[][..], true), ("short", &["--env=GRACEFUL_STOP_TIMEOUT=9s"], false)] {
        let container = podman.start(name, options, "minimal", &[]);
        container.says("a round is done");
        let logs = container.logs();
        assert_eq!(logs.contains(warning), is_said, "{logs}");
    }
}

/// Nomad's own way, without Docker: SIGINT, SIGKILL 5 s later, and a variable that tells so.
#[test]
fn a_stop_as_nomad_asks_for_it_is_a_stop() {
    let Some(podman) = Podman::get() else { return };
    let options = ["--stop-signal=SIGINT", "--stop-timeout=5", "--env=NOMAD_ALLOC_ID=5ca1ab1e"];
    let container = podman.start("nomad", &options, "minimal", &[]);
    container
        .says("graceful: Nomad sends SIGKILL 5 s after it has asked for the stop unless kill_timeout says otherwise");
    container.stop();
    assert_eq!(container.state(), "exited 0 0");
    let logs = container.logs();
    assert!(logs.contains("graceful: stopping: SIGINT; gone in 25 s at the latest"), "{logs}");
}

#[test]
fn a_loop_of_restarts_is_given_up() {
    let Some(podman) = Podman::get() else { return };
    let container = podman.start("loop", &["--restart=on-failure:3"], "managed", &["fails"]);
    container.until("given up", || container.state() == "exited 1 3");
    // It would have been started again by now.
    sleep(Duration::from_secs(1));
    assert_eq!(container.state(), "exited 1 3");
    let logs = container.logs();
    assert_eq!(logs.matches("serving as 1").count(), 4, "{logs}");
    assert_eq!(logs.matches("graceful: exit code 1: worker `broken` failed: Broken").count(), 4, "{logs}");
}
