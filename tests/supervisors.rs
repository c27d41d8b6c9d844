//! Services under other supervisors than systemd, with the files of `examples/deploy/`: how they are stopped, what an end by
//! the deadline is there, and how a loop of restarts ends.
#![cfg(unix)]

use std::env::temp_dir;
use std::fs;
use std::io::{ErrorKind, Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use graceful_tests::Child;

const HTTP: &str = env!("CARGO_BIN_EXE_example-http");
const MANAGED: &str = env!("CARGO_BIN_EXE_managed");

/// Where the files of the examples have the program.
const INSTALLED: &str = "/usr/local/bin/http";

/// The last line of the report.
const REPORTED: &str = "graceful: exit code 124: out of time, still running: ignorant";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of the test's own. Removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a socket is.
        let path = temp_dir().join(format!("graceful-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file can be written");
    }

    /// A copy of a folder of `examples/deploy/`, that runs this command instead.
    fn copy(&self, example: &str, command: &str) {
        let files = fs::read_dir(deploy().join(example)).expect("the example is there");
        for file in files {
            let file = file.expect("it can be listed").path();
            let own = self.0.join(file.file_name().expect("a name"));
            fs::copy(&file, &own).expect("it can be copied");
            let text = fs::read_to_string(&own).expect("it is text");
            // The permissions stay.
            fs::write(&own, text.replace(INSTALLED, command)).expect("it can be written");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/deploy")
}

/// Whether this supervisor is installed. If not, that is printed.
fn is_here(program: &str, package: &str) -> bool {
    match Command::new(program).arg("-h").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Bypasses the capture of output: a skipped test must not look like a success.
            let _ = writeln!(stderr(), "\n*** SKIPPED: {program}. Debian has it in the package {package} ***\n");
            false
        }
        _ => true,
    }
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().expect("it runs");
    let text = [&*output.stdout, &*output.stderr].concat();
    (output, String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn until(what: &str, is_it: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_it() {
        assert!(begun.elapsed() < PATIENCE, "not {what}");
        sleep(Duration::from_millis(30));
    }
}

/// How many lines say that the service has started.
fn starts(text: &str) -> usize {
    text.lines().filter(|line| line.contains("serving as ")).count()
}

// ----- supervisord -----

struct Supervisord {
    child: Child,
    folder: Folder,
}

impl Supervisord {
    /// Runs the example's program section with this command.
    fn start(command: &str) -> Self {
        let folder = Folder::new();
        let at = folder.0.display();
        let program = fs::read_to_string(deploy().join("supervisor.conf")).expect("the example is there");
        let program = program.replace(INSTALLED, command).replace("/var/log/http.log", &format!("{at}/http.log"));
        folder.write("program.conf", &program);
        let conf = format!(
            "[supervisord]\nnodaemon=true\nlogfile={at}/supervisord.log\npidfile={at}/pid\nchildlogdir={at}\n\
             [unix_http_server]\nfile={at}/socket\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\nserverurl=unix://{at}/socket\n\
             [include]\nfiles={at}/program.conf\n"
        );
        folder.write("supervisord.conf", &conf);
        let mut command = Command::new("supervisord");
        command.arg("-c").arg(folder.0.join("supervisord.conf")).env("GRACEFUL_STOP_TIMEOUT", "2s");
        let mut child = Child::start(&mut command);
        child.be_patient(PATIENCE);
        Self { child, folder }
    }

    fn tell(&self, arguments: &[&str]) -> String {
        let conf = self.folder.0.join("supervisord.conf");
        run(Command::new("supervisorctl").arg("-c").arg(conf).args(arguments)).1
    }

    /// Its state, such as RUNNING.
    fn state(&self) -> String {
        self.tell(&["status", "http"]).split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.0.join(name)).unwrap_or_default()
    }
}

#[test]
fn supervisord_waits_for_a_stop() {
    if !is_here("supervisord", "supervisor") {
        return;
    }
    let supervisor = Supervisord::start(&format!("{HTTP} 0"));
    until("running", || supervisor.state() == "RUNNING");
    assert_eq!(supervisor.tell(&["stop", "http"]), "http: stopped\n");
    assert!(supervisor.read("supervisord.log").contains("stopped: http (exit status 0)"), "{}", supervisor.child);
    assert!(supervisor.read("http.log").contains("graceful[http]: stopped in "));
    // Its own end is a stop of its services as well.
    supervisor.tell(&["start", "http"]);
    until("running again", || supervisor.state() == "RUNNING");
    supervisor.child.terminate();
    let folder = supervisor.folder;
    supervisor.child.end().assert_code(0);
    let log = fs::read_to_string(folder.0.join("supervisord.log")).expect("it has a log");
    assert_eq!(log.matches("stopped: http (exit status 0)").count(), 2, "{log}");
}

#[test]
fn supervisord_tells_an_end_by_the_deadline_from_a_good_one() {
    if !is_here("supervisord", "supervisor") {
        return;
    }
    let supervisor = Supervisord::start(&format!("{MANAGED} ignores"));
    until("running", || supervisor.state() == "RUNNING");
    assert_eq!(supervisor.tell(&["stop", "http"]), "http: stopped\n");
    let log = supervisor.read("supervisord.log");
    assert!(log.contains("stopped: http (exit status 124)"), "{log}");
    assert!(supervisor.read("http.log").ends_with(&format!("{REPORTED}\n")), "{}", supervisor.read("http.log"));
    // A stop that nobody has asked supervisord for is an end that it does not expect.
    supervisor.tell(&["start", "http"]);
    until("running again", || supervisor.state() == "RUNNING");
    supervisor.tell(&["signal", "TERM", "http"]);
    until("started again", || starts(&supervisor.read("http.log")) == 3);
    assert!(supervisor.read("supervisord.log").contains("exited: http (exit status 124; not expected)"));
    supervisor.child.terminate();
    supervisor.child.end();
}

#[test]
fn supervisord_gives_up_a_loop_of_restarts() {
    if !is_here("supervisord", "supervisor") {
        return;
    }
    let supervisor = Supervisord::start(&format!("{MANAGED} fails"));
    until("given up", || supervisor.state() == "FATAL");
    // The first, and startretries=3; on a busy machine one may have lasted for startsecs=1, which begins anew.
    let log = supervisor.read("supervisord.log");
    assert!(log.matches("spawned: 'http'").count() >= 4, "{log}");
    assert!(log.contains("exited: http (exit status 1; not expected)"), "{log}");
    assert!(supervisor.read("http.log").contains("worker `broken` failed: Broken"), "{}", supervisor.read("http.log"));
    supervisor.child.terminate();
    supervisor.child.end();
}

// ----- runit and s6: a supervisor for each service -----

/// A service, and the process that supervises it.
struct Supervised {
    child: Child,
    folder: Folder,
}

impl Supervised {
    /// Runs the service of this example's folder with another command, in this environment.
    fn start(supervisor: &str, example: &str, command: &str, environment: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        folder.copy(example, command);
        let mut command = Command::new(supervisor);
        command.arg(&folder.0).env("GRACEFUL_STOP_TIMEOUT", "2s").envs(environment.iter().copied());
        let mut child = Child::start(&mut command);
        child.be_patient(PATIENCE);
        Self { child, folder }
    }

    fn tell(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let (output, text) = run(Command::new(program).args(arguments).arg(&self.folder.0));
        (output.status.success(), text)
    }

    /// Its supervisor is told to stop, and has ended the service in good order.
    fn end(self) -> graceful_tests::End {
        self.child.terminate();
        self.child.end()
    }
}

#[test]
fn runit_waits_for_a_stop() {
    if !is_here("runsv", "runit") {
        return;
    }
    let service = Supervised::start("runsv", "runit", &format!("{HTTP} 0"), &[]);
    service.child.prints_part("listening on ");
    let (is_down, text) = service.tell("sv", &["-w", "25", "force-stop"]);
    assert!(is_down && text.starts_with("ok: down: "), "{text}");
    service.child.prints("http ended: code 0, signal 0");
    service.child.prints_part("graceful[http]: stopped in ");
    // Its own end is a stop of the service as well.
    service.tell("sv", &["up"]);
    until("up again", || service.child.to_string().matches("listening on ").count() == 2);
    let end = service.end();
    assert_eq!(end.printed().iter().filter(|line| **line == "http ended: code 0, signal 0").count(), 2, "{end}");
}

#[test]
fn runit_tells_an_end_by_the_deadline_from_a_good_one() {
    if !is_here("runsv", "runit") {
        return;
    }
    let service = Supervised::start("runsv", "runit", &format!("{MANAGED} ignores"), &[]);
    service.child.prints_part("serving as ");
    let (is_down, text) = service.tell("sv", &["-w", "25", "force-stop"]);
    assert!(is_down && text.starts_with("ok: down: "), "{text}");
    service.child.prints(REPORTED);
    service.child.prints("http ended: code 124, signal 0");
    service.end();
}

#[test]
fn runit_starts_again_what_fails_but_not_what_is_misconfigured() {
    if !is_here("runsv", "runit") {
        return;
    }
    let service = Supervised::start("runsv", "runit", &format!("{MANAGED} fails"), &[]);
    until("started three times", || starts(&service.child.to_string()) >= 3);
    service.child.prints("http ended: code 1, signal 0");
    service.end();

    let service = Supervised::start("runsv", "runit", &format!("{MANAGED} serves"), &[("GRACEFUL_DRAIN", "soon")]);
    service.child.prints("http ended: code 2, signal 0");
    until("down", || service.tell("sv", &["status"]).1.starts_with("down: "));
    // It would have been started again by now.
    sleep(Duration::from_millis(1500));
    let end = service.end();
    assert_eq!(end.printed().iter().filter(|line| line.starts_with("http ended")).count(), 1, "{end}");
}

#[test]
fn s6_waits_for_a_stop() {
    if !is_here("s6-supervise", "s6") {
        return;
    }
    let service = Supervised::start("s6-supervise", "s6", &format!("{HTTP} 0"), &[]);
    service.child.prints_part("listening on ");
    assert!(service.tell("s6-svc", &["-wD", "-T", "30000", "-d"]).0);
    service.child.prints("http ended: code 0, signal 0");
    service.child.prints_part("graceful[http]: stopped in ");
    assert_eq!(service.tell("s6-svstat", &["-o", "up,exitcode"]).1, "false 0\n");
    // Its own end is a stop of the service as well.
    service.tell("s6-svc", &["-u"]);
    until("up again", || service.child.to_string().matches("listening on ").count() == 2);
    let end = service.end();
    assert_eq!(end.printed().iter().filter(|line| **line == "http ended: code 0, signal 0").count(), 2, "{end}");
}

#[test]
fn s6_tells_an_end_by_the_deadline_from_a_good_one() {
    if !is_here("s6-supervise", "s6") {
        return;
    }
    let service = Supervised::start("s6-supervise", "s6", &format!("{MANAGED} ignores"), &[]);
    service.child.prints_part("serving as ");
    assert!(service.tell("s6-svc", &["-wD", "-T", "30000", "-d"]).0);
    service.child.prints(REPORTED);
    assert_eq!(service.tell("s6-svstat", &["-o", "up,exitcode"]).1, "false 124\n");
    service.end();
}

#[test]
fn s6_gives_up_a_loop_of_restarts_and_what_is_misconfigured() {
    if !is_here("s6-supervise", "s6") {
        return;
    }
    let service = Supervised::start("s6-supervise", "s6", &format!("{MANAGED} fails"), &[]);
    let is_given_up = |service: &Supervised| service.tell("s6-svstat", &["-o", "up,wantedup"]).1 == "false false\n";
    until("given up", || is_given_up(&service));
    let end = service.end();
    assert_eq!(end.printed().iter().filter(|line| **line == "http ended: code 1, signal 0").count(), 5, "{end}");

    let service = Supervised::start("s6-supervise", "s6", &format!("{MANAGED} serves"), &[("GRACEFUL_DRAIN", "soon")]);
    service.child.prints("http ended: code 2, signal 0");
    until("given up", || is_given_up(&service));
    service.end();
}
