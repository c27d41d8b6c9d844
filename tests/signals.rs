//! What a signal does, the second one, and what was set up for signals before the process started.
#![cfg(unix)]

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use graceful_tests::{Child, End, FLAVOURS, Signal};
use nix::pty::openpty;
use nix::sys::signal::{SigSet, SigmaskHow};

/// How long after the last worker, or after what forces it, the process may stay.
const PROMPTLY: Duration = Duration::from_millis(250);

/// The same signal within this is the same one.
const SAME: Duration = Duration::from_millis(100);

fn service(flavour: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
    command.arg(flavour);
    command
}

/// A service that is stuck, with all the time in the world.
fn stuck(flavour: &str, case: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stuck"));
    command
        .args([flavour, case])
        .env("GRACEFUL_STOP_TIMEOUT", "1h");
    command
}

/// The same after a shell has set something up.
fn after(setup: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{setup}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    shell
}

/// Lets the job in hand finish, and sees to it that everything ended as it should.
#[track_caller]
fn finishes_cleanly(mut child: Child) -> End {
    child.tell("go");
    let end = child.end();
    end.assert_code(0);
    let order = [
        "job done: true",
        "dropped: the connection",
        "dropped: what was kept second",
        "dropped: what was kept first",
    ];
    assert!(end.printed().ends_with(&order), "{end}");
    let last = end
        .stdout
        .iter()
        .find(|line| line.text == "dropped: the connection")
        .expect("it was printed");
    end.assert_gone_between(last.at, Duration::ZERO, PROMPTLY);
    end.assert_said("graceful: stopped in ");
    end
}

/// Waits until nobody but the job in hand is left.
#[track_caller]
fn wait_for_the_others(child: &Child) {
    child.prints("dropped: main's value");
    child.prints("dropped: the idle worker's value");
}

#[test]
fn either_signal_is_a_clean_stop() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        for flavour in FLAVOURS {
            let child = Child::start(&mut service(flavour));
            child.prints("job begun");
            child.send(signal);
            child.says(&format!(
                "graceful: stopping: {signal}; gone in 15 s at the latest"
            ));
            wait_for_the_others(&child);
            finishes_cleanly(child);
        }
    }
}

#[test]
fn a_stop_asked_for_by_a_thread_of_its_own_is_a_clean_stop() {
    for flavour in FLAVOURS {
        let mut child = Child::start(service(flavour).arg("stop_from_a_thread"));
        child.prints("job begun");
        child.prints("stopping on the next line: true");
        child.says("graceful: stopping: stop() at tests/children/service.rs:");
        wait_for_the_others(&child);
        child.tell("go");
        let end = child.end();
        end.assert_code(0);
        end.assert_printed("dropped: the connection");
    }
}

#[test]
fn a_second_interrupt_exits_130() {
    for case in ["waits", "spins", "sleeps", "main_spins", "waker_sleeps"] {
        for flavour in FLAVOURS {
            let child = Child::start(&mut stuck(flavour, case));
            child.prints("stuck");
            child.interrupt();
            child.says("stopping: SIGINT");
            thread::sleep(SAME + Duration::from_millis(10));
            let forced = child.interrupt();
            let end = child.end();
            end.assert_gone_between(forced, Duration::ZERO, PROMPTLY);
            end.assert_code(130);
            end.assert_said("graceful: exit code 130");
            end.assert_silent_about("out of time");
        }
    }
}

#[test]
fn two_interrupts_at_once_are_one() {
    let child = Child::start(&mut service("multi_thread"));
    child.prints("job begun");
    let first = child.interrupt();
    child.says("stopping: SIGINT");
    child.interrupt();
    assert!(
        first.elapsed() < SAME,
        "this machine is too slow to send two signals at once"
    );
    wait_for_the_others(&child);
    // Heard after the second interrupt.
    child.terminate();
    child.says("SIGTERM; stopping already");
    finishes_cleanly(child);
}

#[test]
fn a_key_held_down_forces_the_exit() {
    // None of them comes 100 ms after the one before; the third comes 100 ms after the first.
    let child = Child::start(&mut stuck("multi_thread", "waits"));
    child.prints("stuck");
    let begun = child.interrupt();
    child.says("stopping: SIGINT");
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(60));
        child.interrupt();
    }
    let end = child.end();
    end.assert_code(130);
    end.assert_gone_between(begun, SAME, SAME + PROMPTLY);
}

#[test]
fn a_second_termination_changes_nothing() {
    let child = Child::start(&mut service("current_thread"));
    child.prints("job begun");
    child.terminate();
    child.says("stopping: SIGTERM");
    thread::sleep(SAME + Duration::from_millis(10));
    child.terminate();
    child.says("SIGTERM; stopping already");
    wait_for_the_others(&child);
    finishes_cleanly(child);
}

