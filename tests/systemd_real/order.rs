//! What depends on each other stops in order, when much is stopped at once. Each row stops the units of all others.

use std::fs::read_to_string;

use crate::host::{Host, OUT};
use crate::table::LastRow;

pub(crate) const ROWS: &[LastRow] = &[
    LastRow { claim: "systemctl isolate stops what depends on others first", run: isolate },
    LastRow { claim: "a shutdown stops what depends on others first, and waits for it", run: shutdown },
];

/// A service, and one that depends on it and is slow to stop. Each notes when it is gone.
fn start_two(host: &Host, file: &str) {
    // Without this a unit of the tests is no part of a shutdown.
    let shutdown = "Conflicts=shutdown.target\nBefore=shutdown.target";
    let note = format!("ExecStopPost=/bin/sh -c 'echo %N $EXIT_STATUS >>{OUT}/{file}'");
    let common = format!("RequiresMountsFor={OUT}\n{shutdown}");
    let first = host.service_with(&format!("{file}-below"), &common, "serves", &[&note]);
    let unit = format!("{common}\nRequires={0}\nAfter={0}", first.name);
    host.service_with(&format!("{file}-above"), &unit, "lingers", &[&note]).start();
}

/// What has been noted.
#[track_caller]
fn assert_noted(host: &Host, file: &str) {
    let noted = read_to_string(host.out.join(file)).unwrap_or_default();
    assert_eq!(noted, format!("{file}-above 0\n{file}-below 0\n"));
}

fn isolate(host: &mut Host) {
    start_two(host, "isolate");
    host.systemctl(&["isolate", "rows.target"]);
    host.unit("isolate-below.service").until_it_is("inactive");
    assert_noted(host, "isolate");
}

fn shutdown(host: &mut Host) {
    start_two(host, "shutdown");
    host.shut_down();
    assert_noted(host, "shutdown");
}
