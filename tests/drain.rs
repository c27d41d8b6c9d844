//! How long a process keeps serving after it was asked to stop, and what ends that.
#![cfg(unix)]

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::{Child, End, FLAVOURS};
use nix::pty::openpty;

/// How long after its drain a process may stay that has nothing else to do.
const PROMPTLY: Duration = Duration::from_millis(300);

/// The drain of the case `short`.
const SHORT: Duration = Duration::from_millis(400);

/// A quarter of the budget of the case `unset`.
const QUARTER: Duration = Duration::from_millis(500);

/// The same signal within this is the same one.
const SAME: Duration = Duration::from_millis(100);

const EARLY: &str = "early worker told: draining, ready: false";

fn service(case: &str, flavour: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drains"));
    command.args([case, flavour]);
    for name in ["GRACEFUL_DRAIN", "KUBERNETES_SERVICE_HOST"] {
        command.env_remove(name);
    }
    command
}

/// A service that became ready.
#[track_caller]
fn ready(command: &mut Command) -> Child {
    let child = Child::start(command.arg("ready"));
    child.prints("up: ready");
    child
}

/// A service that did not.
#[track_caller]
fn starting(command: &mut Command) -> Child {
    let child = Child::start(command);
    child.prints("up: starting");
    child
}

fn in_kubernetes(flavour: &str) -> Command {
    let mut command = service("unset", flavour);
    command.env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    command
}

/// It lives as long as it drains, and not much longer.
#[track_caller]
fn drained_for(end: &End, asked: Instant, drain: Duration) {
    end.assert_gone_between(asked, drain, drain + PROMPTLY);
}

#[track_caller]
fn when(end: &End, line: &str) -> Instant {
    let found = end.stdout.iter().find(|printed| printed.text == line);
    found.unwrap_or_else(|| panic!("no `{line}`\n{end}")).at
}

#[test]
fn while_it_drains_it_serves_and_takes_in_no_more() {
    for flavour in FLAVOURS {
        let mut child = ready(&mut service("short", flavour));
        child.tell("serve");
        child.prints("served while ready");
        let asked = child.terminate();
        let told = child.prints(EARLY);
        assert!(told - asked < SHORT / 2, "told late\n{child}");
        child.tell("serve");
        child.prints("served while draining");
        let end = child.end();
        end.assert_code(0);
        drained_for(&end, asked, SHORT);
        for line in ["worker told: stopping", "main ends while stopping"] {
            assert!(when(&end, line) - asked >= SHORT, "told early\n{end}");
        }
    }
}

#[test]
fn what_was_asked_for_is_kept_by_a_service_that_never_was_ready() {
    let child = starting(&mut service("short", "multi_thread"));
    let asked = child.terminate();
    let end = child.end();
    end.assert_code(0);
    drained_for(&end, asked, SHORT);
}

#[test]
fn outside_kubernetes_nothing_is_drained_by_default() {
    for flavour in FLAVOURS {
        let child = ready(&mut service("unset", flavour));
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(0);
        drained_for(&end, asked, Duration::ZERO);
    }
}

#[test]
fn inside_kubernetes_a_quarter_of_a_small_budget_is_drained() {
    for flavour in FLAVOURS {
        let child = ready(&mut in_kubernetes(flavour));
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(0);
        end.assert_printed(EARLY);
        drained_for(&end, asked, QUARTER);
    }
}

#[test]
fn inside_kubernetes_a_service_that_never_was_ready_does_not_drain() {
    for flavour in FLAVOURS {
        let child = starting(&mut in_kubernetes(flavour));
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(0);
        drained_for(&end, asked, Duration::ZERO);
    }
}

#[test]
fn inside_kubernetes_a_second_termination_leaves_the_drain_as_it_is() {
    let child = ready(&mut in_kubernetes("multi_thread"));
    let asked = child.terminate();
    child.prints(EARLY);
    thread::sleep(SAME + Duration::from_millis(10));
    child.terminate();
    child.says("SIGTERM received; already stopping");
    let end = child.end();
    end.assert_code(0);
    drained_for(&end, asked, QUARTER);
}

