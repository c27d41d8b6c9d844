//! The report of an end that needs explaining: what held up what, how the time was spent, for people and for machines.
#![cfg(unix)]

use std::io::{Read, Write, pipe};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::{Child, End};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde_json::Value;

fn child(case: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reports"));
    command.arg(case);
    command
}

/// Starts it, stops it, and waits for its end.
fn stop(command: &mut Command) -> End {
    let child = Child::start(command);
    child.prints("up");
    child.terminate();
    child.end()
}

#[test]
fn who_waits_for_each_other_is_named_as_a_round() {
    let end = stop(&mut child("round"));
    end.assert_code(124);
    let round = end
        .stderr
        .iter()
        .find(|line| line.text.contains("these wait for each other: "))
        .unwrap_or_else(|| panic!("no round\n{end}"));
    // The round may begin with any of them.
    let rounds = ["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"];
    assert!(rounds.iter().any(|names| round.text.ends_with(names)), "{end}");
    let lines = end.stderr.iter();
    let said = lines.filter(|line| line.text.contains("wait for each other"));
    assert_eq!(said.count(), 1, "{end}");
}

#[test]
fn who_was_never_polled_is_told_from_who_waits() {
    let end = stop(&mut child("unpolled"));
    end.assert_code(124);
    let child = end.stderr.iter().find(|line| line.text.contains("child (tests"));
    let child = child.unwrap_or_else(|| panic!("no child\n{end}"));
    assert!(child.text.ends_with("never polled: no thread was free"), "{end}");
}

#[test]
fn a_result_is_its_workers_however_many_names_have_come_and_gone_since() {
    for case in ["culprit", "culprit_on_a_thread"] {
        let end = stop(&mut child(case));
        end.assert_code(124);
        end.assert_said("  culprit (tests/children/reports.rs:");
        end.assert_silent_about("other-");
    }
}

#[test]
fn an_error_that_takes_for_ever_to_be_shown_blocks_its_thread() {
    let end = stop(&mut child("wordless"));
    end.assert_code(124);
    let wordless = end.stderr.iter().find(|line| line.text.contains("  wordless (tests"));
    let wordless = wordless.unwrap_or_else(|| panic!("it is not named\n{end}"));
    assert!(wordless.text.contains("blocking its thread ("), "{end}");
}

#[test]
fn a_report_waits_for_a_reader_where_standard_error_does_not() {
    let (mut reader, mut writer) = pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while writer.write(b".").is_ok() {}
    let child = Child::start_with(&mut child("failing"), writer.into());
    child.prints("up");
    // Everything has been written in vain by now.
    thread::sleep(Duration::from_millis(20));
    let reading = thread::spawn(move || {
        let mut read = String::new();
        reader.read_to_string(&mut read).map(|_| read)
    });
    child.end().assert_code(1);
    let read = reading.join().unwrap().unwrap();
    let read = read.trim_start_matches('.');
    assert!(read.contains("  and 8 more failures\n"), "{read}");
    let last = read.lines().last().unwrap_or_default();
    assert!(last.starts_with("graceful: exit code 1: worker "), "{read}");
}

#[test]
fn who_waits_for_itself_is_told_at_once_and_in_the_report() {
    let end = stop(&mut child("itself"));
    end.assert_code(124);
    end.assert_said("deadlock: `lonely` awaits its own handle; only the deadline resolves it");
    end.assert_said("  lonely waits for itself");
}

#[test]
fn who_waits_for_somebody_told_later_is_named() {
    let end = stop(&mut child("later"));
    end.assert_code(124);
    end.assert_said(
        "deadlock: `flush` is awaited by main or a worker of an earlier stage and will not be told to stop before \
         that one ends; only the deadline resolves it",
    );
    end.assert_said("  main waits for flush, which is told to stop only after main has ended");
    end.assert_said("not told to stop: an earlier stage had not ended");
    end.assert_said("graceful: exit code 124: out of time, still running: main");
}

#[test]
fn who_was_not_told_is_not_waited_for() {
    let end = stop(&mut child("held_up"));
    end.assert_code(124);
    let waiting = end
        .stderr
        .iter()
        .find(|line| line.text.contains("still waiting for: "))
        .unwrap_or_else(|| panic!("nobody is waited for\n{end}"));
    assert!(waiting.text.contains("stuck"), "{end}");
    assert!(!waiting.text.contains("flush"), "{end}");
    end.assert_said("  main waits for stuck");
}

#[test]
fn a_worker_that_ends_by_itself_is_one_line() {
    let child = Child::start(&mut child("ended"));
    child.prints("up");
    child.says("worker `warm-up` (tests/children/reports.rs:");
    child.says("worker `migrate` (tests/children/reports.rs:");
    child.terminate();
    let end = child.end();
    end.assert_code(0);
    let lines = end.stderr.iter().filter(|line| line.text.contains("ended by itself; none is running now"));
    assert_eq!(lines.count(), 2, "{end}");
    for running_or_failed in ["worker `consume`", "worker `in turn` (", "worker `fails` ("] {
        end.assert_silent_about(running_or_failed);
    }
}

