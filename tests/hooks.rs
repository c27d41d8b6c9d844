//! Which hooks run at the stop of a process, in which order, and what becomes of a bad one.
#![cfg(unix)]

use std::process::Command;
use std::time::{Duration, Instant};

use graceful_tests::{Child, End, FLAVOURS};

const PROMPTLY: Duration = Duration::from_millis(300);

/// The budget of the program, and the tenth of it that is kept back.
const BUDGET: Duration = Duration::from_millis(600);

fn service(case: &str, flavour: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hooked"));
    let child = Child::start(command.args([case, flavour]).env_remove("KUBERNETES_SERVICE_HOST"));
    child.prints("up");
    child
}

/// Stops it. Returns when that was, and how it ended.
#[track_caller]
fn stopped(child: Child) -> (Instant, End) {
    let asked = child.terminate();
    (asked, child.end_in_panic())
}

const BEFORE: [&str; 2] = ["before_stop cache: draining", "before_stop pool: draining"];
const ON: [&str; 2] = ["on_stop cache: stopping", "on_stop pool: stopping"];
const AFTER: [&str; 2] = ["after_stop cache: stopped", "after_stop pool: stopped"];

/// Each ran once: those before the stop, those beside it in any order, and those after it in their order.
#[track_caller]
fn the_others_ran(end: &End) {
    let mut printed: Vec<_> = end.printed().into_iter().filter(|line| line.contains("_stop ")).collect();
    assert_eq!(printed.len(), 6, "{end}");
    printed[..4].sort_unstable();
    assert_eq!(printed, [BEFORE, ON, AFTER].concat(), "{end}");
    let told = end.printed().iter().position(|line| *line == "main told");
    let before = end.printed().iter().rposition(|line| BEFORE.contains(line));
    assert!(before < told, "{end}");
}

#[test]
fn each_runs_once_in_its_turn() {
    for flavour in FLAVOURS {
        let (asked, end) = stopped(service("clean", flavour));
        end.assert_code(0);
        end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
        the_others_ran(&end);
        end.assert_silent_about("hook");
    }
}

