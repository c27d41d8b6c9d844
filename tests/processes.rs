//! Child processes as workers: whether a child obeys or not, nothing it has started is left behind.
#![cfg(unix)]

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use graceful::{ChildCommand, ChildError, OnFailure, WorkerError};
use graceful_tests::client::PATIENCE;
use graceful_tests::{Child, End, Signal};
use nix::sys::signal::kill;
use nix::unistd::Pid;

const CHILDREN: &str = env!("CARGO_BIN_EXE_example-children");

/// A shell that ends in its own time.
const TIDY: &str = "trap 'echo told; sleep 0.3; echo done; exit 0' TERM; echo tidy is up; while :; do sleep 0.1; done";

/// A shell and a grandchild that ignore SIGTERM.
const STUBBORN: &str = "trap '' TERM; sleep 1000 & echo pid $!; echo pid $$; echo stubborn is up; wait";

/// The example with these commands.
fn start(scripts: &[&str]) -> Child {
    Child::start(Command::new(CHILDREN).args(scripts).env("GRACEFUL_STOP_TIMEOUT", "2s"))
}

#[test]
fn a_child_that_obeys_is_waited_for() {
    let program = start(&[TIDY]);
    program.prints("tidy is up");
    let asked = program.terminate();
    let end = program.end();
    end.assert_code(0);
    end.assert_printed("told");
    end.assert_printed("done");
    end.assert_gone_between(asked, Duration::from_millis(300), Duration::from_secs(2));
}

#[test]
fn a_child_that_sigterm_ends_has_ended_well() {
    let obeys = "trap 'exit 143' TERM; echo trap; while :; do sleep 0.1; done";
    let program = start(&["echo up; exec sleep 1000", "echo shell; sleep 1000; true", obeys]);
    for line in ["up", "shell", "trap"] {
        program.prints(line);
    }
    program.terminate();
    let end = program.end();
    end.assert_code(0);
    end.assert_silent_about("failed");
}

#[test]
fn a_child_that_was_told_and_ends_badly_has_failed() {
    let program = start(&["trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"]);
    program.prints("up");
    program.terminate();
    let end = program.end();
    end.assert_code(1);
    end.assert_said("failed: the child process ended: exit status: 3");
}

#[test]
fn one_that_does_not_obey_is_killed_with_its_group_at_the_deadline() {
    let program = start(&[TIDY, STUBBORN]);
    program.prints("tidy is up");
    program.prints("stubborn is up");
    let asked = program.terminate();
    let end = program.end();
    end.assert_code(124);
    end.assert_printed("done");
    end.assert_said("trap '' TERM; sleep 1000 & echo pid");
    end.assert_gone_between(asked, Duration::from_millis(1700), Duration::from_secs(3));
    assert_eq!(wait_until_gone(&end), 2);
}

#[test]
fn a_grandchild_that_outlives_its_parent_is_waited_for() {
    let slow = "(trap 'sleep 0.5; echo finished; exit 0' TERM; echo up; while :; do sleep 0.1; done) & exec sleep 1000";
    let program = start(&[slow]);
    program.prints("up");
    let asked = program.terminate();
    let end = program.end();
    end.assert_code(0);
    end.assert_printed("finished");
    end.assert_gone_between(asked, Duration::from_millis(500), Duration::from_secs(2));
}

#[test]
fn a_grandchild_that_does_not_obey_is_killed_though_its_parent_did() {
    let program =
        start(&["(trap '' TERM; sleep 1000 & echo pid $!; echo up; wait) & echo pid $!; echo leader; exec sleep 1000"]);
    program.prints("up");
    program.prints("leader");
    program.terminate();
    let end = program.end();
    end.assert_code(124);
    assert_eq!(wait_until_gone(&end), 2);
}

#[test]
fn a_child_that_fails_stops_the_others() {
    let end = start(&["exec sleep 1000", "exit 3"]).end();
    end.assert_code(1);
    end.assert_said("`exit 3` failed: the child process ended: exit status: 3");
    end.assert_silent_about("`exec sleep");
}

#[test]
fn what_a_child_leaves_behind_when_it_ends_is_killed() {
    let end = start(&["trap '' TERM; sleep 1000 & echo pid $!"]).end();
    end.assert_code(0);
    assert_eq!(wait_until_gone(&end), 1);
}

