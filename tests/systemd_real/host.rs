//! A systemd of the tests' own: how it is booted, what it is told, and what it says of a unit.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(30);

/// Where the programs and the tests' folder are, seen from inside.
pub(crate) const MANAGED: &str = "/run/graceful/bin/managed";
pub(crate) const OUT: &str = "/run/graceful/out";

/// Which hierarchies of cgroups it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The one of today.
    Unified,
    /// The old ones beside it.
    Hybrid,
}

/// A systemd that runs. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) kind: Kind,
    pid: u32,
    script: Child,
    /// The folder that units see as [`OUT`].
    pub(crate) out: PathBuf,
}

impl Host {
    /// Boots it, or says why that is not possible here.
    pub(crate) fn boot(kind: Kind) -> Result<Self, String> {
        let programs = Path::new(env!("CARGO_BIN_EXE_managed")).parent().expect("a folder");
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("systemd-{}-{kind:?}", std::process::id()));
        fs::create_dir_all(&out).map_err(|error| error.to_string())?;
        let log = out.join("boot.log");
        let open = || fs::File::create(&log).map_err(|error| error.to_string());
        let word = if kind == Kind::Unified { "unified" } else { "hybrid" };
        // It ends with this process, and all that it has started ends with it.
        let mut script = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "bash"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd_real/boot.sh"))
            .arg(word)
            .args([programs, &out])
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(fs::OpenOptions::new().append(true).open(&log).map_err(|error| error.to_string())?)
            .spawn()
            .map_err(|error| format!("setpriv: {error}"))?;
        let begun = Instant::now();
        loop {
            if let Some(pid) = descendant(script.id(), "systemd")
                && is_up(pid)
            {
                return Ok(Self { kind, pid, script, out });
            }
            let is_over = script.try_wait().is_ok_and(|status| status.is_some());
            if is_over || begun.elapsed() > PATIENCE {
                let _ = script.kill();
                let _ = script.wait();
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("systemd does not come up: {}", log.trim()));
            }
            sleep(PAUSE);
        }
    }

    /// Runs a program beside it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid.to_string(), "-m", "-p", "-u", "-i", "-C", program]);
        command.stdin(Stdio::null()).env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM");
        command
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().expect("nsenter runs")
    }

    /// Has it do something, and returns what it prints.
    #[track_caller]
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> String {
        let output = self.output("systemctl", arguments);
        assert!(output.status.success(), "systemctl {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Whether it does that.
    pub(crate) fn tries(&self, arguments: &[&str]) -> bool {
        self.output("systemctl", arguments).status.success()
    }

    /// Its version, such as 252.
    pub(crate) fn version(&self) -> u32 {
        let first = self.systemctl(&["--version"]);
        first.split(' ').nth(1).and_then(|version| version.parse().ok()).expect("a version")
    }

    /// Whether it can limit the memory and the CPU of a unit.
    pub(crate) fn can_limit(&self) -> bool {
        let cgroup = PathBuf::from(format!("/proc/{}/root/sys/fs/cgroup", self.pid));
        let controllers = fs::read_to_string(cgroup.join("cgroup.controllers"));
        ["memory", "cpu"].iter().all(|name| match &controllers {
            Ok(controllers) => controllers.split_whitespace().any(|one| one == *name),
            Err(_) => cgroup.join(name).exists(),
        })
    }

    /// Gives it a file: a unit, or a part of one.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = PathBuf::from(format!("/proc/{}/root/run/systemd/system/{path}", self.pid));
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder of units can be written to");
        fs::write(path, text).expect("a unit can be written");
    }

    /// The service that runs `managed` with these arguments. `lines`: of the section `[Service]`.
    pub(crate) fn service(&self, name: &str, arguments: &str, lines: &[&str]) -> Unit<'_> {
        self.service_with(name, "", arguments, lines)
    }

    /// The same with lines of the section `[Unit]`.
    pub(crate) fn service_with(&self, name: &str, unit: &str, arguments: &str, lines: &[&str]) -> Unit<'_> {
        let lines = lines.join("\n");
        // A service that dies of a signal leaves no core file.
        let text = format!(
            "[Unit]\nDefaultDependencies=no\n{unit}\n[Service]\nType=notify\nLimitCORE=0\n\
             ExecStart={MANAGED} {arguments}\n{lines}\n"
        );
        let name = format!("{name}.service");
        self.write(&name, &text);
        // Of a template there are only instances.
        if name.contains('@') { Unit { host: self, name } } else { self.unit(&name) }
    }

    /// How many processes of a unit are there.
    pub(crate) fn processes_of(&self, unit: &Unit<'_>) -> usize {
        fs::read_to_string(self.cgroup(unit, "procs")).map_or(0, |pids| pids.lines().count())
    }

    /// How much CPU the main process of a unit has had, in ticks of 10 ms.
    pub(crate) fn cpu_of(&self, unit: &Unit<'_>) -> Duration {
        let stat = self.output("cat", &[&format!("/proc/{}/stat", unit.show("MainPID"))]);
        let stat = String::from_utf8_lossy(&stat.stdout);
        let (_, fields) = stat.rsplit_once(')').expect("the process is there");
        let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().expect("a number"));
        Duration::from_millis(10) * ticks.sum::<u32>()
    }

    /// Freezes the processes of a unit, or thaws them.
    pub(crate) fn freeze(&self, unit: &Unit<'_>, is_frozen: bool) {
        fs::write(self.cgroup(unit, "freeze"), u8::from(is_frozen).to_string()).expect("it has a cgroup");
    }

    fn cgroup(&self, unit: &Unit<'_>, file: &str) -> String {
        format!("/proc/{}/root/sys/fs/cgroup/system.slice/{}/cgroup.{file}", self.pid, unit.name)
    }

    /// A unit that is there. systemd forgets one that has ended, and how, unless another one names it.
    pub(crate) fn unit(&self, name: &str) -> Unit<'_> {
        let keeper = format!("keep-{}.target", name.replace('@', "-"));
        self.write(&keeper, &format!("[Unit]\nDefaultDependencies=no\nAfter={name}\n"));
        self.systemctl(&["start", &keeper]);
        Unit { host: self, name: name.to_owned() }
    }

    /// Has it stop everything and end.
    pub(crate) fn shut_down(&mut self) {
        self.systemctl(&["exit"]);
        let begun = Instant::now();
        while self.script.try_wait().expect("it can be waited for").is_none() {
            assert!(begun.elapsed() < PATIENCE, "systemd does not end");
            sleep(PAUSE);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if matches!(self.script.try_wait(), Ok(None)) {
            // Its namespaces, and all that is in them, go with it. The script tidies up then.
            let pid = nix::unistd::Pid::from_raw(self.pid.cast_signed());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            let _ = self.script.wait();
        }
        let _ = fs::remove_dir_all(&self.out);
    }
}