#[test]
fn a_storm_of_terminations_is_one_stop() {
    let child = Child::start(&mut service("multi_thread"));
    child.prints("job begun");
    for _ in 0..1000 {
        child.terminate();
    }
    wait_for_the_others(&child);
    finishes_cleanly(child);
}

#[test]
fn an_interrupt_after_a_termination_is_the_first_one() {
    let child = Child::start(&mut service("multi_thread"));
    child.prints("job begun");
    child.terminate();
    child.says("stopping: SIGTERM");
    child.interrupt();
    child.says("SIGINT; stopping already");
    wait_for_the_others(&child);
    finishes_cleanly(child);
}

#[test]
fn two_interrupts_after_a_termination_exit_130() {
    let child = Child::start(&mut stuck("multi_thread", "waits"));
    child.prints("stuck");
    child.terminate();
    child.says("stopping: SIGTERM");
    child.interrupt();
    child.says("SIGINT; stopping already");
    thread::sleep(SAME + Duration::from_millis(10));
    let forced = child.interrupt();
    let end = child.end();
    end.assert_code(130);
    end.assert_gone_between(forced, Duration::ZERO, PROMPTLY);
}

#[test]
fn on_a_terminal_the_first_interrupt_says_what_a_second_does() {
    let terminal = openpty(None, None).expect("a terminal");
    let mut child = Child::start_with(&mut service("multi_thread"), Stdio::from(terminal.slave));
    child.prints("job begun");
    child.interrupt();
    wait_for_the_others(&child);
    child.tell("go");
    child.end().assert_code(0);
    let mut said = Vec::new();
    // Where the last of a terminal's writers is gone, Linux reads an error after what it wrote.
    let _ = File::from(terminal.master).read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("graceful: stopping; press Ctrl-C again to quit now"),
        "{said}"
    );
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    let child = Child::start(&mut after("trap '' INT", &service("multi_thread")));
    child.prints("job begun");
    for _ in 0..3 {
        child.interrupt();
        thread::sleep(SAME + Duration::from_millis(10));
    }
    child.terminate();
    child.says("stopping: SIGTERM");
    wait_for_the_others(&child);
    let end = finishes_cleanly(child);
    end.assert_silent_about("SIGINT");
}

#[test]
fn what_was_blocked_at_the_start_is_heard_and_said() {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTERM);
    let before = blocked
        .thread_swap_mask(SigmaskHow::SIG_BLOCK)
        .expect("a mask");
    let child = Child::start(&mut service("multi_thread"));
    before.thread_set_mask().expect("the mask from before");
    child.prints("job begun");
    child.says("SIGTERM was blocked when the process started");
    child.terminate();
    child.says("stopping: SIGTERM");
    wait_for_the_others(&child);
    finishes_cleanly(child);
}

#[test]
fn a_program_started_by_the_process_has_its_signals() {
    let end = Child::start(&mut Command::new(env!("CARGO_BIN_EXE_parent"))).end();
    end.assert_code(0);
    let expected: Vec<_> = ["main", "task", "blocking", "thread"]
        .iter()
        .flat_map(|from| {
            [
                format!("{from} TERM: Some(15)"),
                format!("{from} INT: Some(2)"),
            ]
        })
        .collect();
    assert_eq!(end.printed(), expected, "{end}");
}

#[test]
fn a_lifecycle_that_is_over_leaves_the_signals_as_they_were() {
    let child = Child::start(Command::new(env!("CARGO_BIN_EXE_twice")).arg("in_a_row"));
    for name in ["first", "second"] {
        child.prints(&format!("{name} entered"));
        child.terminate();
        child.prints(&format!("{name} stopped"));
        child.prints(&format!("{name} returned 3: true"));
    }
    child.prints("on its own");
    let asked = child.terminate();
    let end = child.end();
    assert_eq!(end.signal, Some(Signal::SIGTERM), "{end}");
    end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
}

#[test]
fn untracked_threads_do_not_hold_the_exit() {
    for case in ["reads_stdin", "sleeps"] {
        for flavour in FLAVOURS {
            let child =
                Child::start(Command::new(env!("CARGO_BIN_EXE_untracked")).args([flavour, case]));
            child.prints("under way");
            let asked = child.terminate();
            let end = child.end();
            end.assert_code(0);
            end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
        }
    }
}

#[test]
fn untracked_tasks_run_their_destructors() {
    for flavour in FLAVOURS {
        let child =
            Child::start(Command::new(env!("CARGO_BIN_EXE_untracked")).args([flavour, "waits"]));
        child.prints("under way");
        let asked = child.terminate();
        let end = child.end();
        end.assert_code(0);
        end.assert_gone_between(asked, Duration::ZERO, PROMPTLY);
        end.assert_printed("dropped: the untracked task's value");
    }
}
