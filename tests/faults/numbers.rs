//! The shortest and the longest budgets, very many workers, and a system with low limits.

use std::thread::available_parallelism;
use std::time::Duration;

use graceful_tests::End;

use crate::clean::DRAIN;
use crate::expected::Way;
use crate::row::{LATE, PROMPTLY, Row, Stage, row};
use crate::scene::{Scene, pause};

pub(crate) fn rows() -> Vec<Row> {
    [budgets(), many(), limits()].into_iter().flatten().collect()
}

fn stuck(name: &'static str, case: &'static str) -> Row {
    row("numbers", name, case).of("stuck")
}

fn budgets() -> Vec<Row> {
    let zero = |name, case| {
        let row = stuck(name, case).budget("0s");
        row.code(124).gone(Duration::ZERO, Duration::from_millis(50))
    };
    // Longer than the budget of the attribute, and without a limit.
    let no_limit = |name| {
        stuck(name, "waits").code(130).act(|scene| {
            scene.prints("up");
            scene.terminate();
            scene.says("still waiting for: waits (1 s)");
            scene.interrupt();
            scene.says("SIGINT received; already stopping; another one quits now");
            pause(200);
            scene.interrupt()
        })
    };
    let refused = |name, drain| {
        row("numbers", name, "idle")
            .of("clean")
            .with("GRACEFUL_DRAIN", drain)
            .by_itself()
            .code(2)
            .says("not shorter than the stop_timeout")
            .says("GRACEFUL_DRAIN")
            .look(is_refused)
    };
    vec![
        zero("a budget of zero, pending", "waits").says("  waits (tests/faults/child/stuck.rs:"),
        zero("a budget of zero, spinning", "spins").says("  spins (tests/faults/child/stuck.rs:").alone(),
        zero("a budget of zero, a blocking worker", "blocks").says("  blocks (tests/faults/child/stuck.rs:"),
        row("numbers", "a budget of zero, main Ok", "main_returns_alone")
            .of("clean")
            .budget("0s")
            .by_itself()
            .times(20),
        row("numbers", "a budget of zero, a result that takes a moment", "main_returns_alone")
            .of("clean")
            .on(&["slow_to_tell"])
            .budget("0s")
            .by_itself(),
        stuck("a budget from the environment", "waits")
            .budget("300ms")
            .code(124)
            .gone(Duration::from_millis(270), Duration::from_millis(300)),
        no_limit("a budget of Duration::MAX").on(&["for_ever"]),
        no_limit("a budget of none").budget("none"),
        no_limit("a budget beyond the clock").budget("18446744073709551615s"),
        no_limit("a budget of centuries").budget("9000000000s"),
        refused("a drain equal to the budget", "500ms"),
        refused("a drain longer than the budget", "1m"),
        row("numbers", "a budget shorter than the drain", "idle")
            .of("clean")
            .on(&["draining"])
            .budget("100ms")
            .by_itself()
            .code(2)
            .says("not shorter than the stop_timeout")
            .says("GRACEFUL_STOP_TIMEOUT")
            .look(is_refused),
    ]
}

fn many() -> Vec<Row> {
    let stuck = |name, case| row("numbers", name, case).of("stuck");
    let overrun = Duration::from_millis(200);
    vec![
        row("numbers", "a million workers joined", "million")
            .budget("2m")
            .patient(Duration::from_secs(60))
            .act(|scene: &mut Scene| {
                scene.prints("up");
                scene.terminate();
                scene.prints("joined: 1000000")
            })
            // The million are dropped with the runtime.
            .gone(Duration::ZERO, Duration::from_secs(5))
            .alone(),
        row("numbers", "4 spinners per core", "crowd")
            .on(&["crowd"])
            .forced()
            .overloaded()
            .says("  spins_with (tests/faults/child/stuck.rs:")
            .says(format!("): {} still running, blocking its thread (", 4 * cores())),
        // Main's thread and the watch both try to write the report when the wait for a blocking worker is over.
        stuck("96 deadlines, the report each time", "blocks")
            .on(&["multi_thread"])
            .budget("200ms")
            .times(96)
            .code(124)
            .gone(overrun * 9 / 10, overrun + LATE)
            .names("blocks", "still running after ")
            .says("ms, blocking its thread (")
            .says("graceful: exit code 124: out of time, still running: blocks")
            .overloaded(),
        stuck("96 deadlines, a result dropped at each", "leaves_a_slow_result")
            .on(&["multi_thread"])
            .budget("200ms")
            .times(96)
            .code(124)
            .gone(overrun * 9 / 10, overrun + LATE)
            .names("leaves_a_slow_result", "")
            .overloaded(),
        stuck("a wait that says for whom", "many")
            .on(&["multi_thread"])
            .budget("3s")
            .act(|scene| {
                scene.prints("up");
                let asked = scene.terminate();
                for (waited, after) in [("(1 s)", 1000), ("(2 s)", 2000)] {
                    let line = format!("still waiting for: waits ×3 {waited}, blocks {waited}");
                    let took = (scene.says(&line) - asked).as_millis();
                    assert!((after..after + 500).contains(&took), "said after {took} ms");
                }
                asked
            })
            .code(124)
            .gone(Duration::from_millis(2700), Duration::from_millis(3050))
            .prints("dropped: the worker's value"),
    ]
}

