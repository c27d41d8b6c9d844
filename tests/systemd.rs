//! What systemd receives on its socket, which the test provides.
#![cfg(unix)]

use std::env::temp_dir;
use std::ffi::{OsStr, OsString};
use std::fs::{File, read_to_string, remove_file};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::{Child, FLAVOURS, Signal};

const NOTIFIES: &str = env!("CARGO_BIN_EXE_notifies");

/// The child's own budget.
const BUDGET: Duration = Duration::from_secs(3);

/// The delay that a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

/// The socket, and what arrived on it.
struct Systemd {
    /// What `NOTIFY_SOCKET` says.
    name: OsString,
    heard: Receiver<(String, Instant)>,
}

impl Systemd {
    fn new() -> Self {
        let (path, socket) = bind();
        Self::on(path.into(), socket)
    }

    /// On a socket that has a name, and no file.
    #[cfg(target_os = "linux")]
    fn without_a_file() -> Self {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;

        let name = format!("graceful-{}/notify", process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket can be made");
        Self::on(format!("@{name}").into(), socket)
    }

    fn on(name: OsString, socket: UnixDatagram) -> Self {
        let (tell, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut text = [0; 1000];
            while let Ok(length) = socket.recv(&mut text) {
                let text = String::from_utf8_lossy(&text[..length]).into_owned();
                if tell.send((text, Instant::now())).is_err() {
                    break;
                }
            }
        });
        Self { name, heard }
    }

    fn start(&self, command: &mut Command) -> Child {
        Child::start(command.env("NOTIFY_SOCKET", &self.name))
    }

    fn next(&self) -> (String, Instant) {
        let next = self.heard.recv_timeout(Duration::from_secs(10));
        next.expect("systemd is told something")
    }

    /// The next message that is not a ping of the watchdog.
    #[track_caller]
    fn hears(&self, expected: &str) {
        loop {
            let (text, _) = self.next();
            if text != "WATCHDOG=1\n" {
                assert_eq!(text, expected);
                return;
            }
        }
    }

    /// The next message requests an extension, which this returns.
    fn hears_extension(&self) -> Duration {
        let (text, _) = self.next();
        let micros = text.strip_prefix("EXTEND_TIMEOUT_USEC=");
        let micros = micros.and_then(|micros| micros.trim_end().parse().ok());
        Duration::from_micros(micros.unwrap_or_else(|| panic!("no extension: {text}")))
    }

    fn is_fed(&self) -> Instant {
        loop {
            let (text, at) = self.next();
            if text == "WATCHDOG=1\n" {
                return at;
            }
        }
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = remove_file(&self.name);
    }
}

fn bind() -> (PathBuf, UnixDatagram) {
    static SOCKETS: AtomicU32 = AtomicU32::new(0);
    let number = SOCKETS.fetch_add(1, Ordering::Relaxed);
    let path = temp_dir().join(format!("graceful-{}-{number}.sock", process::id()));
    let _ = remove_file(&path);
    let socket = UnixDatagram::bind(&path).expect("a socket can be made");
    (path, socket)
}

#[test]
fn it_hears_of_each_state() {
    let systemd = Systemd::new();
    let mut child = systemd.start(Command::new(NOTIFIES).args(["multi_thread", "serves"]).env("GRACEFUL_DRAIN", "1s"));
    systemd.hears("STATUS=starting\n");
    child.prints("main entered");
    child.tell("be ready");
    systemd.hears("READY=1\n");
    systemd.hears("STATUS=ready\n");
    child.terminate();
    systemd.hears("STOPPING=1\nSTATUS=draining: SIGTERM\n");
    // A service that is busy until the very end of its budget is not killed a moment before.
    let more = systemd.hears_extension();
    assert!((BUDGET..BUDGET + SLACK).contains(&more), "{more:?}");
    child.end().assert_code(0);
    // It may have been stopping for too short a time to send that.
    while systemd.next().0 != "STATUS=stopped: SIGTERM\n" {}
}

/// Without `READY=1`, systemd would take it for a failure.
#[test]
fn a_service_that_is_gone_at_once_has_said_that_it_was_ready() {
    for flavour in FLAVOURS {
        let systemd = Systemd::new();
        let child = systemd.start(Command::new(NOTIFIES).args([flavour, "ends"]).env("WATCHDOG_USEC", "200000"));
        let end = child.end();
        end.assert_code(0);
        end.assert_silent_about("untracked");
        while systemd.next().0 != "READY=1\n" {}
        while !systemd.next().0.ends_with("STATUS=stopped: main ended\n") {}
    }
}

#[test]
fn the_watchdog_is_fed_as_long_as_tasks_are_run() {
    for flavour in FLAVOURS {
        let systemd = Systemd::new();
        let child = systemd.start(Command::new(NOTIFIES).args([flavour, "blocks"]).env("WATCHDOG_USEC", "200000"));
        let blocked = child.prints("blocked");
        // One answer may have been on its way.
        let mut last = blocked;
        let mut longest = Duration::ZERO;
        while last < blocked + Duration::from_secs(2) {
            let next = systemd.is_fed();
            longest = longest.max(next - last);
            last = next;
        }
        assert!(longest >= Duration::from_millis(1200), "{longest:?}");
        child.prints("free");
        child.terminate();
        child.end().assert_code(0);
    }
}