#[test]
fn a_second_interrupt_kills_the_children_that_are_left() {
    let program = start(&["echo brief", STUBBORN]);
    program.prints("brief");
    program.prints("stubborn is up");
    program.interrupt();
    program.says("still waiting for: "); // after a second: it is another interrupt
    program.interrupt();
    let end = program.end();
    end.assert_code(130);
    assert_eq!(wait_until_gone(&end), 2);
}

#[test]
fn a_suspended_child_hears_of_the_stop() {
    let program = start(&["echo pid $$; echo up; kill -STOP $$; exec sleep 1000"]);
    program.prints("up");
    let pid = pids(&program.to_string())[0];
    wait_until(|| state_of(pid) == Some('T'));
    program.terminate();
    let end = program.end();
    end.assert_code(0);
    assert_eq!(wait_until_gone(&end), 1);
}

#[test]
fn a_program_that_is_not_there_is_a_failure_that_says_so() {
    let end = Child::start(Command::new(CHILDREN).arg("up").env("PATH", "/nowhere")).end();
    end.assert_code(1);
    end.assert_said("worker `up` failed: the child process could not be started: No such file");
}

#[graceful::test]
async fn the_error_of_a_program_that_is_not_there_has_a_source() {
    let gone = graceful::child("gone", Command::new("/nowhere/up")).await;
    let error = gone.expect_err("nothing can be run");
    assert!(error.source().is_some(), "{error}");
}

type Told = Result<ExitStatus, WorkerError<ChildError>>;

#[graceful::test]
async fn the_handle_tells_how_a_child_ended_and_stops_it_alone() {
    let shell = |script| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::null());
        shell
    };
    let ended = graceful::child("fails", shell("exit 3")).on_failure(OnFailure::Log);
    let ended: Told = ended.spawn().await;
    assert!(
        matches!(&ended, Err(WorkerError::Failed(ChildError::Ended(status))) if status.code() == Some(3)),
        "{ended:?}"
    );
    let stopped = graceful::child("waits", shell("exec sleep 1000")).spawn();
    stopped.stop();
    let stopped: Told = stopped.await;
    assert!(stopped.is_ok_and(|status| !status.success()));
    assert!(!graceful::is_stopping());
    let by_another = ChildCommand::from(shell("exec sleep 1000")).stop_signal(graceful::Signal::User1);
    let stopped = graceful::child("waits", by_another).spawn();
    stopped.stop();
    let stopped: Told = stopped.await;
    assert!(stopped.is_ok_and(|status| status.signal() == Some(Signal::SIGUSR1 as i32)));
    let inline = graceful::child("inline", shell("true")).await;
    assert!(inline.is_ok_and(|status| status.success()));
}

#[graceful::test]
async fn a_child_that_fails_is_started_again() {
    let directory = std::env::temp_dir().join(format!("graceful-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("it is new");
    let mut shell = Command::new("sh");
    // The first run fails, the second finds the mark of the first.
    shell.args(["-c", "rmdir mark || { mkdir mark; exit 1; }"]).current_dir(&directory).stderr(Stdio::null());
    let again = graceful::child("again", shell).on_failure(OnFailure::Restart);
    let told: Told = again.spawn().await;
    assert!(told.is_ok(), "{told:?}");
    std::fs::remove_dir(&directory).expect("no mark is left");
}

/// Waits until all processes whose ids were printed are gone, and returns how many they are.
#[track_caller]
fn wait_until_gone(end: &End) -> usize {
    let pids = pids(&end.to_string());
    for &pid in &pids {
        wait_until(|| kill(pid, None::<Signal>).is_err() || state_of(pid) == Some('Z'));
    }
    pids.len()
}

/// The ids in lines such as `pid 4711`.
fn pids(printed: &str) -> Vec<Pid> {
    let numbers = printed.lines().filter_map(|line| line.split_once("| pid "));
    let number = |(_, number): (_, &str)| number.parse().expect("a number");
    numbers.map(number).map(Pid::from_raw).collect()
}

/// As `ps` shows it: `T` is suspended, `Z` waits for nothing but its parent.
fn state_of(pid: Pid) -> Option<char> {
    let ps = Command::new("ps").args(["-o", "state=", "-p", &pid.to_string()]).output();
    let state = ps.expect("ps runs").stdout;
    state.first().map(|&byte| char::from(byte))
}

#[track_caller]
fn wait_until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it does not come to that");
    }
}
