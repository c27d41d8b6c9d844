//! The examples `telemetry` and `nats`, stopped by real signals while work is in hand.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use child::{Child, End, Signal};

use crate::brokers::{Nats, PATIENCE};
use crate::folder::Folder;
use crate::telemetry::Collector;

/// What has arrived of each kind.
struct Seen {
    end: End,
    spans: Vec<String>,
    log: String,
    errors: String,
    metrics: String,
    /// How many jobs were done.
    jobs: usize,
}

/// Stops it while a job is in hand. What this one leaves behind must be there in each case.
fn telemetry(how: &str, code: i32) -> Seen {
    let folder = Folder::new(&format!("telemetry-{how}"));
    let (collector, address) = Collector::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-telemetry"));
    command.arg(how).env("TELEMETRY", folder.path()).env("OTEL_EXPORTER_OTLP_ENDPOINT", address);
    if how == "hang" {
        command.env("GRACEFUL_STOP_TIMEOUT", "4s");
    }
    let mut service = Child::start(&mut command);
    service.be_patient(2 * PATIENCE);
    service.prints("job 1: begins");
    service.terminate();
    let end = service.end_in_panic();
    end.assert_code(code);
    let read =
        |name: &str| fs::read_to_string(folder.file(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{end}"));
    let (log, errors, metrics) = (read("log"), read("errors"), read("metrics"));
    let jobs = log.lines().filter(|line| line.ends_with(" is done")).count();
    let seen = Seen { spans: collector.spans(), log, errors, metrics, jobs, end };

    let Seen { end, spans, log, metrics, jobs, .. } = &seen;
    assert!(*jobs > 0, "{log}\n{end}");
    assert_eq!(spans.iter().filter(|name| *name == "job").count(), *jobs, "{spans:?}\n{log}\n{end}");
    assert!(metrics.lines().any(|line| line == format!("jobs {jobs}")), "{metrics}\n{end}");
    assert!(metrics.contains("graceful_hook_seconds{hook=\"traces\""), "{metrics}\n{end}");
    seen
}

#[test]
fn telemetry_loses_nothing_at_a_clean_stop() {
    let seen = telemetry("well", 0);
    assert!(seen.log.contains("stopped in "), "{}\n{}", seen.log, seen.end);
    assert_eq!(seen.errors, "", "{}", seen.end);
    // The worker's own span ends with it.
    assert!(seen.spans.contains(&"worker".to_owned()), "{:?}\n{}", seen.spans, seen.end);
}

#[test]
fn telemetry_loses_nothing_at_a_panic() {
    let seen = telemetry("panic", 101);
    assert!(seen.errors.contains("at the end"), "{}\n{}", seen.errors, seen.end);
    assert!(seen.log.contains("worker `work` panicked: at the end"), "{}\n{}", seen.log, seen.end);
}

#[test]
fn telemetry_loses_nothing_when_the_time_is_over() {
    let seen = telemetry("hang", 124);
    assert!(seen.spans.contains(&"hang".to_owned()), "{:?}\n{}", seen.spans, seen.end);
    assert!(seen.log.contains("work"), "{}\n{}", seen.log, seen.end);
}

#[test]
fn nats_loses_no_job_over_ten_restarts() {
    let Some(nats) = Nats::start("example") else { return };
    let start = |jobs: &[String]| {
        let mut service =
            Child::start(Command::new(env!("CARGO_BIN_EXE_example-nats")).env("NATS_URL", &nats.url).args(jobs));
        service.be_patient(PATIENCE);
        service.prints("press Ctrl-C while a job is in hand, and start again with others");
        service
    };
    let lines = |end: &End, what: &str| -> Vec<String> {
        end.printed().iter().filter_map(|line| line.strip_suffix(what)).map(ToOwned::to_owned).collect()
    };
    let (mut all, mut done) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..10 {
        let jobs = [2 * round, 2 * round + 1].map(|number| format!("job {number}"));
        all.extend(jobs.clone());
        let service = start(&jobs);
        service.prints_part(": begins");
        let is_killed = round % 3 == 1;
        service.send(if is_killed { Signal::SIGKILL } else { Signal::SIGTERM });
        let end = service.end();
        assert_eq!(end.code, (!is_killed).then_some(0), "{end}");
        if !is_killed {
            end.assert_silent_about("failed");
            assert_eq!(lines(&end, ": begins"), lines(&end, ": done"), "{end}");
        }
        done.extend(lines(&end, ": done"));
    }
    let service = start(&[]);
    // Those that are left, but for one that a killed process had done and not said so.
    for job in &all {
        if !done.contains(job) {
            service.prints(&format!("{job}: done"));
        }
    }
    service.terminate();
    let end = service.end();
    end.assert_code(0);
    done.extend(lines(&end, ": done"));
    assert_eq!(done, all);
}
