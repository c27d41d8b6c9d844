//! How a service ends.

use std::thread::sleep;
use std::time::Duration;

use crate::host::{Host, Unit};
use crate::table::Row;

pub(crate) const ROWS: &[Row] = &[
    Row { claim: "a stop takes as long as its budget, whatever TimeoutStopSec= says, and is 124", run: deadline },
    Row { claim: "the status says for whom a stop waits, and how much time is left", run: status },
    Row { claim: "systemctl kill -s: each signal means what it does anywhere", run: signals },
    Row { claim: "with reraise a stop is a death by the signal, a clean one with SuccessExitStatus=", run: reraise },
    Row { claim: "a worker that fails starts the unit of OnFailure=", run: on_failure },
    Row { claim: "Restart=on-failure restarts it, until StartLimitBurst= ends the loop", run: restart },
    Row { claim: "RestartForceExitStatus=124 restarts it after a deadline", run: restart_after_124 },
    Row { claim: "RuntimeMaxSec= is a stop in good order", run: runtime_max },
    Row { claim: "KillMode=mixed: it is told alone, and what it left is killed", run: mixed },
    Row { claim: "KillMode=control-group: what it has started is told as well", run: control_group },
    Row { claim: "KillMode=process: what it has started lives on, but for its workers", run: process },
    Row { claim: "a service that is frozen for longer than its budget ends in good order all the same", run: frozen },
];

fn deadline(host: &Host) {
    let lines = ["Environment=GRACEFUL_STOP_TIMEOUT=2s", "TimeoutStopSec=500ms"];
    let unit = host.service("deadline", "ignores", &lines);
    unit.start();
    let took = unit.stop();
    unit.ended("exit-code", 124);
    assert!((1.5..4.0).contains(&took.as_secs_f64()), "{took:?}");
    unit.said("still waiting for: ignorant (1 s)", 4);
    // Each line of the report is an error.
    unit.said("ignorant (tests/children/managed.rs:", 3);
    unit.said("exit code 124: out of time", 3);
}

fn status(host: &Host) {
    let unit = host.service("status", "lingers", &[]);
    unit.start();
    unit.begin_stop();
    unit.until("StatusText", |status| {
        let left = status.strip_prefix("stopping: SIGTERM; still waiting for: linger (1 s); gone in ");
        left.is_some_and(|left| left.ends_with(" s at the latest"))
    });
    unit.until_it_is("inactive");
    unit.ended_well();
}

fn signals(host: &Host) {
    let unit = host.service("told", "serves", &[]);
    unit.start();
    unit.signal("TERM");
    unit.until_it_is("inactive");
    unit.ended_well();

    let unit = host.service("asked", "dump lingers", &[]);
    unit.start();
    unit.signal("USR1");
    unit.says("ready, up ");
    unit.said("ready, up ", 6);
    unit.is(&[("ActiveState", "active")]);
    unit.signal("INT");
    unit.says("stopping: SIGINT");
    // What comes within 100 ms is the same one.
    sleep(Duration::from_millis(150));
    unit.signal("INT");
    unit.until_it_is("failed");
    unit.ended("exit-code", 130);
}

fn reraise(host: &Host) {
    let unit = host.service("reraise", "reraise serves", &[]);
    unit.start();
    unit.stop();
    // Killed, by SIGTERM, which systemd takes for a success.
    unit.is(&[("Result", "success"), ("ExecMainCode", "2"), ("ExecMainStatus", "15")]);
    for (name, line, result) in
        [("reraise-user1", "", "signal"), ("reraise-user1-well", "SuccessExitStatus=SIGUSR1", "success")]
    {
        let unit = host.service(name, "reraise user1 serves", &["KillSignal=SIGUSR1", line]);
        unit.start();
        unit.stop();
        unit.is(&[("Result", result), ("ExecMainCode", "2"), ("ExecMainStatus", "10")]);
    }
}

fn on_failure(host: &Host) {
    host.write(
        "rescue.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    );
    let unit = host.service_with("broken", "OnFailure=rescue.service", "fails", &[]);
    unit.start();
    unit.until_it_is("failed");
    unit.ended("exit-code", 1);
    unit.said("worker `broken` failed: Broken", 3);
    host.unit("rescue.service").until_it_is("active");
}

fn restart(host: &Host) {
    let limits = "StartLimitIntervalSec=60\nStartLimitBurst=3";
    let unit = host.service_with("loop", limits, "fails", &["Restart=on-failure", "RestartSec=100ms"]);
    unit.start();
    unit.until_it_is("failed");
    unit.is(&[("NRestarts", "3"), ("ExecMainStatus", "1")]);
    let ended = unit.journal().iter().filter(|entry| entry.text.contains("exit code 1: ")).count();
    assert_eq!(ended, 3);
}

fn restart_after_124(host: &Host) {
    let lines =
        ["Restart=no", "RestartForceExitStatus=124", "RestartSec=100ms", "Environment=GRACEFUL_STOP_TIMEOUT=1s"];
    let unit = host.service("again", "ignores", &lines);
    unit.start();
    unit.signal("TERM");
    unit.until("NRestarts", |times| times == "1");
    unit.until_it_is("active");
    unit.said("exit code 124: out of time", 3);
}

fn runtime_max(host: &Host) {
    let unit = host.service("limited", "serves", &["RuntimeMaxSec=1"]);
    unit.start();
    unit.until_it_is("failed");
    unit.ended("timeout", 0);
    unit.said("stopping: SIGTERM", 6);
}

/// A service and the process that it has started, after its stop.
fn with_a_child<'a>(host: &'a Host, name: &str, mode: &str, kill_mode: &str) -> Unit<'a> {
    let unit = host.service(name, mode, &[&format!("KillMode={kill_mode}")]);
    unit.start();
    unit.says("the child is up");
    unit.stop();
    unit.ended_well();
    unit
}

fn mixed(host: &Host) {
    let unit = with_a_child(host, "mixed", "spawns", "mixed");
    assert!(!unit.has_said("the child is told"));
    assert_eq!(host.processes_of(&unit), 0);
}

fn control_group(host: &Host) {
    let unit = with_a_child(host, "control-group", "spawns", "control-group");
    unit.says("the child is told");
    assert_eq!(host.processes_of(&unit), 0);
}

fn process(host: &Host) {
    let unit = with_a_child(host, "process", "spawns", "process");
    assert_ne!(host.processes_of(&unit), 0);
    assert!(!unit.has_said("the child is told"));
    // A worker that is a process is told, and waited for, by the service itself.
    let unit = with_a_child(host, "process-of-a-worker", "has_a_child", "process");
    assert_eq!(host.processes_of(&unit), 0);
    unit.said("the child is told", 6);
}

fn frozen(host: &Host) {
    let unit = host.service("frozen", "lingers", &["Environment=GRACEFUL_STOP_TIMEOUT=2s"]);
    unit.start();
    unit.begin_stop();
    unit.says("stopping: SIGTERM");
    // As `systemctl freeze` does it, which needs D-Bus. The budget passes meanwhile.
    host.freeze(&unit, true);
    sleep(Duration::from_secs(3));
    host.freeze(&unit, false);
    unit.until("ActiveState", |state| state != "deactivating");
    unit.ended_well();
    unit.said("the process stood still for at least ", 4);
}
