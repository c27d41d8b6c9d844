//! The order in which the workers of a process end, and what becomes of one that takes too long.
#![cfg(unix)]

use std::process::Command;
use std::time::Duration;

use graceful_tests::{Child, FLAVOURS};

const PROMPTLY: Duration = Duration::from_millis(300);

/// The drain of the program.
const DRAIN: Duration = Duration::from_millis(300);

fn service(case: &str, flavour: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_staged"));
    let child = Child::start(command.args([case, flavour]).env_remove("GRACEFUL_DRAIN"));
    child.prints("up");
    child
}

#[test]
fn each_stage_is_told_when_the_one_before_is_done() {
    for flavour in FLAVOURS {
        let child = service("stages", flavour);
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(0);
        let work = Duration::from_millis(100);
        end.assert_gone_between(asked, DRAIN + work, DRAIN + work + PROMPTLY);
        let mut printed = end.printed();
        // Main and its workers are told to stop in no particular order.
        printed[3..5].sort_unstable();
        let order = [
            "up",
            "early told",
            "early done",
            "main told",
            "worker told",
            "worker done",
            "late told",
            "late done",
            "last told",
            "last done",
        ];
        assert_eq!(printed, order, "{end}");
    }
}

#[test]
fn a_worker_beyond_its_own_budget_is_aborted_and_named() {
    for flavour in FLAVOURS {
        let child = service("overruns", flavour);
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(124);
        // Its own budget begins when it is told to stop; the late worker has its time after it.
        let took = Duration::from_millis(300 + 200 + 50);
        end.assert_gone_between(asked, took, took + PROMPTLY);
        let said = "worker `upload` did not end within 200 ms and was aborted";
        end.assert_said(&format!("graceful: {said}"));
        end.assert_said(&format!("graceful: exit code 124: {said}"));
        let printed = end.printed();
        let dropped = printed.iter().position(|line| *line == "dropped: the part");
        let late = printed.iter().position(|line| *line == "late told");
        assert!(dropped.is_some() && dropped < late, "{end}");
        assert_eq!(printed.last(), Some(&"late done"), "{end}");
    }
}

#[test]
fn a_run_in_hand_is_finished_and_none_is_begun() {
    for flavour in FLAVOURS {
        let mut child = service("ticks", flavour);
        child.prints("run 1 begun");
        child.tell("go");
        child.prints("run 2 begun");
        let asked = child.terminate();
        child.says("stopping: SIGTERM");
        // The drain has time for many more.
        child.tell("go");
        let done = child.prints("run done: true") - asked;
        assert!(done < DRAIN, "{child}");
        let end = child.end();
        end.assert_code(0);
        end.assert_gone_between(asked, DRAIN, DRAIN + PROMPTLY);
        let runs = |part: &str| end.printed().iter().filter(|line| line.contains(part)).count();
        assert_eq!((runs("begun"), runs("done")), (2, 2), "{end}");
    }
}

#[test]
fn a_run_in_hand_is_waited_for() {
    for flavour in FLAVOURS {
        let mut child = service("ticks", flavour);
        child.prints("run 1 begun");
        child.terminate();
        child.prints("main told");
        child.says("still waiting for: tick");
        child.tell("go");
        let done = child.prints("run done: true");
        let end = child.end();
        end.assert_code(0);
        end.assert_gone_between(done, Duration::ZERO, PROMPTLY);
        assert_eq!(end.printed().len(), 4, "{end}");
    }
}
