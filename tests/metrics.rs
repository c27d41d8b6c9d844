//! What a recorder of metrics receives.
#![cfg(unix)]

use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::Child;
use graceful_tests::client::{PATIENCE, address_after, connect, rest_of};

#[test]
fn outcomes_restarts_hooks_and_times_are_told() {
    let child = Child::start(&mut Command::new(env!("CARGO_BIN_EXE_measured")));
    child.prints("up");
    child.terminate();
    let end = child.end();
    end.assert_code(124);
    for line in [
        "graceful_state 4",
        r#"graceful_workers{worker="done",outcome="finished"} 3"#,
        r#"graceful_workers{worker="done",outcome="failed"} 0"#,
        r#"graceful_workers{worker="flaky",outcome="failed"} 1"#,
        r#"graceful_workers_live{worker="done"} 0"#,
        r#"graceful_workers_restarting{worker="flaky"} 0"#,
        r#"graceful_restarts_total{worker="flaky"} 1"#,
        r#"graceful_workers{worker="ignores",outcome="aborted"} 1"#,
        r#"graceful_aborted_total{worker="ignores"} 1"#,
        r#"graceful_hook_failures_total{hook="deregister",stage="before_stop"} 1"#,
        r#"graceful_hook_failures_total{hook="pool",stage="after_stop"} 0"#,
    ] {
        end.assert_printed(line);
    }
    let printed = end.printed();
    let seconds = |name: &str| {
        let value = printed.iter().find_map(|line| line.strip_prefix(name));
        let value = value.unwrap_or_else(|| panic!("no {name}\n{end}"));
        value.trim().parse::<f64>().expect("a number")
    };
    let stopping = seconds(r#"graceful_stop_seconds{state="stopping"}"#);
    assert!((0.05..3.0).contains(&stopping), "{end}");
    seconds(r#"graceful_since_progress_seconds{worker="ignores"}"#);
    let hook = seconds(r#"graceful_hook_seconds{hook="pool",stage="after_stop"}"#);
    assert!((0.0..3.0).contains(&hook), "{end}");
}

/// Waits until `/metrics` of the example has this line.
fn metrics(health: SocketAddr, line: &str) {
    let begun = Instant::now();
    loop {
        let mut client = connect(health);
        client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("the request is sent");
        let answer = rest_of(client);
        if answer.lines().any(|said| said == line) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "no `{line}`:\n{answer}");
        // They are recorded once a second.
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_example_has_them_until_the_end() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-http"));
    let child = Child::start(command.arg("0").env("GRACEFUL_DRAIN", "0s"));
    child.prints("press Ctrl-C here while it waits");
    let health = address_after(&child, "health on ");
    metrics(health, "graceful_state 1");
    metrics(health, r#"graceful_workers_live{worker="health"} 1"#);

    let mut client = connect(address_after(&child, "listening on "));
    client.write_all(b"GET /slow HTTP/1.0\r\n\r\n").expect("the request is sent");
    child.prints("/slow: a request begins");
    child.terminate();
    child.says("stopping: SIGTERM");
    metrics(health, "graceful_state 3");
    assert!(rest_of(client).contains("finished, whatever came in between"));
    child.end().assert_code(0);
}
