//! Other programs that run a command: around a program with a child, and as that child.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use graceful_tests::left_behind::{self, TAG};
use graceful_tests::{Child, End, Signal};

/// What happens to the outermost program once `up` was printed.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// It ends by itself; nothing has to be printed.
    Nothing,
    Gets(Signal),
}

use crate::skips;
use Act::{Gets, Nothing};

/// Runs a line of a shell, whose words have no spaces but in single quotes, and returns how it ended. `$W` and `$F` are
/// as in `job_control`. No process is left.
#[track_caller]
fn run(line: &str, act: Act) -> Option<End> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    if skips(line) {
        return None;
    }
    let tag = format!("runners-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {line}")]).env(TAG, &tag).env("GRACEFUL_STOP_TIMEOUT", "1s");
    shell.env("W", env!("CARGO_BIN_EXE_example-wrapper"));
    shell.env("F", concat!(env!("CARGO_BIN_EXE_wraps"), " foreground --"));
    let child = Child::start(&mut shell);
    if let Gets(signal) = act {
        child.prints_part("up");
        // In the moment after its fork `timeout` does not know its child yet, and leaves it behind.
        assert!(left_behind::settle(&tag), "it does not settle\n{child}");
        child.send(signal);
    }
    let end = child.end();
    left_behind::assert_none(&tag);
    Some(end)
}

/// A test for each row: the line, what happens, the exit code, and what was printed or said.
macro_rules! rows {
    ($($name:ident: $line:literal, $act:expr, $code:literal $(, $said:literal)*;)+) => {
        $(#[test] fn $name() {
            if let Some(end) = run($line, $act) {
                end.assert_code($code);
                $(assert!(end.to_string().contains($said), "no `{}`\n{end}", $said);)*
            }
        })+
    };
}

mod alone {
    use super::*;

    rows! {
        a_code: "$W sh -c 'exit 7'", Nothing, 7;
        no_code: "$W true", Nothing, 0;
        killed: "$W sh -c 'kill -KILL $$'", Nothing, 137;
        not_found: "$W /nowhere", Nothing, 127, "the child process could not be started: No such file or directory";
        not_a_program: "$W /etc/passwd", Nothing, 126, "the child process could not be started: Permission denied";
        sigterm: "$W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
        sigint: "$W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGINT), 143;
        sighup: "$W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGHUP), 143;
        a_code_after_sigterm: "$W sh -c 'trap \"exit 4\" TERM; echo up; while :; do sleep 0.1; done'", Gets(Signal::SIGTERM), 4;
        stubborn: "$W sh -c 'trap : TERM; echo up; while :; do sleep 0.1; done'", Gets(Signal::SIGTERM), 124, "out of time";
        a_pipe: "$W cat < /etc/hostname | cat", Nothing, 0;
    }
}

mod stop_signals {
    use super::*;

    // `$F` with one more word in front of `foreground --`.
    macro_rules! told {
        ($signal:literal, $trap:literal) => {
            concat!(
                "${F%% *} ",
                $signal,
                " -- sh -c 'trap \"echo told ",
                $trap,
                "; exit 5\" ",
                $trap,
                "; echo up; while :; do sleep 0.1; done'"
            )
        };
    }

    #[test]
    fn each_is_sent_and_nothing_else() {
        for (line, told) in [
            (told!("SIGINT", "INT"), "told INT"),
            (told!("SIGQUIT", "QUIT"), "told QUIT"),
            (told!("SIGWINCH", "WINCH"), "told WINCH"),
            (told!("10", "USR1"), "told USR1"),
        ] {
            let end = run(line, Gets(Signal::SIGTERM)).expect("nothing is missing");
            end.assert_code(5);
            end.assert_printed(told);
        }
    }

    rows! {
        an_end_by_it_is_the_status: "${F%% *} SIGQUIT -- sh -c 'ulimit -c 0; echo up; exec sleep 100'", Gets(Signal::SIGTERM), 131;
    }

    #[test]
    fn with_reraise_it_ends_as_the_child() {
        let end = run("${F%% *} reraise -- sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM));
        let end = end.expect("nothing is missing");
        assert_eq!(end.signal, Some(Signal::SIGTERM), "{end}");
    }
}

mod timeout {
    use super::*;

    rows! {
        around: "timeout 0.5 $W sleep 100", Nothing, 124, "stopping: SIGTERM";
        around_with_sigint: "timeout -s INT 0.5 $W sleep 100", Nothing, 124, "stopping: SIGINT";
        around_in_the_foreground: "timeout --foreground 0.5 $W sleep 100", Nothing, 124;
        around_with_its_status: "timeout --preserve-status 0.5 $W sleep 100", Nothing, 143;
        around_one_that_is_done: "timeout 5 $W sh -c 'exit 3'", Nothing, 3;
        around_a_stubborn_one: "timeout --preserve-status -k 5 0.5 $W sh -c 'trap : TERM; while :; do sleep 0.1; done'", Nothing, 124, "out of time";
        around_told: "timeout 50 $W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
        inside: "$W timeout 0.5 sleep 100", Nothing, 124;
        inside_told: "$W timeout 50 sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
    }
}

mod nohup {
    use super::*;

    rows! {
        around: "nohup $W sh -c 'echo up; sleep 0.5; exit 3'", Gets(Signal::SIGHUP), 3;
        around_told: "nohup $W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
        inside: "$W nohup sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
    }
}

mod setsid {
    use super::*;

    rows! {
        around: "setsid -w $W sh -c 'exit 3'", Nothing, 3;
        around_without_a_terminal: "setsid -w $F sh -c 'exec 3</dev/tty || exit 4'", Nothing, 2;
        // It leads a group, so it forks; the copy leaves the group and the session, and is not seen.
        inside: "$W setsid -w sh -c 'exit 3'", Nothing, 3;
    }
}

mod script {
    use super::*;

    rows! {
        around: "script -qec \"$W sh -c 'exit 3'\" /dev/null", Nothing, 3;
        around_told: "script -qec \"$W sh -c 'echo up; exec sleep 100'\" /dev/null", Gets(Signal::SIGTERM), 0;
        inside: "$W script -qec 'exit 3' /dev/null", Nothing, 3;
    }
}

mod tini {
    use super::*;

    rows! {
        around: "tini -s -- $W sh -c 'exit 3'", Nothing, 3;
        around_told: "tini -s -- $W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143, "stopping: SIGTERM";
        around_its_group: "tini -s -g -- $W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
        around_a_stubborn_one: "tini -s -- $W sh -c 'trap : TERM; echo up; while :; do sleep 0.1; done'", Gets(Signal::SIGTERM), 124;
        inside: "$W tini -s -- sh -c 'exit 3'", Nothing, 3;
        inside_told: "$W tini -s -- sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
    }
}

mod dumb_init {
    use super::*;

    rows! {
        around: "dumb-init $W sh -c 'exit 3'", Nothing, 3;
        around_told: "dumb-init $W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143, "stopping: SIGTERM";
        around_rewriting: "dumb-init -r 15:2 $W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143, "stopping: SIGINT";
        around_without_a_session: "dumb-init -c $W sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
        inside: "$W dumb-init -c sh -c 'echo up; exec sleep 100'", Gets(Signal::SIGTERM), 143;
    }
}
