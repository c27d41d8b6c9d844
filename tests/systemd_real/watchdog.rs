//! Units with `WatchdogSec=`.

use std::thread::sleep;
use std::time::Duration;

use crate::host::Host;
use crate::table::Row;

pub(crate) const ROWS: &[Row] = &[
    Row {
        claim: "watchdog: who blocks the runtime is said, and a dump follows, before the process dies",
        run: blocked,
    },
    Row { claim: "watchdog: a service that does nothing is not ended", run: healthy },
    Row { claim: "watchdog: a stop that hangs is ended by its deadline, not by the watchdog", run: hanging },
];

fn blocked(host: &Host) {
    let unit = host.service("blocked", "dump one blocks", &["WatchdogSec=2"]);
    unit.start();
    unit.until_it_is("failed");
    // Killed, by SIGABRT: without a core file here.
    unit.is(&[("Result", "watchdog"), ("ExecMainCode", "2"), ("ExecMainStatus", "6")]);
    let line = unit.said("the watchdog is not fed; systemd ends the process in ", 3);
    assert!(line.contains("worker blocker (tests/children/managed.rs:"), "{line}");
    assert!(line.contains(" has blocked thread `main` for "), "{line}");
    unit.said("SIGABRT received: the process ends", 3);
    let journal = unit.journal();
    let row = journal.iter().map(|entry| &entry.text).find(|text| text.starts_with("graceful:   blocker "));
    assert!(row.is_some_and(|row| row.contains("blocking thread `main` for ")), "{journal:#?}");
}

fn healthy(host: &Host) {
    let unit = host.service("healthy", "serves", &["WatchdogSec=500ms"]);
    unit.start();
    sleep(Duration::from_secs(2));
    unit.is(&[("ActiveState", "active")]);
    unit.stop();
    unit.ended_well();
}

fn hanging(host: &Host) {
    let lines = ["WatchdogSec=500ms", "Environment=GRACEFUL_STOP_TIMEOUT=2s"];
    let unit = host.service("hanging", "one spins", &lines);
    unit.start();
    unit.stop();
    unit.ended("exit-code", 124);
    assert!(!unit.has_said("the watchdog is not fed"));
}
