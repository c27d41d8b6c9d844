//! What a program is told when it asks, and what is said when there is something to say: as processes show it.
#![cfg(unix)]

use std::process::{self, Command};
use std::time::{Duration, Instant};

use graceful_tests::{Child, End, Signal};

const BUDGET: Duration = Duration::from_millis(600);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(500);

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_answers"));
    Child::start(command.args(arguments))
}

fn stop(case: &str) -> End {
    stop_timed(case).1
}

/// When it was asked to stop, and how it ended.
fn stop_timed(case: &str) -> (Instant, End) {
    let child = start(&[case]);
    child.prints("up");
    let asked = child.terminate();
    (asked, child.end())
}

#[test]
fn a_signal_in_a_stop_with_another_cause_is_known_after_it() {
    let mut child = start(&["generations", "signal"]);
    child.prints("generation 2");
    child.terminate();
    child.says("SIGTERM received; already stopping");
    child.tell("go on");
    let end = child.end();
    end.assert_code(0);
    let expected =
        ["asked before 1: []", "generation 1", "asked before 2: []", "generation 2", "asked to end: [Terminate]"];
    assert_eq!(end.printed(), expected, "{end}");
}

#[test]
fn without_a_signal_none_is_known() {
    let end = start(&["generations"]).end();
    end.assert_code(0);
    end.assert_printed("three generations");
}

#[test]
fn mains_own_exit_code_needs_no_report() {
    let end = start(&["grep"]).end();
    end.assert_code(1);
    assert!(end.stderr.is_empty(), "{end}");
}

#[test]
fn after_a_signal_it_is_part_of_the_last_line() {
    let end = stop("grep_on");
    end.assert_code(3);
    let last = &end.stderr.last().expect("a line").text;
    assert!(last.starts_with("graceful: stopped in ") && last.ends_with("; exit code 3"), "{end}");
    assert_eq!(end.stderr.len(), 2, "{end}");
}

#[test]
fn a_machine_that_asked_for_json_gets_its_line() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_answers"));
    let end = Child::start(command.arg("grep").env("GRACEFUL_REPORT", "json")).end();
    end.assert_code(1);
    end.assert_said(r#"{"code":1,"reason":"main's own","#);
}

#[test]
fn the_report_says_whose_code_won_over_mains() {
    let end = start(&["matches"]).end();
    end.assert_code(1);
    end.assert_said("graceful: exit code 1: worker `load` failed: Config; main's own code, 42, came later");
}

#[test]
fn a_worker_whose_failures_are_logged_leaves_the_code_to_main() {
    let end = start(&["matches", "log"]).end();
    end.assert_code(42);
    end.assert_said("worker `load` failed: Config");
    end.assert_silent_about("exit code");
}

#[test]
fn a_start_up_that_hangs_is_told_what_ends_it() {
    let end = stop("starting");
    end.assert_code(124);
    end.assert_said("  main never asked whether it is stopping: ");
    end.assert_said("  graceful::ready() was never called: if main was starting up");
    end.assert_said("run_until_stopping(..)");
}

#[test]
fn a_service_that_was_ready_is_told_of_its_token_alone() {
    for case in ["serving", "beside_a_worker"] {
        let end = stop(case);
        end.assert_code(124);
        end.assert_said("  main never asked whether it is stopping: ");
        end.assert_silent_about("was never called");
    }
}

#[test]
fn a_main_whose_server_a_worker_has_stopped_is_not_told_to_look_at_its_token() {
    let end = stop("told_by_a_worker");
    end.assert_code(124);
    end.assert_printed("the server stops");
    end.assert_said("  main: still running");
    end.assert_said(
        "  main does not wait for the stop itself: if another part of the program is to end what main awaits",
    );
    end.assert_silent_about("never asked whether it is stopping");
}