/// What hangs is ended by the deadline, which leaves a report; systemd's abort would not.
#[test]
fn in_a_stop_the_watchdog_is_fed_whatever_hangs() {
    for flavour in FLAVOURS {
        let systemd = Systemd::new();
        let child = systemd.start(Command::new(NOTIFIES).args([flavour, "hangs"]).env("WATCHDOG_USEC", "200000"));
        child.prints("ready");
        let asked = child.terminate();
        child.prints("blocked");
        while systemd.next().0 != "STOPPING=1\nSTATUS=stopping: SIGTERM\n" {}
        while systemd.is_fed() < asked + BUDGET / 2 {}
        let end = child.end();
        end.assert_code(124);
        end.assert_gone_between(asked, BUDGET / 2, BUDGET + SLACK);
    }
}

#[test]
fn a_watchdog_that_is_another_process_s_is_not_fed() {
    let systemd = Systemd::new();
    let child = systemd.start(
        Command::new(NOTIFIES).args(["multi_thread", "ends"]).env("WATCHDOG_USEC", "200000").env("WATCHDOG_PID", "1"),
    );
    child.end().assert_code(0);
    assert!(systemd.heard.try_iter().all(|(text, _)| !text.contains("WATCHDOG")));
}

/// What `systemctl status` shows of a stop that takes its time.
#[test]
fn it_hears_for_whom_a_stop_waits_and_for_how_long() {
    let systemd = Systemd::new();
    let child = systemd.start(Command::new(NOTIFIES).args(["multi_thread", "lingers"]));
    child.prints("ready");
    child.terminate();
    let status = loop {
        let (text, _) = systemd.next();
        if text.contains("still waiting") {
            break text;
        }
    };
    let end = child.end();
    end.assert_code(0);
    let line = "still waiting for: linger (1 s)";
    end.assert_said(line);
    // A busy machine may have taken a moment.
    let left = status.strip_prefix(&format!("STATUS=stopping: SIGTERM; {line}; gone in "));
    let left = left.and_then(|left| left.strip_suffix(" s at the latest\n")).and_then(|left| left.parse::<f64>().ok());
    assert!(left.is_some_and(|left| (1.0..=2.0).contains(&left)), "{status}");
}

#[test]
fn who_keeps_the_watchdog_from_being_fed_is_said_before_systemd_acts() {
    for (flavour, mode, who) in [
        ("multi_thread", "crunches", "worker crunch (tests/children/notifies.rs:"),
        ("current_thread", "crunches", "worker crunch (tests/children/notifies.rs:"),
        ("multi_thread", "blocks", "the runtime has run no task for "),
    ] {
        let systemd = Systemd::new();
        let child = systemd.start(Command::new(NOTIFIES).args([flavour, mode]).env("WATCHDOG_USEC", "800000"));
        let blocked = child.prints("blocked");
        let said = child.says("the watchdog is not fed; systemd ends the process in ");
        // It was last fed before it was blocked.
        assert!(said - blocked < Duration::from_millis(800), "{child}");
        child.prints("free");
        child.terminate();
        let end = child.end();
        end.assert_code(0);
        let about: Vec<_> = end.stderr.iter().filter(|line| line.text.contains("not fed")).collect();
        assert_eq!(about.len(), 1, "{end}");
        assert!(about[0].text.contains(who), "{end}");
        let thread = if flavour == "current_thread" { "main" } else { "tokio-rt-worker" };
        let is_named = about[0].text.contains(&format!(" has blocked thread `{thread}` for "));
        assert_eq!(is_named, mode == "crunches", "{end}");
    }
}

/// A reload that systemd has asked for by a signal: it compares the moment with its own.
#[test]
#[cfg(target_os = "linux")]
fn it_hears_when_a_reload_begins_and_when_it_is_done() {
    use nix::time::{ClockId, clock_gettime};

    let now = || {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is such a clock");
        Duration::from(now).as_micros()
    };
    let systemd = Systemd::new();
    let mut child = systemd.start(Command::new(NOTIFIES).args(["multi_thread", "reloads"]));
    child.prints("ready");
    while systemd.next().0 != "STATUS=ready\n" {}
    let begins = |child: &Child| {
        let asked = now();
        child.send(Signal::SIGHUP);
        child.prints("reloading");
        let (text, _) = systemd.next();
        let at =
            text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|at| at.strip_suffix("\nSTATUS=reloading\n"));
        let at = at.and_then(|at| at.parse().ok());
        assert!(at.is_some_and(|at| (asked..=now()).contains(&at)), "{text}");
    };
    begins(&child);
    assert_eq!(systemd.heard.try_recv().ok(), None, "it is not done");
    child.tell("done");
    systemd.hears("READY=1\nSTATUS=ready\n");
    begins(&child);
    // The stream is dropped.
    child.tell("stop listening");
    systemd.hears("READY=1\nSTATUS=ready\n");
    // Nobody listens: there is nothing to be done, which systemd hears as well.
    child.send(Signal::SIGHUP);
    assert!(systemd.next().0.starts_with("RELOADING=1\n"));
    systemd.hears("READY=1\nSTATUS=ready\n");
    child.terminate();
    child.end().assert_code(0);
}

