//! Ends that go wrong in themselves.

use std::time::{Duration, Instant};

use graceful_tests::{End, Signal};

use crate::clean::{everything_in_order, job_done};
use crate::row::{BUDGET, PROMPTLY, Row, Stage, row};
use crate::scene::pause;

pub(crate) fn rows() -> Vec<Row> {
    [panics(), exits(), outputs()].into_iter().flatten().collect()
}

fn panics() -> Vec<Row> {
    let row = |name, case| row("nasty", name, case);
    vec![
        row("a destructor panics on the abort", "destructor_panics")
            .forced()
            .unhurried()
            .panics(1)
            .says("  upload (tests/faults/child/nasty.rs:")
            .says("  worker `upload` panicked in a destructor")
            .says("graceful: exit code 124: out of time, still running: upload"),
        row("the same at an abort through the handle, to be logged", "destructor_panics_at_an_abort")
            .act(|scene| {
                scene.prints("up");
                scene.says("worker `uploads` panicked in a destructor");
                scene.terminate()
            })
            .panics(1),
        row("a panic's payload panics as it is dropped", "payload_panics")
            .act(|scene| scene.says("panicked at"))
            .code(101)
            .panics(2)
            .says("graceful: exit code 101: worker `upload` panicked: a payload that is not text"),
        row("the same in main", "payload_of_main_panics")
            .by_itself()
            .code(101)
            .panics(2)
            .says("graceful: exit code 101: main panicked: a payload that is not text"),
        // The time that std takes to print a backtrace is not part of the case.
        row("a panic during a panic", "panics_twice")
            .act(|scene| scene.says("panicked at"))
            .killed(Signal::SIGABRT)
            .gone(Duration::ZERO, 10 * BUDGET)
            .panics(3)
            .says("no route to host")
            .says("the connection was open")
            .silent_about("graceful: exit code"),
        // The docs say what this profile loses: nothing is drained, nothing is dropped, and there is no report.
        row("a panic in a build with panic=abort", "worker_panics")
            .on(&["panic_abort"])
            .by_itself()
            .killed(Signal::SIGABRT)
            .gone(Duration::ZERO, BUDGET)
            .panics(1)
            .silent_about("graceful: exit code")
            .look(|end| assert!(end.printed().is_empty(), "something ran\n{end}")),
    ]
}

fn exits() -> Vec<Row> {
    let row = |name, case| row("nasty", name, case);
    vec![
        row("an atexit handler that sleeps", "atexit_sleeps")
            .forced()
            .prints("exit handler called")
            .says("a destructor, a value given to keep() or an exit handler took the rest"),
        row("standard output stays locked at exit", "locks_stdout"),
        row("a part of a line on standard output", "half_a_line")
            .look(|end| assert_eq!(end.printed(), ["up", "half a line"], "{end}")),
        row("a logging guard given to keep", "logs").look(no_line_is_lost),
        row("a kill_on_drop child, its worker told", "kill_on_drop"),
        row("a kill_on_drop child, its worker aborted", "kill_on_abort")
            .aborted()
            .unhurried()
            .says("graceful: exit code 124: out of time, still running: child"),
    ]
}

/// Standard output and standard error without a reader.
fn outputs() -> Vec<Row> {
    let row = |name, case| row("nasty", name, case);
    let stuck = |name, case| row(name, case).of("stuck");
    let job = |name| {
        let row = row(name, "job").of("clean").budget("15s");
        row.look(everything_in_order).act(|scene| {
            scene.prints("job begun");
            scene.terminate();
            job_done(scene)
        })
    };
    vec![
        row("standard output closed", "without_stdout").after("exec >&-").act(|scene| {
            scene.says("up");
            scene.terminate()
        }),
        row("standard output full", "without_stdout").after("exec >/dev/full").act(|scene| {
            scene.says("up");
            scene.terminate()
        }),
        job("standard error closed, a job in hand").after("exec 2>&-"),
        stuck("standard error closed, thread::sleep", "sleeps").after("exec 2>&-").forced(),
        job("standard error's reader gone, a job in hand").at(Stage::BrokenPipe),
        stuck("standard error's reader gone, pending", "waits").at(Stage::BrokenPipe).aborted(),
        job("standard error a full pipe, a job in hand").at(Stage::FullPipe),
        stuck("standard error a full pipe, pending", "waits").at(Stage::FullPipe).forced(),
        stuck("standard error a full pipe, thread::sleep", "sleeps").at(Stage::FullPipe).forced(),
        stuck("standard error a full pipe, spinning", "spins").at(Stage::FullPipe).forced().alone(),
        stuck("standard error a full pipe, a slow waker", "waker_sleeps").at(Stage::FullPipe).forced(),
        stuck("standard error a full pipe, a failure first", "fails_first").at(Stage::FullPipe).forced().code(1),
        stuck("standard error a full pipe, two interrupts", "waits")
            .at(Stage::FullPipe)
            .budget("1h")
            .act(|scene| {
                scene.prints("up");
                scene.interrupt();
                scene.prints("main saw the stop");
                pause(200);
                scene.interrupt()
            })
            .code(130),
        job("the terminal closed, a job in hand").at(Stage::Terminal).act(|scene| {
            scene.prints("job begun");
            scene.hang_up();
            scene.terminate();
            job_done(scene)
        }),
        stuck("the terminal closed, thread::sleep", "sleeps")
            .at(Stage::Terminal)
            .act(|scene| {
                scene.prints("up");
                scene.hang_up();
                scene.terminate()
            })
            .forced(),
        row("in the background of a terminal with tostop", "idle").of("clean").at(Stage::Background).act(|scene| {
            scene.prints("up");
            scene.enter_the_job();
            scene.terminate()
        }),
        row("the terminal closed, which is its SIGHUP", "idle")
            .of("clean")
            .on(&["many_signals"])
            .at(Stage::ControllingTerminal)
            .act(|scene| {
                scene.prints("up");
                let now = Instant::now();
                scene.hang_up();
                now
            })
            .gone(Duration::ZERO, PROMPTLY),
    ]
}

/// What workers, hooks and main have logged is there, in their order.
fn no_line_is_lost(end: &End) {
    let printed = end.printed();
    let workers = printed.iter().filter(|line| line.ends_with(": flushed"));
    assert_eq!(workers.count(), 20, "of the workers\n{end}");
    for line in ["before_stop: left", "on_stop: pushed", "main: done"] {
        assert!(printed.contains(&&*format!("log: {line}")), "no `{line}`\n{end}");
    }
    assert!(printed.ends_with(&["log: after_stop: closed", "log: closed"]), "the last\n{end}");
}