#[test]
fn more_failures_than_are_kept_are_counted() {
    let end = Child::start(&mut child("failing")).end();
    end.assert_code(1);
    end.assert_said("  and 8 more failures");
}

#[test]
fn each_try_of_a_hook_is_said() {
    let end = stop(&mut child("retries"));
    end.assert_code(1);
    end.assert_said("on_stop hook `leave` failed: \"no route\"; retrying in 100 ms");
    end.assert_said("on_stop hook `leave` failed: \"no route\"; retrying in 200 ms");
    end.assert_said("exit code 1: on_stop hook `leave` failed: \"no route\"");
}

#[test]
fn a_pool_that_cannot_close_is_named_with_who_has_its_connection() {
    let end = stop(&mut child("pool"));
    end.assert_code(124);
    end.assert_said("after_stop hook `pool` did not end within ");
    end.assert_said("query (tests/children/reports.rs:");
    end.assert_said("blocking its thread");
}

#[test]
fn the_report_says_how_the_time_went() {
    let end = stop(&mut child("pool"));
    let course = end
        .stderr
        .iter()
        .find(|line| line.text.contains("graceful: stop: SIGTERM, "))
        .unwrap_or_else(|| panic!("no course\n{end}"));
    for part in ["stopping 1.4 s", "closing "] {
        assert!(course.text.contains(part), "`{part}` is missing\n{end}");
    }
}

/// The one line of a report in JSON.
#[track_caller]
fn json(end: &End) -> Value {
    let mut lines = end.stderr.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    let report = lines.next().unwrap_or_else(|| panic!("no JSON\n{end}"));
    assert!(lines.next().is_none(), "{end}");
    report
}

#[test]
fn machines_get_one_line() {
    let end = stop(child("pool").env("GRACEFUL_REPORT", "json"));
    end.assert_code(124);
    let report = json(&end);
    assert_eq!(report["code"], 124, "{end}");
    assert_eq!(report["cause"], "SIGTERM", "{end}");
    assert_eq!(report["stuck"][0]["name"], "query", "{end}");
    assert_eq!(report["stuck"][0]["count"], 1, "{end}");
    let thread = &report["stuck"][0]["blocking"][0];
    assert!(thread["at_least_ms"].as_u64() >= Some(5), "{end}");
    assert!(report["stuck"][0]["running_ms"].as_u64() > Some(1000), "{end}");
    assert!(report["stopping_ms"].as_u64() >= Some(1340), "{end}");
    let failure = report["failures"][0].as_str().unwrap_or_default();
    assert!(failure.starts_with("after_stop hook `pool` "), "{end}");
    assert_eq!(report["left_out"], 0, "{end}");
}

#[test]
fn machines_can_tell_a_hold_from_a_worker() {
    let end = stop(child("held").env("GRACEFUL_REPORT", "json"));
    let report = json(&end);
    let kind_and_name = |row: &Value| (row["kind"].clone(), row["name"].clone());
    let stuck = report["stuck"].as_array().expect("a list");
    let stuck: Vec<_> = stuck.iter().map(kind_and_name).collect();
    let named = [("worker", "renew"), ("hold", "lease")];
    assert_eq!(stuck, named.map(|(kind, name)| (kind.into(), name.into())), "{end}");
}

#[test]
fn a_long_one_is_still_one_line_of_json() {
    let end = stop(child("many").env("GRACEFUL_REPORT", "json"));
    let report = json(&end);
    let text = end.stderr.iter().find(|line| line.text.starts_with('{'));
    assert!(text.is_some_and(|line| line.text.len() < 2048), "{end}");
    let shown = report["stuck"].as_array().map_or(0, Vec::len);
    assert!(shown > 5, "{end}");
    assert_eq!(report["left_out"], 100 - shown, "{end}");
}

#[test]
fn another_form_is_an_error_before_main_runs() {
    let end = Child::start(child("ended").env("GRACEFUL_REPORT", "yaml")).end();
    end.assert_code(2);
    end.assert_said("GRACEFUL_REPORT=yaml: write text or json");
}

#[graceful::test]
async fn a_status_tells_who_was_polled_lately() {
    fn last_polled(name: &str) -> Option<Duration> {
        let workers = graceful::status().workers;
        let found = workers.into_iter().find(|worker| worker.name == name);
        found.expect("it is there").activity.last_polled
    }

    graceful::spawn("quiet", graceful::stopping());
    graceful::spawn("busy", async {
        while graceful::run_until_stopping(tokio::time::sleep(Duration::from_millis(20))).await.is_some() {}
    });
    let began = Instant::now();
    // Beats come once a second.
    while last_polled("quiet") < Some(Duration::from_secs(2)) {
        assert!(began.elapsed() < Duration::from_secs(20), "no beat came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(1900));
    assert!(last_polled("busy") <= Some(Duration::from_secs(1)));
    let table = graceful::status().to_string();
    assert!(table.contains("waiting, polled 2 s ago"), "{table}");
    assert!(table.contains("main"), "{table}");
    graceful::stop();
}
