//! Signals: a second one and a thousand, and dispositions set before the start or behind the crate's back.

use std::time::{Duration, Instant};

use graceful_tests::{End, Signal};

use crate::clean::{everything_in_order, job_done};
use crate::row::{BUDGET, Row, Stage, row};
use crate::scene::{Scene, again_unless, pause};

/// How long it takes at the most to notice that a handler was replaced.
const NOTICED: Duration = Duration::from_secs(2);

/// The same signal within this is the same one.
const SAME: Duration = Duration::from_millis(100);

pub(crate) fn rows() -> Vec<Row> {
    [seconds(), inherited(), frozen()].into_iter().flatten().collect()
}

/// A second signal, and more.
fn seconds() -> Vec<Row> {
    let forced = |name, case| {
        row("signals", name, case)
            .of("stuck")
            .budget("1h")
            .act(two_interrupts)
            .code(130)
            .says("graceful: exit code 130: forced by a second SIGINT")
            .silent_about("out of time")
    };
    let job = |name| row("signals", name, "job").of("clean").budget("15s").look(everything_in_order);
    vec![
        forced("SIGINT, at +200 ms another: pending", "waits"),
        forced("SIGINT, at +200 ms another: thread::sleep", "sleeps"),
        forced("SIGINT, at +200 ms another: a slow waker", "waker_sleeps"),
        forced("SIGINT, at +200 ms another: spinning", "spins").alone(),
        forced("SIGINT, at +200 ms another: main spinning", "main_spins").alone(),
        forced("SIGINT, at +200 ms another: every thread spinning", "spins_on_two").on(&["two_threads"]).alone(),
        job("SIGINT, at +5 ms another: one stop").act(|scene| {
            scene.prints("job begun");
            let first = scene.interrupt();
            pause(5);
            scene.interrupt();
            again_unless(first.elapsed() < SAME);
            scene.says("stopping: SIGINT");
            // Handled after both.
            scene.terminate();
            scene.says("SIGTERM received; already stopping");
            job_done(scene)
        }),
        // None comes 100 ms after the one before; the third comes 100 ms after the first.
        forced("SIGINT every 60 ms, a key held down", "waits").act(|scene| {
            scene.prints("up");
            let first = scene.interrupt();
            scene.says("stopping: SIGINT");
            pause(60);
            scene.interrupt();
            again_unless(first.elapsed() < SAME);
            pause(60);
            scene.interrupt()
        }),
        job("SIGTERM, then SIGTERM: one stop")
            .act(|scene| {
                scene.prints("job begun");
                scene.terminate();
                scene.says("stopping: SIGTERM");
                pause(150);
                scene.terminate();
                scene.says("SIGTERM received; already stopping");
                job_done(scene)
            })
            .look(one_stop),
        job("SIGTERM, then SIGINT: one stop").act(|scene| {
            scene.prints("job begun");
            scene.terminate();
            scene.says("stopping: SIGTERM");
            scene.interrupt();
            scene.says("SIGINT received; already stopping; another one quits now");
            job_done(scene)
        }),
        forced("SIGTERM, then SIGINT, then SIGINT", "waits").act(|scene| {
            scene.prints("up");
            scene.terminate();
            scene.says("stopping: SIGTERM");
            scene.interrupt();
            scene.says("SIGINT received; already stopping; another one quits now");
            pause(200);
            scene.interrupt()
        }),
        job("1,000 SIGTERMs in a burst")
            .act(|scene| {
                scene.prints("job begun");
                for _ in 0..1000 {
                    scene.terminate();
                }
                job_done(scene)
            })
            .look(one_stop),
    ]
}