#[test]
fn restarts_that_become_a_habit_are_said_at_growing_intervals() {
    let child = start(&["fails_for_ever"]);
    child.prints("up");
    for times in [10, 20, 40, 80] {
        child.says(&format!(
            "worker `never_well` fails again and again: {times} failures in a row, {} restarts in the last minute; \
             the last time it failed: \"no route to host\"",
            times - 1
        ));
    }
    child.terminate();
    let end = child.end();
    end.assert_code(0);
    for times in [30, 50, 70] {
        end.assert_silent_about(&format!(" {times} failures in a row"));
    }
}

#[test]
fn a_worker_that_fails_once_more_than_it_is_restarted_is_said_to_have_been_restarted() {
    let end = start(&["fails_too_often"]).end();
    end.assert_code(1);
    let said =
        "worker `never_well` failed: \"no route to host\"; it was restarted 3 times within 60 s, its max_restarts";
    end.assert_said(&format!("graceful: {said}"));
    end.assert_said(&format!("exit code 1: {said}"));
}

#[test]
fn a_platform_that_kills_before_the_deadline_is_named_at_the_start() {
    let said = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_answers"));
        command.arg("by_default").env_remove("KUBERNETES_SERVICE_HOST");
        let child = Child::start(command.envs(variables.iter().copied()));
        child.prints("up");
        child.terminate();
        let end = child.end();
        end.assert_code(0);
        let lines = end.stderr.into_iter().map(|line| line.text).filter(|line| line.contains("SIGKILL"));
        lines.collect::<Vec<_>>()
    };
    let supervisord = ("SUPERVISOR_ENABLED", "1");
    assert_eq!(
        said(&[supervisord]),
        [
            "graceful: supervisord sends SIGKILL 10 s after it has asked for the stop unless stopwaitsecs says otherwise, \
          and stop_timeout is 25 s: set stopwaitsecs, or set GRACEFUL_STOP_TIMEOUT to less than 10 s"
        ]
    );
    // Chosen beside a setting that may have been chosen as well; shorter; longer than what nothing can change.
    assert!(said(&[supervisord, ("GRACEFUL_STOP_TIMEOUT", "20s")]).is_empty());
    assert!(said(&[supervisord, ("GRACEFUL_STOP_TIMEOUT", "9s")]).is_empty());
    assert_eq!(
        said(&[("K_SERVICE", "orders"), ("GRACEFUL_STOP_TIMEOUT", "20s")]),
        ["graceful: Cloud Run sends SIGKILL 10 s after it has asked for the stop, and stop_timeout is 20 s: \
          set GRACEFUL_STOP_TIMEOUT to less than 10 s"]
    );
    for fits in ["DYNO", "ECS_CONTAINER_METADATA_URI_V4", "KUBERNETES_SERVICE_HOST"] {
        assert!(said(&[(fits, "here")]).is_empty(), "{fits}");
    }
    assert!(said(&[]).is_empty());
}

#[test]
fn it_is_named_within_a_second_by_a_service_that_is_never_ready() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_answers"));
    command.args(["never_ready"]).env_remove("KUBERNETES_SERVICE_HOST").env("SUPERVISOR_ENABLED", "1");
    let child = Child::start(&mut command);
    child.prints("up");
    let began = Instant::now();
    child.says("supervisord sends SIGKILL 10 s after");
    assert!(began.elapsed() < Duration::from_secs(2), "{child}");
    child.terminate();
    child.end().assert_code(0);
}

/// The first processor that this process may use.
fn first_processor() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a list").trim();
    allowed.split([',', '-']).next().expect("the first one").to_owned()
}

/// Takes the first processor until it is dropped.
struct Spinner(process::Child);