/// Whether this systemd has done all that it does at its start.
fn is_up(pid: u32) -> bool {
    let mut command = Command::new("nsenter");
    command.args(["-t", &pid.to_string(), "-m", "-p", "-u", "-i", "-C", "systemctl", "is-system-running"]);
    let state = command.stderr(Stdio::null()).output().map(|output| output.stdout).unwrap_or_default();
    ["running", "degraded"].contains(&String::from_utf8_lossy(&state).trim())
}

/// The process of this name that this one, or a child of it, has started.
fn descendant(of: u32, name: &str) -> Option<u32> {
    let children = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, rest) = stat.rsplit_once(')')?;
        let parent: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
        (parent == of).then(|| (pid, head.rsplit_once('(').map_or(String::new(), |(_, name)| name.to_owned())))
    });
    let children: Vec<_> = children.collect();
    children.into_iter().find_map(|(pid, own)| if own == name { Some(pid) } else { descendant(pid, name) })
}

/// A unit of a systemd.
#[derive(Debug)]
pub(crate) struct Unit<'a> {
    host: &'a Host,
    pub(crate) name: String,
}

/// A line of the journal.
#[derive(Debug)]
pub(crate) struct Entry {
    /// 3 is an error, 4 a warning, 6 information.
    pub(crate) priority: u8,
    pub(crate) text: String,
}