/// Dispositions that the process inherits, that it leaves to others, and that change behind its back.
fn inherited() -> Vec<Row> {
    let row = |name, case| row("signals", name, case);
    vec![
        row("SIGHUP and SIGINT ignored at exec", "idle")
            .after("trap '' HUP INT")
            .on(&["many_signals"])
            .act(|scene| {
                scene.prints("up");
                scene.send(Signal::SIGHUP);
                for _ in 0..2 {
                    scene.interrupt();
                    pause(150);
                }
                scene.terminate()
            })
            .says("stopping: SIGTERM")
            .silent_about("SIGINT")
            .silent_about("SIGHUP"),
        row("SIGTERM blocked at exec", "idle")
            .at(Stage::Blocked)
            .says("SIGTERM was blocked when the process started")
            .says("stopping: SIGTERM"),
        row("the mask of a program it starts", "starts_programs")
            .on(&["multi_thread"])
            .by_itself()
            .gone(Duration::ZERO, BUDGET)
            .look(|end| {
                let expected: Vec<_> = ["main", "task", "blocking", "thread"]
                    .iter()
                    .flat_map(|from| [format!("{from} TERM: Some(15)"), format!("{from} INT: Some(2)")])
                    .collect();
                assert_eq!(end.printed(), expected, "{end}");
            }),
        row("a handler replaced by the program", "replaces_handlers")
            .prints("the program's own handler")
            .says("other code has replaced the handler for SIGTERM, SIGINT: these signals ask for no stop any more"),
        row("a handler replaced by one that swallows the signal", "swallows_signals")
            .on(&["with_usr1"])
            .act(|scene| {
                scene.prints("up");
                let replaced = Instant::now();
                scene.says("other code has replaced the handler for SIGTERM, SIGINT: these signals ask for no stop any more");
                again_unless(replaced.elapsed() < NOTICED);
                scene.terminate();
                scene.prints("the program's own handler");
                scene.send(Signal::SIGUSR1)
            })
            .says("or call graceful::stop() in that handler")
            .says("stopping: SIGUSR1")
            .look(|end| {
                let said = end.stderr.iter().filter(|line| line.text.contains("has replaced the handler"));
                assert_eq!(said.count(), 1, "once\n{end}");
            }),
        row("the same, and an end that is not 0", "replaces_handlers_and_fails")
            .code(1)
            .says("graceful:   other code has replaced the handler for SIGTERM, SIGINT: these signals ask for no stop any more")
            .says("graceful: exit code 1: worker `flush` failed"),
    ]
}

/// Stopped for longer than its budget, and continued: it still does what it had time for.
fn frozen() -> Vec<Row> {
    let works = |name, case| {
        row("signals", name, case)
            .act(|scene| frozen_after(scene, "work in hand"))
            .says("stopping: SIGTERM")
            .says("it was stopped or frozen")
            .prints("work done")
    };
    vec![
        works("SIGSTOP beyond the budget, then CONT: a timer", "works_on"),
        works("SIGSTOP beyond the budget, then CONT: a thread", "works_on_blocking"),
        works("SIGSTOP beyond the budget, then CONT: a read", "reads_on"),
        row("signals", "SIGSTOP beyond the budget, then CONT: pending", "waits")
            .of("stuck")
            .act(|scene| frozen_after(scene, "main saw the stop"))
            .code(124)
            .says("graceful: exit code 124: out of time, still running: waits"),
    ]
}

fn two_interrupts(scene: &mut Scene) -> Instant {
    scene.prints("up");
    interrupt_twice(scene)
}

/// Returns when the second was sent.
pub(crate) fn interrupt_twice(scene: &Scene) -> Instant {
    scene.interrupt();
    scene.says("stopping: SIGINT");
    pause(200);
    scene.interrupt()
}

/// Stops the process during the stop, for longer than its budget. Returns when it goes on.
fn frozen_after(scene: &mut Scene, line: &str) -> Instant {
    scene.prints("up");
    scene.terminate();
    scene.prints(line);
    scene.settle();
    scene.send(Signal::SIGSTOP);
    scene.tell("go");
    pause(1000);
    scene.send(Signal::SIGCONT)
}

#[track_caller]
fn one_stop(end: &End) {
    everything_in_order(end);
    let stops = end.stderr.iter().filter(|line| line.text.contains("graceful: stopping: "));
    assert_eq!(stops.count(), 1, "stops\n{end}");
}
