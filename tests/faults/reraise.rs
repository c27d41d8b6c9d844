//! A command-line tool that dies of the signal it was stopped by: a shell's loop stops, an eviction is no success.

use graceful_tests::{End, Signal};

use crate::row::{Row, Stage, row};

/// On either runtime.
const BOTH: &[&str] = &["reraising_on_one_thread", "reraising"];

pub(crate) fn rows() -> Vec<Row> {
    let row = |name, case| row("reraise", name, case).on(BOTH);
    let tidied_up = |name, case, signal| row(name, case).killed(signal).look(is_tidy);
    vec![
        tidied_up("SIGTERM", "clean", Signal::SIGTERM).says("graceful: stopped in ").silent_about("exit code"),
        tidied_up("SIGINT", "clean", Signal::SIGINT)
            .act(|scene| {
                scene.prints("up");
                scene.interrupt()
            })
            .says("graceful: stopped in "),
        tidied_up("main Err because of it", "main_fails", Signal::SIGTERM)
            .silent_about("exit code")
            // Neither may cut into the other's line.
            .times(20)
            .look(|end| {
                is_tidy(end);
                let is_whole = |line: &str| end.stderr.iter().any(|said| said.text == line);
                assert!(is_whole(r#"Error: "interrupted""#), "{end}");
                let stopping = "graceful: stopping: SIGTERM; gone in 500 ms at the latest";
                assert!(is_whole(stopping), "{end}");
            }),
        row("SIGTERM as PID 1", "clean")
            .at(Stage::Pid1)
            .act(|scene| {
                scene.prints("up");
                scene.enter();
                scene.terminate()
            })
            .code(143)
            .look(is_tidy),
        row("SIGINT as PID 1", "clean")
            .at(Stage::Pid1)
            .act(|scene| {
                scene.prints("up");
                scene.enter();
                scene.interrupt()
            })
            .code(130)
            .look(is_tidy),
        // The kernel does not let PID 1 die of it, and so the end goes on.
        row("an atexit handler that sleeps, as PID 1", "atexit_sleeps")
            .at(Stage::Pid1)
            .act(|scene| {
                scene.prints("up");
                scene.enter();
                scene.terminate()
            })
            .forced()
            .says("a destructor, a value given to keep() or an exit handler took the rest")
            .silent_about("other code has replaced")
            .look(is_tidy),
        row("a worker's failure wins", "worker_fails")
            .code(1)
            .says(r#"graceful: exit code 1: worker `flush` failed: "the disk is full""#),
        row("main's panic wins", "main_panics")
            .code(101)
            .panics(1)
            .says("graceful: exit code 101: main panicked: out of luck"),
        row("the deadline wins", "worker_is_stuck")
            .aborted()
            .says("graceful: exit code 124: out of time, still running: upload"),
        row("the deadline wins over a second signal", "worker_is_stuck")
            .act(|scene| {
                scene.prints("up");
                let asked = scene.terminate();
                scene.says("stopping: SIGTERM");
                scene.interrupt();
                scene.says("SIGINT received; already stopping; another one quits now");
                asked
            })
            .aborted(),
        row("a stop that no signal caused", "stops_itself").by_itself(),
        tidied_up("a part of a line on standard output", "half_a_line", Signal::SIGTERM).look(|end| {
            is_tidy(end);
            assert_eq!(end.printed().last(), Some(&"half a line"), "{end}");
        }),
        row("standard output stays locked", "holds_stdout").forced(),
    ]
}

/// The ordinary end was complete.
fn is_tidy(end: &End) {
    end.assert_printed("tidied up");
    end.assert_printed("dropped: what was kept");
}
