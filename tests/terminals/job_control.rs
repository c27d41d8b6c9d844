//! What a person at a terminal does to a job: Ctrl-C, Ctrl-Z, `fg`, `bg`, `&`, and what the shell says.

use graceful_tests::Signal;
use graceful_tests::terminal::{PROMPT, Session};

use crate::skips;
use Step::{Hangs, Has, Is, Keys, Line, Never, Send, Shows};

/// A step of a row.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Types a line.
    Line(&'static str),
    /// Types characters.
    Keys(&'static str),
    /// Waits for this text, behind the one that was waited for before.
    Shows(&'static str),
    /// Every process of this name is in that state: `T` is suspended, `S` waits.
    Is(&'static str, char),
    /// Sends a signal to every process of this name.
    Send(&'static str, Signal),
    /// This text is on the screen, wherever.
    Has(&'static str),
    /// This text is nowhere on the screen.
    Never(&'static str),
    /// The line is gone.
    Hangs,
}

const CTRL_C: Step = Keys("\x03");
const CTRL_Z: Step = Keys("\x1a");
const CTRL_BACKSLASH: Step = Keys("\x1c");

/// The shell is ready for the next command.
const READY: Step = Shows(PROMPT);

/// Plays a row in front of a new terminal. `$W` is the example `wrapper`, `$B` a program around a child that is not in
/// the foreground, `$F` one around a child that is. No process is left at the end.
#[track_caller]
fn play(shell: &str, steps: &[Step]) {
    for step in steps {
        if let Line(line) = *step
            && skips(line)
        {
            return;
        }
    }
    let wraps = env!("CARGO_BIN_EXE_wraps");
    let mut session = Session::of_shell(
        shell,
        &[
            ("W", env!("CARGO_BIN_EXE_example-wrapper")),
            ("B", &format!("{wraps} --")),
            ("F", &format!("{wraps} foreground --")),
            ("GRACEFUL_STOP_TIMEOUT", "2s"),
        ],
    );
    for step in steps {
        match *step {
            Line(line) => session.line(line),
            Keys(keys) => session.press(keys),
            Shows(text) => session.shows(text),
            Is(program, state) => session.is_in_state(program, state),
            Send(program, signal) => session.send(program, signal),
            Has(text) => {
                let screen = session.screen();
                assert!(screen.contains(text), "`{text}` is not on\n{screen}");
            }
            Never(text) => {
                let screen = session.screen();
                assert!(!screen.contains(text), "`{text}` is on\n{screen}");
            }
            Hangs => session.hang_up(),
        }
    }
    session.exit();
}

/// A test for each row, in each of these shells.
macro_rules! rows {
    ($($shell:ident)+, $rows:tt) => {
        $(mod $shell {
            #[allow(clippy::wildcard_imports)] // a table
            use super::*;
            rows! { @ $shell $rows }
        })+
    };
    (@ $shell:ident { $($name:ident: $($step:expr),+;)+ }) => {
        $(#[test] fn $name() { play(stringify!($shell), &[$($step),+]); })+
    };
}

rows! { bash dash, {
    it_reads_from_the_terminal:
        Line("$W sh -c 'echo up; read n; exit $n'"), Shows("up\r\n"), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    ctrl_c_is_the_childs_alone:
        Line(r#"$W sh -c 'trap "echo heard; exit 5" INT; echo up; read n'"#), Shows("up\r\n"), CTRL_C, Shows("heard\r\n"), READY,
        Line("echo code=$?"), Shows("code=5"), READY, Never("stopping");
    ctrl_c_kills_it_as_any_job:
        Line("$W sh -c 'echo up; exec sleep 100'"), Shows("up\r\n"), CTRL_C, READY,
        Line("echo code=$?"), Shows("code=130"), READY, Never("stopping");
    ctrl_backslash_too:
        Line("ulimit -c 0; $W sh -c 'echo up; exec sleep 100'"), Shows("up\r\n"), CTRL_BACKSLASH, READY,
        Line("echo code=$?"), Shows("code=131"), READY, Never("stopping");
    without_the_foreground_ctrl_c_stops_the_wrapper_and_the_wrapper_its_child:
        Line(r#"$B sh -c 'trap "echo told; exit 5" TERM; echo up; while :; do sleep 0.1; done'"#), Shows("up\r\n"), CTRL_C,
        READY, Line("echo code=$?"), Shows("code=5"), READY, Has("told\r\n"), Has("press Ctrl-C again to quit now");
    ctrl_z_suspends_both_and_fg_resumes_both:
        Line("$W sh -c 'echo up; read n; exit $n'"), Shows("up\r\n"), CTRL_Z, Shows("Stopped"), READY,
        Is("example-wrapper", 'T'), Is("sh", 'T'),
        Line("echo shell=$((1+1))"), Shows("shell=2"), READY,
        Line("fg"), Shows("read n"), Is("sh", 'S'), Is("example-wrapper", 'S'), Line("8"), READY,
        Line("echo code=$?"), Shows("code=8"), READY;
    ctrl_z_twice:
        Line("$W sh -c 'echo up; read n; exit $n'"), Shows("up\r\n"), CTRL_Z, Shows("Stopped"), READY, Is("sh", 'T'),
        Line("fg"), Shows("read n"), Is("sh", 'S'), Is("example-wrapper", 'S'), CTRL_Z, Shows("Stopped"), READY, Is("sh", 'T'),
        Line("fg"), Shows("read n"), Is("sh", 'S'), Is("example-wrapper", 'S'), Line("9"), READY,
        Line("echo code=$?"), Shows("code=9"), READY;
    bg_resumes_both_and_a_read_suspends_both_again:
        Line("$W sh -c 'sleep 0.7; echo a\"\"gain; read n; exit $n'"), Is("sleep", 'S'), CTRL_Z, Shows("Stopped"), READY,
        Is("sh", 'T'), Line("bg"), Shows("again\r\n"), Is("sh", 'T'), Is("example-wrapper", 'T'),
        Line("jobs"), Shows("Stopped"), READY,
        Line("fg"), Shows("read n"), Is("sh", 'S'), Is("example-wrapper", 'S'), Line("2"), READY,
        Line("echo code=$?"), Shows("code=2"), READY;
    bg_lets_it_work:
        Line("$W sh -c 'sleep 0.5; echo d''one; sleep 0.2; exit 3'"), Is("sleep", 'S'), CTRL_Z, Shows("Stopped"), READY, Is("sh", 'T'),
        Line("bg; wait; echo code=$((1+1))"), Shows("done\r\n"), Shows("code=2"), READY;
    a_job_of_the_background_that_reads_waits_for_fg:
        Line("$W sh -c 'read n; exit $n' &"), READY, Is("example-wrapper", 'T'), Is("sh", 'T'),
        Line("jobs"), Shows("Stopped"), READY,
        Line("fg"), Shows("read n"), Is("sh", 'S'), Is("example-wrapper", 'S'), Line("4"), READY,
        Line("echo code=$?"), Shows("code=4"), READY;
    a_running_job_gets_the_terminal_when_it_reads_after_fg:
        Line("$W sh -c 'echo u''p; sleep 0.7; read n; exit $n' &"), Shows("up\r\n"), Line("fg"), Line("6"), READY,
        Line("echo code=$?"), Shows("code=6"), READY;
    with_tostop_a_job_of_the_background_that_writes_waits_for_fg:
        Line("stty tostop"), READY,
        Line("$W sh -c 'echo f''rom the background; exit 3' &"), READY, Is("example-wrapper", 'T'),
        Line("jobs"), Shows("Stopped"), READY, Never("from the background"),
        Line("fg"), Shows("from the background\r\n"), READY, Line("echo code=$?"), Shows("code=3"), READY;
    the_wrapper_writes_its_lines_despite_tostop:
        Line("stty tostop"), READY,
        Line("$W sh -c 'echo up; exec sleep 100'"), Shows("up\r\n"), Send("example-wrapper", Signal::SIGTERM),
        Shows("stopping: SIGTERM"), READY, Line("echo code=$?"), Shows("code=143"), READY;
    sigterm_while_the_child_has_the_terminal:
        Line("$W sh -c 'trap \"exit 3\" TERM; echo up; while :; do sleep 0.1; done'"), Shows("up\r\n"),
        Send("example-wrapper", Signal::SIGTERM), READY, Line("echo code=$?"), Shows("code=3"), READY;
    sigterm_while_both_are_suspended:
        Line("$W sh -c 'echo up; read n'"), Shows("up\r\n"), CTRL_Z, Shows("Stopped"), READY, Is("sh", 'T'),
        Send("example-wrapper", Signal::SIGTERM), Line("fg"), READY, Line("echo code=$?"), Shows("code=143"), READY;
    a_suspend_from_elsewhere_frees_the_terminal_too:
        Line("$W sleep 100"), Is("sleep", 'S'), Send("sleep", Signal::SIGSTOP), Shows("Stopped"), READY,
        Line("fg"), Is("sleep", 'S'), CTRL_C, READY, Line("echo code=$?"), Shows("code=130"), READY;
    a_wrapper_that_is_suspended_alone_resumes_its_child_after_fg:
        Line("$W sh -c 'sleep 0.5; read n; exit $n'"), Is("sleep", 'S'),
        Send("example-wrapper", Signal::SIGSTOP), Shows("Stopped"), READY, Is("sh", 'T'),
        Line("fg"), Is("example-wrapper", 'S'), Is("sh", 'S'), Line("5"), READY, Line("echo code=$?"), Shows("code=5"), READY;
    a_shell_inside_has_jobs_of_its_own:
        Line("$W bash --norc --noprofile --noediting -i"), READY, Line("sleep 100"), Is("sleep", 'S'), CTRL_Z, Shows("Stopped"), READY,
        Is("example-wrapper", 'S'), Line("fg"), Is("sleep", 'S'), CTRL_C, READY,
        Line("exit 6"), READY, Line("echo code=$?"), Shows("code=6"), READY;
    suspend_of_a_shell_inside:
        Line("$W bash --norc --noprofile --noediting -i"), READY, Line("suspend"), Shows("Stopped"), READY,
        Is("example-wrapper", 'T'), Line("fg"), Line("exit 6"), READY, Line("echo code=$?"), Shows("code=6"), READY;
    the_terminal_is_given_back_in_a_script:
        Line("sh -c '$W sh -c \"read n; exit 3\"; read line; echo got=$line'"), Is("example-wrapper", 'S'), Line("first"),
        Line("second"), Shows("got=second"), READY;
    and_when_nothing_could_be_executed:
        Line("sh -c '$W /nowhere; echo code=$?; read line; echo got=$line'"), Shows("No such file"), Shows("code=127"),
        Line("text"), Shows("got=text"), READY;
    and_when_it_is_not_a_program:
        Line("sh -c '$W /etc/passwd; echo code=$?; read line; echo got=$line'"), Shows("Permission denied"), Shows("code=126"),
        Line("text"), Shows("got=text"), READY;
    and_at_the_deadline:
        Line(r#"sh -c '$W sh -c "trap : TERM; echo up; while :; do sleep 0.1; done"; echo code=$?; read line; echo got=$line'"#),
        Shows("up\r\n"), Send("example-wrapper", Signal::SIGTERM), Shows("code=124"), Line("text"), Shows("got=text"), READY;
    a_child_that_reads_without_the_foreground_is_named:
        Line("$B sh -c 'read n; exit 3'"),
        Shows("child process `wrapped` is suspended by SIGTTIN: it read from the terminal in the background"),
        Is("sh", 'T'), CTRL_C, READY, Line("echo code=$?"), Shows("code=143"), READY;
    one_that_writes_with_tostop_too:
        Line("stty tostop"), READY, Line("$B sh -c 'echo text; exit 3'"),
        Shows("child process `wrapped` is suspended by SIGTTOU: it wrote to the terminal"),
        Is("sh", 'T'), CTRL_C, READY, Line("echo code=$?"), Shows("code=143"), READY;
    one_that_somebody_suspends_too:
        Line("$B sleep 100"), Is("sleep", 'S'), Send("sleep", Signal::SIGSTOP), Shows("is suspended by SIGSTOP"),
        Send("sleep", Signal::SIGCONT), Is("sleep", 'S'), CTRL_C, READY;
    a_pipeline_is_one_job:
        Line("$F sh -c 'sleep 0.5; echo end' | cat"), Is("sleep", 'S'), CTRL_Z, Shows("Stopped"), READY, Is("cat", 'T'),
        Line("fg"), Shows("end\r\n"), READY;
    timeout_around_one_that_reads_ends_it:
        Line("timeout 0.7 $W sh -c 'read n'"), READY, Line("echo code=$?"), Shows("code=124"), READY;
    timeout_around_in_the_foreground:
        Line("timeout --foreground 9 $W sh -c 'read n; exit $n'"), Is("sh", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    timeout_inside_in_the_foreground:
        Line("$W timeout --foreground 9 sh -c 'read n; exit $n'"), Is("sh", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    nohup_around:
        Line("nohup $W sh -c 'echo up >/dev/tty; sleep 0.3; exit 7' >/dev/null"), Shows("up\r\n"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    setsid_around:
        Line("setsid -w $W sh -c 'read n; exit $n'"), Is("example-wrapper", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    script_around:
        Line("script -qec \"$W sh -c 'read n; exit \\$n'\" /dev/null"), Is("example-wrapper", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    script_inside:
        Line("$W script -qec \"sh -c 'read n; exit \\$n'\" /dev/null"), Is("script", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    tini_around:
        Line("tini -s -- $W sh -c 'read n; exit $n'"), Is("example-wrapper", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    tini_inside:
        Line("$W tini -s -- sh -c 'read n; exit $n'"), Is("tini", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    ctrl_c_under_tini:
        Line("tini -s -- $W sleep 100"), Is("sleep", 'S'), CTRL_C, READY, Line("echo code=$?"), Shows("code=130"), READY;
    dumb_init_around:
        Line("dumb-init $W sh -c 'read n; exit $n'"), Is("example-wrapper", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    dumb_init_inside:
        Line("$W dumb-init sh -c 'read n; exit $n'"), Is("dumb-init", 'S'), Line("7"), READY,
        Line("echo code=$?"), Shows("code=7"), READY;
    nothing_is_left_when_the_terminal_is_gone:
        Line("$W sh -c 'echo up; read n'"), Shows("up\r\n"), Hangs;
    nothing_is_left_when_it_goes_without_the_foreground:
        Line("$B sh -c 'echo up; exec sleep 100'"), Shows("up\r\n"), Hangs;
} }

mod the_shell_says_why {
    #[allow(clippy::wildcard_imports)] // a table
    use super::*;

    rows! { dash, {
        it_reads:
            Line("$W sh -c 'read n' &"), READY, Is("example-wrapper", 'T'), Line("jobs"), Shows("Stopped (tty input)"), READY,
            Line("kill %1; fg"), READY;
        it_writes:
            Line("stty tostop"), READY, Line("$W sh -c 'echo text' &"), READY, Is("example-wrapper", 'T'),
            Line("jobs"), Shows("Stopped (tty output)"), READY, Line("kill %1; fg"), READY;
    } }
}
