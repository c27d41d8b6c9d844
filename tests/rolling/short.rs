//! The short form of the rolling restarts: one restart of each instance. With this crate nothing is dropped.
#![cfg(unix)]

use std::io::{Write, stderr};
use std::time::Duration;

use graceful_rolling::{Contender, Front, Plan, Programs, Row, measure};

const PLAN: Plan = Plan { rate: 500, rounds: 1, drain: Duration::from_secs(1), calm: Duration::from_millis(300) };

const PROGRAMS: Programs = Programs {
    contender: env!("CARGO_BIN_EXE_rolling-contender"),
    one_line: env!("CARGO_BIN_EXE_rolling-one-line"),
    example: env!("CARGO_BIN_EXE_rolling-http"),
};

fn restarted(front: Front, contender: Contender) -> Row {
    let row = measure(PLAN, PROGRAMS, front, contender);
    assert!(row.requests > 400, "the load is too small\n{row}");
    row
}

fn nothing_fails_behind(front: Front) {
    if !front.is_installed() {
        // Past the capture of output: nobody should take this for a success.
        let _ = writeln!(
            stderr(),
            "\n*** SKIPPED: rolling restarts behind {front:?}, which is not installed. To install it: .ci/servers ***\n"
        );
        return;
    }
    let row = restarted(front, Contender::Graceful);
    assert_eq!(row.failed, 0, "requests failed\n{row}");
    assert!(row.is_as_promised(), "{row}");
}

#[test]
fn behind_haproxy_nothing_fails() {
    nothing_fails_behind(Front::HaProxy);
}

#[test]
fn behind_nginx_nothing_fails() {
    nothing_fails_behind(Front::Nginx);
}

#[test]
fn direct_clients_are_refused_at_the_most() {
    let row = restarted(Front::Direct, Contender::Graceful);
    assert_eq!(row.cut, 0, "cut on a reused connection\n{row}");
    assert_eq!(row.reset, 0, "reset on a fresh connection\n{row}");
    assert!(row.is_as_promised(), "{row}");
}

#[test]
fn with_a_listener_that_is_handed_over_direct_clients_lose_nothing() {
    let row = restarted(Front::Direct, Contender::HandedOver);
    assert_eq!(row.failed, 0, "requests failed\n{row}");
    assert!(row.is_as_promised(), "{row}");
}

#[test]
fn one_line_serves_as_well() {
    let row = restarted(Front::Direct, Contender::OneLine);
    assert!(row.is_as_promised(), "{row}");
}

/// What is counted here can be lost.
#[test]
fn without_any_handling_requests_fail() {
    let row = restarted(Front::Direct, Contender::Unhandled);
    assert!(row.failed > 0, "nothing failed\n{row}");
    assert_eq!(row.codes, [None; 2], "{row}");
}
