//! How a service starts.

use std::time::Duration;

use crate::host::Host;
use crate::table::Row;

pub(crate) const ROWS: &[Row] = &[
    Row { claim: "a service is ready when it says so, has a status, and stops", run: from_start_to_stop },
    Row { claim: "a start that is slower than TimeoutStartSec= is told to stop, and does", run: slow },
    Row { claim: "with extend_start, a start may be slower than TimeoutStartSec=", run: slow_and_extended },
    Row { claim: "a stop during the start ends the start in good order", run: stopped_during_the_start },
    Row { claim: "a main that fails is a failed start", run: failing },
    Row { claim: "a wrong environment is 2, and its line is an error in the journal", run: misconfigured },
    Row { claim: "with LimitNOFILE= it starts, or says in a line why not", run: few_files },
    Row { claim: "a reload is one for systemd as well, from its beginning to its end", run: reload },
    Row { claim: "systemctl reload returns when a Type=notify-reload service is done", run: notify_reload },
];

fn from_start_to_stop(host: &Host) {
    let unit = host.service("plain", "name=plain serves", &[]);
    unit.start();
    unit.is(&[("ActiveState", "active"), ("StatusText", "ready")]);
    unit.stop();
    unit.ended_well();
    unit.is(&[("ActiveState", "inactive"), ("StatusText", "stopped: SIGTERM")]);
    // The journal has taken the levels from the lines.
    let line = unit.said("stopping: SIGTERM; gone in 10 s at the latest", 6);
    assert!(line.starts_with("graceful[plain]: "), "{line}");
    unit.said("stopped in ", 6);
}

fn slow(host: &Host) {
    let unit = host.service("slow", "starts_slowly", &["TimeoutStartSec=1"]);
    unit.start_in_vain();
    unit.is(&[("ActiveState", "failed")]);
    unit.ended("timeout", 0);
    unit.said("the start is given up", 6);
}

fn slow_and_extended(host: &Host) {
    let unit = host.service("extended", "extend starts_slowly", &["TimeoutStartSec=1"]);
    unit.start();
    unit.is(&[("ActiveState", "active"), ("StatusText", "ready")]);
    unit.stop();
    unit.ended_well();
}

fn stopped_during_the_start(host: &Host) {
    let unit = host.service("hasty", "starts_slowly", &[]);
    unit.begin_start();
    unit.until("StatusText", |status| status == "starting");
    unit.is(&[("ActiveState", "activating")]);
    let took = unit.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
    unit.ended_well();
    unit.said("the start is given up", 6);
}

fn failing(host: &Host) {
    let unit = host.service("failing", "fails_to_start", &[]);
    unit.start_in_vain();
    unit.ended("exit-code", 1);
    // Std writes that line, which knows no levels.
    unit.said("Error: Broken", 6);
}

fn misconfigured(host: &Host) {
    let unit = host.service("misconfigured", "serves", &["Environment=GRACEFUL_DRAIN=soon"]);
    unit.start_in_vain();
    unit.ended("exit-code", 2);
    unit.said("graceful: GRACEFUL_DRAIN=soon: ", 3);
}

fn few_files(host: &Host) {
    let unit = host.service("some-files", "serves", &["LimitNOFILE=32"]);
    unit.start();
    unit.stop();
    unit.ended_well();
    let unit = host.service("no-files", "serves", &["LimitNOFILE=6"]);
    unit.start_in_vain();
    unit.ended("exit-code", 2);
    unit.said("cannot start: ", 3);
}

fn reload(host: &Host) {
    let unit = host.service("reloads", "reloads", &["ExecReload=/bin/kill -HUP $MAINPID"]);
    unit.start();
    for _ in 0..2 {
        host.systemctl(&["reload", "--no-block", "reloads.service"]);
        unit.until("StatusText", |status| status == "reloading");
        unit.until_it_is("reloading");
        unit.until_it_is("active");
        unit.is(&[("StatusText", "ready")]);
    }
    unit.said("reloaded", 6);
    unit.stop();
    unit.ended_well();
}

fn notify_reload(host: &Host) {
    if host.version() < 253 {
        crate::table::skip_here(&format!("systemd {} has no Type=notify-reload, 253 has", host.version()));
    }
    let unit = host.service("notify-reload", "reloads", &["Type=notify-reload"]);
    unit.start();
    for times in 1..=2 {
        host.systemctl(&["reload", "notify-reload.service"]);
        let journal = unit.journal();
        let reloaded = journal.iter().filter(|entry| entry.text == "reloaded").count();
        assert_eq!(reloaded, times, "it has returned before the reload was done");
    }
    unit.stop();
    unit.ended_well();
}
