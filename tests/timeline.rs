//! The stop as a picture, made from `status()` after it.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};

use graceful_tests::Child;
use graceful_tests::client::{address_after, connect, rest_of};
use serde_json::{Value, json};

/// The output of the example for this status, with these arguments.
fn timeline(status: &Value, arguments: &[&str]) -> process::Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_example-timeline"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    write!(stdin, "{status}").expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn ms(ms: u32) -> Value {
    json!({ "secs": ms / 1000, "nanos": ms % 1000 * 1_000_000 })
}

/// A stop in which `flush` took most of the budget.
fn status() -> Value {
    json!({
        "cause": "SIGTERM",
        "timings": { "draining": ms(200), "stopping": ms(700), "closing": ms(100) },
        "workers": [
            { "name": "consume", "stage": "Early", "live": 0, "aborted": 0, "ended": ms(50) },
            { "name": "flush", "stage": "Late", "live": 0, "aborted": 2, "ended": ms(900) },
            { "name": "never", "stage": null, "live": 0, "aborted": 0, "ended": null },
        ],
        "hooks": [
            { "name": "registry", "progress": "Done", "began": ms(0), "took": ms(100) },
            { "name": "unheard", "progress": "Waiting", "began": null, "took": null },
        ],
        "trace": [
            { "after": ms(0), "event": { "Told": "Early" } },
            { "after": ms(300), "event": { "Told": "Late" } },
            { "after": ms(900), "event": "Joined" },
        ],
    })
}

#[test]
fn the_chart_shows_who_held_the_exit_up() {
    let output = timeline(&status(), &[]);
    assert!(output.status.success());
    let drawn = String::from_utf8(output.stdout).expect("text");
    let line = |name: &str| {
        let found = drawn.lines().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_else(|| panic!("no {name}:\n{drawn}"))
    };
    assert!(drawn.starts_with("stop: SIGTERM, 1000 ms\n"), "{drawn}");
    assert!(line("flush").ends_with("| 600 ms 2 aborted <- last"), "{drawn}");
    assert_eq!(drawn.matches("<- last").count(), 1, "{drawn}");
    // A column is a little less than 17 ms.
    assert_eq!(line("flush").find('█'), line("flush").find('|').map(|at| at + 1 + 18));
    assert_eq!(line("consume").matches('█').count(), 3, "{drawn}");
    assert_eq!(line("draining").matches('█').count(), 12, "{drawn}");
    assert!(line("registry").contains("100 ms"), "{drawn}");
    assert!(!drawn.contains("never") && !drawn.contains("unheard"), "{drawn}");
    assert!(drawn.contains("^ late told, 300 ms"), "{drawn}");
}

#[test]
fn a_status_without_a_stop_is_an_error() {
    let output = timeline(&json!({ "cause": null }), &[]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no stop was asked for in this status"), "{said}");
}

#[test]
fn the_example_http_draws_its_own_stop() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.svg", process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-http"));
    let command = command.arg("0").arg("--timeline").arg(&path);
    let child = Child::start(command.env("GRACEFUL_DRAIN", "0s"));
    child.prints("press Ctrl-C here while it waits");
    let mut client = connect(address_after(&child, "listening on "));
    client.write_all(b"GET /slow HTTP/1.0\r\n\r\n").expect("the request is sent");
    child.prints("/slow: a request begins");
    child.terminate();
    assert!(rest_of(client).contains("finished, whatever came in between"));
    child.end().assert_code(0);

    let svg = fs::read_to_string(&path).expect("it was written");
    fs::remove_file(&path).expect("it was there");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    for part in ["stop: SIGTERM", ">connection<", ">health<", ">stopping<", "last told"] {
        assert!(svg.contains(part), "no {part}:\n{svg}");
    }
}