impl Spinner {
    fn start() -> Self {
        let mut spinner = Command::new("taskset");
        Self(spinner.args(["-c", &first_processor(), "sh", "-c", "while :; do :; done"]).spawn().expect("taskset"))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it spins");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_busy_machine_is_no_frozen_process() {
    for _ in 0..3 {
        let mut command = Command::new("nice");
        command.args(["-n", "19", "taskset", "-c", &first_processor(), env!("CARGO_BIN_EXE_answers"), "serving"]);
        let child = Child::start(&mut command);
        child.prints("up");
        let spinners = [(); 3].map(|()| Spinner::start());
        child.terminate();
        let end = child.end();
        drop(spinners);
        end.assert_code(124);
        end.assert_silent_about("stopped or frozen");
        if end.has_said("the process stood still") {
            end.assert_said("the machine is too busy");
        }
    }
}

/// The last registered runs first.
const RESTORED: [&str; 2] = ["terminal restored", "socket removed"];

#[track_caller]
fn restored(end: &End) {
    assert!(end.printed().ends_with(&RESTORED), "{end}");
}

#[test]
fn the_last_resort_comes_last_where_all_ends_in_order() {
    let end = stop("leaves_in_time");
    end.assert_code(0);
    assert_eq!(end.printed(), [&["up", "closed", "kept"][..], &RESTORED].concat(), "{end}");
}

#[test]
fn it_runs_where_the_deadline_ends_the_process() {
    let (asked, end) = stop_timed("leaves_late");
    end.assert_code(124);
    restored(&end);
    end.assert_gone_between(asked, Duration::ZERO, BUDGET + Duration::from_millis(50));
}

#[test]
fn it_runs_where_a_second_ctrl_c_ends_the_process() {
    let child = start(&["leaves_late"]);
    child.prints("up");
    child.interrupt();
    child.says("stopping: SIGINT");
    std::thread::sleep(Duration::from_millis(150));
    child.interrupt();
    let end = child.end();
    end.assert_code(130);
    restored(&end);
}

#[test]
fn it_runs_where_code_exits() {
    let end = stop("exits");
    end.assert_code(5);
    restored(&end);
}

#[test]
fn what_went_wrong_is_said_there_as_well() {
    let child = start(&["exits_badly"]);
    child.prints("up");
    child.terminate();
    let end = child.end_in_panic();
    end.assert_code(5);
    restored(&end);
    end.assert_said("at_exit `panics` panicked: no terminal");
}

#[test]
fn one_that_blocks_holds_up_neither_the_others_nor_the_exit() {
    let (asked, end) = stop_timed("blocks_at_exit");
    end.assert_code(0);
    restored(&end);
    end.assert_said("at_exit `blocks` did not end within 50 ms");
    end.assert_gone_between(asked, Duration::from_millis(50), Duration::from_millis(50) + SLACK);
}

#[test]
fn nor_does_it_hold_up_the_deadline() {
    let (asked, end) = stop_timed("blocks_at_exit_late");
    end.assert_code(124);
    restored(&end);
    end.assert_said("exit code 124: out of time, still running: stuck");
    end.assert_gone_between(asked, Duration::ZERO, BUDGET + Duration::from_millis(50));
}

#[test]
fn one_that_panics_is_a_line_and_the_code_stays() {
    let child = start(&["panics_at_exit"]);
    child.prints("up");
    child.terminate();
    let end = child.end_in_panic();
    end.assert_code(0);
    restored(&end);
    end.assert_said("at_exit `panics` panicked: no terminal");
}

#[test]
fn the_same_name_replaces_and_a_late_one_runs() {
    let end = stop("replaces_at_exit");
    end.assert_code(0);
    end.assert_printed("late, and run");
    assert!(!end.printed().contains(&"the first one"), "{end}");
    assert!(end.printed().contains(&"terminal restored"), "{end}");
}

#[test]
fn there_is_no_last_resort_for_a_death_by_sigkill() {
    let child = start(&["leaves_late"]);
    child.prints("up");
    let asked = Instant::now();
    child.send(Signal::SIGKILL);
    let end = child.end();
    assert_eq!((end.signal, end.printed()), (Some(Signal::SIGKILL), vec!["up"]), "after {:?}", asked.elapsed());
}
