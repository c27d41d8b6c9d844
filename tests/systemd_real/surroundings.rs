//! Where and as whom a service runs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::host::{Host, MANAGED};
use crate::table::Row;

pub(crate) const ROWS: &[Row] = &[
    Row { claim: "DynamicUser=, ProtectSystem=strict and the other walls change nothing", run: sandboxed },
    Row { claim: "a scope of systemd-run, which notifies nobody, stops like a service", run: scope },
    Row { claim: "two instances of a template stop each for itself", run: instances },
];

fn sandboxed(host: &Host) {
    let lines = [
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "ProtectProc=invisible",
        "ProcSubset=pid",
        "PrivateDevices=yes",
        "PrivateUsers=yes",
        "PrivateNetwork=yes",
        "NoNewPrivileges=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_UNIX",
        "RestrictNamespaces=yes",
        "LockPersonality=yes",
        "CapabilityBoundingSet=",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "WatchdogSec=1",
    ];
    let unit = host.service("sandboxed", "dump lingers", &lines);
    unit.start();
    assert!(unit.show("UID").parse().is_ok_and(|uid: u32| uid >= 61184), "it runs as {}", unit.show("UID"));
    unit.signal("USR1");
    unit.says("ready, up ");
    unit.stop();
    unit.ended_well();
    unit.said("still waiting for: linger (1 s)", 4);
}

fn scope(host: &Host) {
    let mut command = host.command("systemd-run");
    let mut child = command
        .args(["--scope", "--quiet", "--unit=scoped", MANAGED, "serves"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("systemd-run starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    assert!(first.starts_with("serving as "), "{first}");
    host.systemctl(&["stop", "scoped.scope"]);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("graceful: stopping: SIGTERM; gone in 10 s at the latest\n"), "{said}");
    assert!(!said.contains("systemd"), "{said}");
}

fn instances(host: &Host) {
    host.service("pair@", "name=%i serves", &[]);
    let [first, second] = ["first", "second"].map(|instance| host.unit(&format!("pair@{instance}.service")));
    first.start();
    second.start();
    first.stop();
    first.ended_well();
    second.is(&[("ActiveState", "active")]);
    first.said("graceful[first]: stopping: SIGTERM", 6);
    assert!(!second.has_said("stopping"));
    second.stop();
    second.ended_well();
}
