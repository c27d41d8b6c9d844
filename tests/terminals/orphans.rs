//! Processes that a PID 1 or a subreaper inherits: none stays a zombie, and nobody's child is taken.

use std::io::{Write, stderr};
use std::process::Command;

use graceful_tests::left_behind::{self, TAG};
use graceful_tests::terminal::Session;
use graceful_tests::{Child, End, Signal};
use nix::unistd::{Pid, geteuid};

const WRAPPER: &str = env!("CARGO_BIN_EXE_example-wrapper");
const REAPS: &str = env!("CARGO_BIN_EXE_reaps");

fn namespace() -> Vec<&'static str> {
    let user: &[_] = if geteuid().is_root() { &[] } else { &["--map-root-user"] };
    [user, &["--pid", "--fork", "--mount-proc"]].concat()
}

/// Whether there can be a namespace.
fn is_allowed() -> bool {
    let tried = Command::new("unshare").args(namespace()).arg("true").output();
    let is_allowed = tried.is_ok_and(|tried| tried.status.success());
    if !is_allowed {
        // Bypasses the capture of output: a skipped test must not look like a success.
        let _ = writeln!(stderr(), "\n*** SKIPPED: a test as PID 1, for want of a namespace (unshare --pid) ***\n");
    }
    is_allowed
}