impl Unit<'_> {
    /// Starts it, and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&self) {
        assert!(self.host.tries(&["start", &self.name]), "it does not start{}", self.all());
    }

    /// Has it start, which fails.
    #[track_caller]
    pub(crate) fn start_in_vain(&self) {
        assert!(!self.host.tries(&["start", &self.name]), "it starts{}", self.all());
    }

    /// Has it start.
    pub(crate) fn begin_start(&self) {
        self.host.systemctl(&["start", "--no-block", &self.name]);
    }

    /// Stops it, and returns how long that took.
    #[track_caller]
    pub(crate) fn stop(&self) -> Duration {
        let begun = Instant::now();
        self.host.systemctl(&["stop", &self.name]);
        begun.elapsed()
    }

    /// Has it stop.
    pub(crate) fn begin_stop(&self) {
        self.host.systemctl(&["stop", "--no-block", &self.name]);
    }

    /// Sends its main process a signal.
    pub(crate) fn signal(&self, signal: &str) {
        self.host.systemctl(&["kill", "-s", signal, "--kill-who=main", &self.name]);
    }

    /// The value of a property.
    pub(crate) fn show(&self, property: &str) -> String {
        self.host.systemctl(&["show", "-P", property, &self.name])
    }

    /// Its properties have these values.
    #[track_caller]
    pub(crate) fn is(&self, properties: &[(&str, &str)]) {
        for (property, value) in properties {
            assert_eq!(self.show(property), *value, "{property}{}", self.all());
        }
    }

    /// Waits until a property is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, property: &str, is_it: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !is_it(&self.show(property)) {
            assert!(begun.elapsed() < PATIENCE, "{property} stays {:?}{}", self.show(property), self.all());
            sleep(PAUSE);
        }
    }

    /// Waits until it is `active`, `inactive`, `failed` and so on.
    #[track_caller]
    pub(crate) fn until_it_is(&self, state: &str) {
        self.until("ActiveState", |now| now == state);
    }

    /// It has ended in good order: it stopped and was not killed.
    #[track_caller]
    pub(crate) fn ended_well(&self) {
        self.ended("success", 0);
    }

    /// It has ended by itself, with this code.
    #[track_caller]
    pub(crate) fn ended(&self, result: &str, code: u8) {
        let code = code.to_string();
        self.is(&[("Result", result), ("ExecMainCode", "1"), ("ExecMainStatus", &code)]);
    }

    /// What its processes have written.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.host.output("journalctl", &["--sync"]);
        let of_unit = format!("_SYSTEMD_UNIT={}", self.name);
        let output = self.host.output("journalctl", &["--quiet", "--output=json", &of_unit]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let entry = |line: &str| {
            let entry: Value = serde_json::from_str(line).expect("it is JSON");
            let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            Entry { priority: field("PRIORITY").parse().expect("a number"), text: field("MESSAGE") }
        };
        lines.lines().map(entry).collect()
    }

    /// The line with this text, and what is left of the level that it began with: its priority.
    #[track_caller]
    pub(crate) fn said(&self, text: &str, priority: u8) -> String {
        let journal = self.journal();
        let entry = journal.iter().find(|entry| entry.text.contains(text));
        let entry = entry.unwrap_or_else(|| panic!("`{text}` was not said{}", self.all()));
        assert_eq!(entry.priority, priority, "{}{}", entry.text, self.all());
        entry.text.clone()
    }

    /// Waits until it is said.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        let begun = Instant::now();
        while !self.has_said(text) {
            assert!(begun.elapsed() < PATIENCE, "`{text}` is not said{}", self.all());
            sleep(PAUSE);
        }
    }

    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.journal().iter().any(|entry| entry.text.contains(text))
    }

    /// Everything about it, for the message of a failure.
    fn all(&self) -> String {
        let status = self.host.output("systemctl", &["status", "--no-pager", "--lines=0", &self.name]);
        let show = self.host.output(
            "systemctl",
            &["show", "-p", "Result,ExecMainCode,ExecMainStatus,NRestarts,StatusText", &self.name],
        );
        let text = [status.stdout, show.stdout].concat();
        let mut all = format!("\n{}", String::from_utf8_lossy(&text));
        for entry in self.journal() {
            let _ = writeln!(all, "  <{}> {}", entry.priority, entry.text);
        }
        all
    }
}