#[test]
fn it_is_asked_to_wait_for_a_slow_start_where_that_was_said() {
    let systemd = Systemd::new();
    let mut child = systemd.start(Command::new(NOTIFIES).args(["slow", "serves"]).env("GRACEFUL_DRAIN", "1s"));
    systemd.hears("STATUS=starting\n");
    assert_eq!(systemd.hears_extension(), Duration::from_secs(61));
    child.prints("main entered");
    child.tell("be ready");
    systemd.hears("READY=1\n");
    systemd.hears("STATUS=ready\n");
    child.terminate();
    systemd.hears("STOPPING=1\nSTATUS=draining: SIGTERM\n");
    // Not the extension of the start.
    assert!(systemd.hears_extension() < BUDGET + SLACK);
    child.end().assert_code(0);
}

/// A systemd that takes no message must not hold up a stop.
#[test]
fn a_systemd_that_does_not_listen_holds_up_nobody() {
    let (path, _full) = bind();
    let mut child = Child::start(
        Command::new(NOTIFIES).args(["multi_thread", "serves"]).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200"),
    );
    child.prints("main entered");
    // Its queue is full when another sender gets an error.
    let sender = UnixDatagram::unbound().expect("a socket can be made");
    sender.set_nonblocking(true).expect("it is a socket");
    while sender.send_to(b"", &path).is_ok() {}
    child.tell("be ready");
    child.prints("ready");
    let asked = child.terminate();
    let end = child.end();
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, SLACK);
    let _ = remove_file(path);
}

/// As in a container that shares the socket of its host.
#[test]
#[cfg(target_os = "linux")]
fn a_socket_without_a_file_is_one_as_well() {
    let systemd = Systemd::without_a_file();
    let child = systemd.start(Command::new(NOTIFIES).args(["multi_thread", "ends"]));
    while systemd.next().0 != "READY=1\n" {}
    let end = child.end();
    end.assert_code(0);
    end.assert_silent_about("could not notify");
}

#[test]
fn a_socket_that_does_not_work_is_one_line() {
    for (socket, why) in [
        ("/nonexistent/notify", "No such file or directory"),
        ("@graceful/nobody-listens-here", if cfg!(target_os = "linux") { "Connection refused" } else { "neither" }),
        ("vsock:2:1234", "neither a path nor @ and a name"),
    ] {
        let child = Child::start(
            Command::new(NOTIFIES).args(["multi_thread", "ends"]).env("NOTIFY_SOCKET", OsStr::new(socket)),
        );
        let end = child.end();
        end.assert_code(0);
        let about = |line: &&graceful_tests::Line| line.text.contains("could not notify systemd");
        assert_eq!(end.stderr.iter().filter(about).count(), 1, "{end}");
        end.assert_said(&format!("could not notify systemd: NOTIFY_SOCKET={socket}: {why}"));
    }
}

/// A file stands in for the journal's stream: it has a device and an inode of its own.
#[test]
fn a_line_for_the_journal_begins_with_its_level() {
    let path = temp_dir().join(format!("graceful-{}-journal", process::id()));
    let run = |stream: Option<&File>, mode: &str| {
        let stderr = File::create(&path).expect("a file can be made");
        let mut command = Command::new(NOTIFIES);
        command.args(["multi_thread", mode]).env("NOTIFY_SOCKET", "nowhere");
        let stream = stream.unwrap_or(&stderr).metadata().expect("it is a file");
        command.env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino()));
        let child = Child::start_with(&mut command, stderr.into());
        if mode == "hangs" {
            child.prints("ready");
            child.terminate();
        }
        child.end();
        read_to_string(&path).expect("the file can be read")
    };
    let text = run(None, "ends");
    assert!(text.starts_with("<4>graceful: could not notify systemd"), "{text}");
    let text = run(None, "hangs");
    assert!(text.contains("\n<6>graceful: stopping: SIGTERM; gone in 3 s at the latest\n"), "{text}");
    let (_, report) = text.split_once("\n<3>graceful: ").expect("a report");
    assert!(report.lines().skip(1).all(|line| line.starts_with("<3>graceful: ")), "each line has its level: {text}");

    // Its standard error was redirected, and what the variable names is another file.
    let journal = File::create(path.with_extension("other")).expect("a file can be made");
    let text = run(Some(&journal), "ends");
    assert!(text.starts_with("graceful: could not notify systemd"), "{text}");
    let _ = remove_file(&path);
    let _ = remove_file(path.with_extension("other"));
}