/// Starts a program as PID 1 of a namespace: as root, or as any user where that is allowed.
fn start(tag: &str, words: &[&str]) -> Option<Child> {
    if !is_allowed() {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(namespace()).args(words).env(TAG, tag).env("GRACEFUL_STOP_TIMEOUT", "1s");
    Some(Child::start(&mut command))
}

fn end_of(words: &[&str]) -> Option<End> {
    start("orphans", words).map(Child::end)
}

/// The process that is PID 1 in the namespace of this run.
fn pid_1(tag: &str) -> Pid {
    left_behind::tagged(tag).into_iter().find(|&pid| left_behind::is_pid_1(pid)).expect("it is there")
}

#[test]
fn as_pid_1_every_orphan_is_reaped_and_nobodys_child() {
    let Some(end) = end_of(&[REAPS, "orphans", "reap"]) else { return };
    end.assert_code(0);
    end.assert_printed("living orphans: true");
    // Its own children, for which it has not waited yet.
    end.assert_printed("zombies: 6");
    end.assert_printed("codes: [1, 2, 3, 4, 5]");
    end.assert_printed("code of tokio's: Some(6)");
}

#[test]
fn without_the_option_nothing_is_reaped_that_is_not_waited_for() {
    let Some(end) = end_of(&[REAPS, "orphans"]) else { return };
    end.assert_printed("zombies: 46");
    end.assert_printed("codes: [1, 2, 3, 4, 5]");
}

#[test]
fn elsewhere_than_pid_1_the_option_changes_nothing() {
    let Some(end) = end_of(&["sh", "-c", "\"$@\"; exit $?", "sh", REAPS, "orphans", "reap"]) else { return };
    end.assert_code(0);
    end.assert_printed("codes: [1, 2, 3, 4, 5]");
}

#[test]
fn a_killed_group_leaves_no_zombie_to_pid_1() {
    let Some(end) = end_of(&[REAPS, "kill"]) else { return };
    end.assert_printed("zombies: 0");
}

#[test]
fn nor_does_one_that_has_ended() {
    let Some(end) = end_of(&[REAPS, "end"]) else { return };
    end.assert_code(0);
    end.assert_printed("others: 0");
}

#[test]
fn nor_to_a_subreaper() {
    let words = ["sh", "-c", "\"$@\"; exit $?", "sh", REAPS, "kill", "subreaper"];
    let Some(end) = end_of(&words) else { return };
    end.assert_printed("zombies: 0");
}

#[test]
fn a_process_with_threads_cannot_leave_pid_1_and_says_so_anywhere() {
    let end = Child::start(Command::new(REAPS).args(["end", "reap", "threads"])).end_in_panic();
    end.assert_code(101);
    end.assert_said("reap: this process has threads already");
}

/// As some parents leave it.
#[test]
fn with_sigchld_ignored_at_exec_it_ends_all_the_same() {
    let ignoring = "trap '' CHLD; exec \"$@\"";
    let Some(end) = end_of(&["bash", "-c", ignoring, "bash", WRAPPER, "sh", "-c", "exit 3"]) else { return };
    end.assert_code(3);
    let mut elsewhere = Command::new("bash");
    elsewhere.args(["-c", ignoring, "bash", WRAPPER, "sh", "-c", "exit 3"]);
    Child::start(&mut elsewhere).end().assert_code(3);
}

/// Sends a signal to PID 1 once the wrapper's command is up.
fn signalled(tag: &str, signal: Signal, script: &str) -> Option<End> {
    let child = start(tag, &[WRAPPER, "sh", "-c", script])?;
    child.prints("up");
    nix::sys::signal::kill(pid_1(tag), signal).expect("it can be signalled");
    let end = child.end();
    left_behind::assert_none(tag);
    Some(end)
}

#[test]
fn pid_1_passes_signals_on_and_ends_as_the_program() {
    let up = "echo up; exec sleep 100";
    let Some(end) = signalled("told", Signal::SIGTERM, up) else { return };
    end.assert_code(143);
    end.assert_said("stopping: SIGTERM");
    let end = signalled("interrupted", Signal::SIGINT, up).expect("namespaces are allowed");
    end.assert_code(143);
    end.assert_said("stopping: SIGINT");
    let stubborn = "trap : TERM; echo up; while :; do sleep 0.1; done";
    let end = signalled("stubborn", Signal::SIGTERM, stubborn).expect("namespaces are allowed");
    end.assert_code(124);
}

/// A program that is killed, as by the kernel when memory runs out.
#[test]
fn pid_1_ends_with_a_program_that_was_killed() {
    let tag = "killed";
    let Some(child) = start(tag, &[WRAPPER, "sh", "-c", "echo up; exec sleep 100"]) else { return };
    child.prints("up");
    let is_program = |pid: &Pid| left_behind::runs(*pid, WRAPPER.as_ref()) && !left_behind::is_pid_1(*pid);
    let program = left_behind::tagged(tag).into_iter().find(is_program).expect("the program is there");
    nix::sys::signal::kill(program, Signal::SIGKILL).expect("it can be signalled");
    child.end().assert_code(137);
    left_behind::assert_none(tag);
}

/// It is pending at exec, so PID 1 passes it on at once: long before the program has a handler.
#[test]
fn a_signal_that_comes_before_the_handlers_reaches_the_program() {
    let pending = "kill -TERM $$; exec \"$@\"";
    let words = ["env", "--block-signal=TERM", "sh", "-c", pending, "sh", WRAPPER, "sleep", "100"];
    let Some(end) = end_of(&words) else { return };
    end.assert_said("stopping: SIGTERM");
    end.assert_code(143);
}

/// As `docker run -it` has it: PID 1 leads the session, and no shell is there to resume a job.
#[test]
fn on_a_terminal_of_a_container_ctrl_z_does_nothing_and_ctrl_c_is_the_commands() {
    for (script, code) in [("echo up; read n; exit $n", 7), ("echo up; exec sleep 100", 130)] {
        let mut command = Command::new("unshare");
        if !is_allowed() {
            return;
        }
        command.args(namespace()).args(["setsid", "--ctty", WRAPPER, "sh", "-c", script]);
        let mut session = Session::start(command);
        session.shows("up\r\n");
        for _ in 0..3 {
            session.press("\x1a");
            session.shows("^Z");
        }
        session.press(if code == 7 { "7\n" } else { "\x03" });
        assert_eq!(session.end().code(), Some(code));
    }
}

/// The kernel signals the leader of the session alone.
#[test]
fn a_terminal_of_a_container_that_is_gone_stops_the_program() {
    if !is_allowed() {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(namespace()).args(["setsid", "--ctty", WRAPPER, "sh", "-c", "echo up; exec sleep 100"]);
    let mut session = Session::start(command);
    session.shows("up\r\n");
    session.hang_up();
    assert_eq!(session.end().code(), Some(143));
}

#[test]
fn what_the_environment_hands_to_pid_1_is_the_programs() {
    let script = "test \"$LISTEN_PID\" = 2 && test \"$WATCHDOG_PID\" = 7 && exit 5";
    let words = ["env", "LISTEN_PID=1", "WATCHDOG_PID=7", WRAPPER, "sh", "-c", script];
    let Some(end) = end_of(&words) else { return };
    end.assert_code(5);
}

#[test]
fn pid_1_holds_no_file_of_the_program() {
    let script =
        "ls -l /proc/1/fd | grep -v /dev/null | grep -c -- '->'; cat /proc/1/comm; wc -w </proc/1/task/1/children";
    let Some(end) = end_of(&[WRAPPER, "sh", "-c", script]) else { return };
    assert_eq!(end.printed(), ["0", "graceful-init", "1"], "{end}");
}