/// A resource that the system refuses is one line and exit code 2, and main is not run.
fn limits() -> Vec<Row> {
    let alone = |name| row("numbers", name, "main_returns_alone").of("clean").by_itself();
    let start = |name| alone(name).gone(Duration::ZERO, PROMPTLY).on(&["multi_thread"]);
    vec![
        // With three the loader finds no library.
        start("4 to 24 open files")
            .after_each((4..=24).map(|limit| format!("ulimit -n {limit}")))
            .either(&[Way::Code(0), Way::Code(2)])
            .panics_when_refused()
            .look(is_refused_or_fine)
            .look_at_all(|ends| {
                each_is_said(ends, "could not create a socket pair");
                each_is_said(ends, "could not install a handler for SIGTERM");
                each_is_said(ends, "could not install a handler for SIGINT");
                each_is_said(ends, "could not create a tokio runtime");
            }),
        start("1 to 8 threads")
            .on(&["two_threads"])
            .at(Stage::OwnUser)
            .after_each((1..=8).map(|limit| format!("prlimit --pid $$ --nproc={limit}")))
            .either(&[Way::Code(0), Way::Code(2)])
            .panics_when_refused()
            .look(is_refused_or_fine)
            .look_at_all(|ends| {
                each_is_said(ends, "could not create a thread");
                // For any user but root all of the user's threads count, and every limit is exceeded.
                if nix::unistd::geteuid().is_root() {
                    each_is_said(ends, "could not create a tokio runtime");
                    assert!(ends.iter().any(|end| end.code == Some(0)), "none was enough");
                }
            }),
        no_thread_left(stuck("no thread left for the stop, pending forever", "waits"))
            .aborted()
            .names("waits", "still running after ")
            .prints("dropped: the worker's value"),
        no_thread_left(stuck("no thread left for the stop, thread::sleep", "sleeps"))
            .forced()
            .names("sleeps", "still running, blocking its thread ("),
        no_thread_left(row("numbers", "no thread left for the stop, a drain", "fails_in_the_drain").of("clean"))
            .on(&["draining"])
            .code(1)
            .gone(DRAIN, DRAIN + PROMPTLY)
            .prints("told while draining"),
        start("no memory for a thread")
            .with("RUST_MIN_STACK", "1152921504606846976")
            .code(2)
            .says("graceful: cannot start: could not create a thread")
            .look(is_refused),
        start("no memory for a thread of the runtime")
            .on(&["huge_threads"])
            .code(2)
            .says("graceful: cannot start: could not create a tokio runtime")
            .prints("after the lifecycle")
            .panics(1)
            .look(|end| {
                has_no_runtime(end);
                assert_eq!(end.stdout.len(), 1, "main was run\n{end}");
            }),
    ]
}

/// The program runs, and then cannot create another thread.
fn no_thread_left(row: Row) -> Row {
    row.at(Stage::OwnUser).act(|scene| {
        scene.prints("up");
        scene.get_no_more_threads();
        scene.terminate()
    })
}

fn cores() -> usize {
    available_parallelism().map_or(2, usize::from)
}

/// One line on standard error, and main was not run.
fn is_refused(end: &End) {
    assert_eq!(end.stderr.len(), 1, "not one line\n{end}");
    assert!(end.has_said("graceful: "), "{end}");
    assert!(end.stdout.is_empty(), "main was run\n{end}");
}

/// The same for a runtime, whose refusal is a panic of tokio's, printed as any other.
fn has_no_runtime(end: &End) {
    let ours = end.stderr.iter().filter(|line| line.text.starts_with("graceful: "));
    assert_eq!(ours.count(), 1, "not one line\n{end}");
    let last = end.stderr.last().map_or("", |line| &line.text);
    assert!(last.starts_with("graceful: cannot start: could not create a tokio runtime: "), "{end}");
}

fn is_refused_or_fine(end: &End) {
    if end.code == Some(2) && end.has_said("panicked at") {
        has_no_runtime(end);
    } else if end.code == Some(2) {
        is_refused(end);
    } else {
        assert!(end.stderr.is_empty(), "it said something\n{end}");
    }
}

/// One of the runs was refused for this reason.
fn each_is_said(ends: &[End], part: &str) {
    assert!(ends.iter().any(|end| end.has_said(part)), "nobody said `{part}`");
}