#[test]
fn one_that_fails_before_the_stop_is_a_warning() {
    let (asked, end) = stopped(service("before_fails", "multi_thread"));
    end.assert_code(0);
    end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
    end.assert_said(r#"before_stop hook `registry` failed: "gone""#);
    the_others_ran(&end);
}

#[test]
fn one_that_hangs_before_the_stop_is_124_and_takes_half_the_budget() {
    for flavour in FLAVOURS {
        let (asked, end) = stopped(service("before_hangs", flavour));
        end.assert_said("graceful: exit code 124: before_stop hook `registry` did not end within ");
        the_others_ran(&end);
        let told = end.stdout.iter().find(|line| line.text == "main told");
        let told = told.expect("main was told").at - asked;
        assert!((BUDGET / 2..BUDGET / 2 + PROMPTLY / 2).contains(&told), "main was told after {told:?}\n{end}");
        end.assert_gone_between(asked, BUDGET / 2, BUDGET + PROMPTLY / 3);
        end.assert_code(124);
    }
}

#[test]
fn one_that_fails_at_the_stop_is_tried_three_times_and_is_1() {
    let (asked, end) = stopped(service("on_fails", "multi_thread"));
    end.assert_code(1);
    // Two pauses, 100 ms and 200 ms.
    let pauses = Duration::from_millis(300);
    end.assert_gone_between(asked, pauses, pauses + PROMPTLY);
    end.assert_said(r#"graceful: exit code 1: on_stop hook `metrics` failed: "no such host""#);
    let tries = end.printed().iter().filter(|line| **line == "tried").count();
    assert_eq!(tries, 3, "{end}");
    the_others_ran(&end);
}

#[test]
fn one_that_panics_at_the_stop_is_1() {
    let (asked, end) = stopped(service("on_panics", "multi_thread"));
    end.assert_code(1);
    end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
    end.assert_said("graceful: exit code 1: on_stop hook `metrics` panicked: no such host");
    the_others_ran(&end);
}

#[test]
fn one_that_hangs_at_the_stop_is_124_and_named() {
    for flavour in FLAVOURS {
        let (asked, end) = stopped(service("on_hangs", flavour));
        end.assert_code(124);
        end.assert_gone_between(asked, BUDGET * 9 / 10, BUDGET + PROMPTLY / 3);
        end.assert_said("on_stop hook `metrics`: still running after 5");
        end.assert_said("on_stop hook `metrics` did not end within ");
        let last = &end.stderr.last().expect("a summary").text;
        assert!(last.starts_with("graceful: exit code 124: "), "{end}");
        assert!(last.ends_with("still running: metrics"), "{end}");
        the_others_ran(&end);
    }
}

#[test]
fn one_that_fails_after_the_stop_is_1_and_named() {
    for flavour in FLAVOURS {
        let (asked, end) = stopped(service("after_fails", flavour));
        end.assert_code(1);
        end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
        end.assert_said(r#"graceful: exit code 1: after_stop hook `registry` failed: "gone""#);
        the_others_ran(&end);
    }
}

#[test]
fn one_that_hangs_after_the_stop_leaves_the_others_their_share() {
    for flavour in FLAVOURS {
        let (asked, end) = stopped(service("after_hangs", flavour));
        end.assert_code(124);
        end.assert_gone_between(asked, BUDGET / 4, BUDGET);
        end.assert_said("graceful: exit code 124: after_stop hook `registry` did not end within ");
        the_others_ran(&end);
    }
}

#[test]
fn on_a_blocked_runtime_those_after_the_stop_are_named_as_not_run() {
    let child = service("blocked", "current_thread");
    child.prints("blocking");
    let (asked, end) = stopped(child);
    end.assert_code(124);
    end.assert_gone_between(asked, BUDGET * 9 / 10, BUDGET + PROMPTLY / 3);
    end.assert_said("still running: ");
    for name in ["pool", "cache"] {
        end.assert_said(&format!("after_stop hook `{name}` was not run: no time was left"));
    }
    // Hooks that had no thread are not reported for it.
    end.assert_silent_about("did not end within");
    end.assert_said("graceful: exit code 124: out of time, still running: ");
    assert_eq!(end.printed(), ["up", "blocking"], "{end}");
}

#[test]
fn one_that_blocks_the_runtime_is_told_from_those_it_kept_from_running() {
    let (asked, end) = stopped(service("after_blocks", "current_thread"));
    end.assert_code(124);
    end.assert_gone_between(asked, BUDGET / 4, BUDGET + PROMPTLY / 3);
    end.assert_said("after_stop hook `registry` did not end within ");
    for name in ["pool", "cache"] {
        end.assert_said(&format!("after_stop hook `{name}` was not run"));
    }
}

/// On a runtime with one thread of its own, a hook that blocks it keeps from running what it waits for.
#[test]
fn one_that_blocks_for_a_task_of_the_runtime_needs_a_thread_beside_it() {
    for flavour in FLAVOURS {
        let (_, end) = stopped(service("after_waits", flavour));
        // On one thread, whichever that is. On the other flavour main's thread runs no tasks, and there is one worker.
        end.assert_code(124);
        end.assert_said("after_stop hook `exporter` did not end within ");
        end.assert_silent_about("panicked");
        assert!(!end.printed().contains(&"answered: true"), "{end}");

        let (asked, end) = stopped(service("after_waits_on_the_pool", flavour));
        end.assert_code(0);
        end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
        end.assert_printed("answered: true");
        the_others_ran(&end);
    }
}

#[test]
fn one_on_the_pool_that_fails_or_panics_is_1_and_named() {
    for (case, how) in
        [("after_fails_on_the_pool", r#"failed: "gone""#), ("after_panics_on_the_pool", "panicked: gone")]
    {
        for flavour in FLAVOURS {
            let (asked, end) = stopped(service(case, flavour));
            end.assert_code(1);
            end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
            end.assert_said(&format!("graceful: exit code 1: after_stop hook `registry` {how}"));
            the_others_ran(&end);
        }
    }
}

#[test]
fn one_on_the_pool_that_hangs_leaves_the_others_their_share_and_is_left_behind() {
    for flavour in FLAVOURS {
        let (asked, end) = stopped(service("after_hangs_on_the_pool", flavour));
        end.assert_code(124);
        end.assert_printed("has its share: true");
        end.assert_gone_between(asked, BUDGET / 4, BUDGET);
        end.assert_said("graceful: exit code 124: after_stop hook `registry` did not end within ");
        the_others_ran(&end);
    }
}

#[test]
fn one_that_comes_too_late_is_named() {
    let (_, end) = stopped(service("too_late", "multi_thread"));
    end.assert_said("after_stop hook `straggler` was not run");
    assert!(!end.printed().contains(&"the straggler ran"), "{end}");
    the_others_ran(&end);
}