#[test]
fn a_failure_leaves_the_drain_as_it_is() {
    for mut command in [service("short", "current_thread"), in_kubernetes("multi_thread")] {
        let mut child = ready(&mut command);
        let asked = child.terminate();
        child.prints(EARLY);
        child.tell("fail");
        child.says(r#"worker `flush` failed: "no disk""#);
        child.tell("serve");
        child.prints("served while draining");
        let end = child.end();
        end.assert_code(1);
        end.assert_gone_between(asked, SHORT, QUARTER + PROMPTLY);
        end.assert_said("graceful: stop: SIGTERM");
    }
}

#[test]
fn the_environment_decides_how_long() {
    let drain = Duration::from_millis(700);
    for mut command in [service("short", "multi_thread"), in_kubernetes("current_thread")] {
        let child = starting(command.env("GRACEFUL_DRAIN", "700ms"));
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(0);
        drained_for(&end, asked, drain);
    }
    let child = ready(service("long", "multi_thread").env("GRACEFUL_DRAIN", "0s"));
    let asked = child.terminate();
    let end = child.end();
    end.assert_code(0);
    drained_for(&end, asked, Duration::ZERO);
}

#[test]
fn a_drain_that_is_no_duration_is_refused() {
    let end = Child::start(service("unset", "multi_thread").env("GRACEFUL_DRAIN", "soon")).end();
    end.assert_code(2);
    assert!(end.stdout.is_empty(), "main was run\n{end}");
    assert_eq!(end.stderr.len(), 1, "{end}");
    end.assert_said("GRACEFUL_DRAIN=soon");
}

#[test]
fn the_first_interrupt_ends_the_drain() {
    for flavour in FLAVOURS {
        let child = ready(&mut service("long", flavour));
        child.terminate();
        child.prints(EARLY);
        let ended = child.interrupt();
        let end = child.end();
        end.assert_code(0);
        drained_for(&end, ended, Duration::ZERO);
        end.assert_said("SIGINT received; the drain ends; another one quits now");
        end.assert_printed("worker told: stopping");
    }
}

#[test]
fn the_second_interrupt_forces_the_exit() {
    for flavour in FLAVOURS {
        let mut child = ready(&mut service("long", flavour));
        child.tell("get stuck");
        child.prints("stuck");
        child.terminate();
        child.prints(EARLY);
        child.interrupt();
        child.prints("main ends while stopping");
        thread::sleep(SAME + Duration::from_millis(10));
        let forced = child.interrupt();
        let end = child.end();
        end.assert_code(130);
        drained_for(&end, forced, Duration::ZERO);
    }
}

#[test]
fn an_interrupt_without_a_terminal_drains_as_any_signal() {
    let child = ready(&mut service("short", "multi_thread"));
    let asked = child.interrupt();
    let end = child.end();
    end.assert_code(0);
    drained_for(&end, asked, SHORT);
}

/// Starts it with a terminal on standard error, lets `stop` stop it, and returns how it ended and what it printed.
#[track_caller]
fn at_a_terminal(mut command: Command, stop: impl FnOnce(&Child)) -> (End, String) {
    let terminal = openpty(None, None).expect("a terminal");
    let child = Child::start_with(command.arg("ready"), Stdio::from(terminal.slave));
    child.prints("up: ready");
    stop(&child);
    drop(command);
    let end = child.end();
    let mut said = Vec::new();
    // Once a terminal's last writer is gone, Linux returns an error after the last of its output.
    let _ = File::from(terminal.master).read_to_end(&mut said);
    (end, String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_person_who_presses_ctrl_c_does_not_wait_for_the_drain() {
    for flavour in FLAVOURS {
        let mut asked = None;
        let (end, said) = at_a_terminal(service("long", flavour), |child| {
            asked = Some(child.interrupt());
        });
        end.assert_code(0);
        drained_for(&end, asked.expect("it was asked"), Duration::ZERO);
        end.assert_printed("early worker told: stopping, ready: false");
        assert!(said.contains("press Ctrl-C again to quit now"), "{said}");
    }
}

#[test]
fn at_a_terminal_a_termination_drains_and_ctrl_c_ends_it() {
    let mut asked = None;
    let (end, _) = at_a_terminal(service("short", "multi_thread"), |child| {
        asked = Some(child.terminate());
    });
    end.assert_code(0);
    drained_for(&end, asked.expect("it was asked"), SHORT);

    let mut ended = None;
    let (end, _) = at_a_terminal(service("long", "multi_thread"), |child| {
        child.terminate();
        child.prints(EARLY);
        ended = Some(child.interrupt());
    });
    end.assert_code(0);
    drained_for(&end, ended.expect("it was ended"), Duration::ZERO);
}

#[test]
fn mains_return_ends_the_drain() {
    for flavour in FLAVOURS {
        let mut child = ready(&mut service("long", flavour));
        child.terminate();
        child.prints(EARLY);
        child.tell("return");
        let returned = child.prints("main ends while draining");
        let end = child.end();
        end.assert_code(0);
        drained_for(&end, returned, Duration::ZERO);
        end.assert_printed("worker told: stopping");
        end.assert_said("graceful: stopped in ");
    }
}

#[test]
fn mains_return_is_not_followed_by_a_drain() {
    let mut child = ready(&mut service("long", "multi_thread"));
    child.tell("return");
    let returned = child.prints("main ends while ready");
    let end = child.end();
    end.assert_code(0);
    drained_for(&end, returned, Duration::ZERO);
}

#[test]
fn a_panic_in_main_ends_the_drain_and_is_not_its_cause() {
    for flavour in FLAVOURS {
        let mut child = ready(&mut service("long", flavour));
        child.terminate();
        child.prints(EARLY);
        child.tell("panic");
        let panicked = child.says("panicked at tests/children/drains.rs:");
        let end = child.end_in_panic();
        end.assert_code(101);
        drained_for(&end, panicked, Duration::ZERO);
        end.assert_printed("worker told: stopping");
        end.assert_said("graceful: stop: SIGTERM");
        end.assert_said("graceful: exit code 101: main panicked: out of luck");
    }
}
