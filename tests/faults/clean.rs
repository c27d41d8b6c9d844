//! Ends that nothing holds up: the right code, at once, and every worker waited for.

use std::time::{Duration, Instant};

use graceful_tests::{End, Signal};

use crate::row::{BUDGET, PROMPTLY, Row, Stage, row};
use crate::scene::Scene;

/// The drain of the runtime `draining`.
pub(crate) const DRAIN: Duration = Duration::from_millis(150);

pub(crate) fn rows() -> Vec<Row> {
    [asked(), ended_by_main(), failed(), let_go(), aborted()].into_iter().flatten().collect()
}

fn case(name: &'static str, case: &'static str) -> Row {
    row("clean", name, case)
}

/// A worker in it drains until the test has it finish.
fn drained(name: &'static str, case: &'static str) -> Row {
    row("clean", name, case).budget("15s")
}

/// A signal or the program itself asks for the stop.
fn asked() -> Vec<Row> {
    vec![
        case("SIGTERM, idle", "idle")
            .says("graceful: stopping: SIGTERM; gone in 500 ms at the latest")
            .says("graceful: stopped in "),
        case("an early worker waits for one of main's", "early_waits_for_main")
            .on(&["draining"])
            .gone(DRAIN, DRAIN + PROMPTLY)
            .prints("consumed")
            .silent_about("deadlock: "),
        // Some 50 ms of it are for a result that is on its way.
        case("a result is kept, beside an untracked task", "keeps_a_result").budget("150ms"),
        case("SIGINT, idle", "idle")
            .act(|scene| {
                scene.prints("up");
                scene.interrupt()
            })
            .says("graceful: stopping: SIGINT; gone in 500 ms at the latest")
            .says("graceful: stopped in "),
        case("a configured SIGQUIT, idle", "idle")
            .on(&["many_signals"])
            .act(|scene| {
                scene.prints("up");
                scene.send(Signal::SIGQUIT)
            })
            .says("graceful: stopping: SIGQUIT"),
        case("a job in hand is finished", "job")
            .budget("15s")
            .act(|scene| {
                scene.prints("job begun");
                scene.terminate();
                job_done(scene)
            })
            .look(everything_in_order),
        drained("stop() from a thread of its own", "stops_itself").act(|scene| {
            scene.prints("stopping on the next line: true");
            scene.says("graceful: stopping: stop() at tests/faults/child/clean.rs:");
            scene.tell("go");
            scene.prints("dropped: the connection")
        }),
    ]
}

/// Main ends.
fn ended_by_main() -> Vec<Row> {
    vec![
        drained("main Ok while a worker drains", "main_returns")
            .act(|scene| drained_after(scene, "main ended while workers were still running; stopping them: drain"))
            .silent_about("exit code"),
        case("main Ok with idle workers", "main_returns_beside_idlers")
            .act(|scene| scene.prints("up"))
            .says("main ended while workers were still running; stopping them: idle")
            .silent_about("exit code"),
        case("main Ok, alone", "main_returns_alone").by_itself().look(is_silent),
        drained("main Err", "main_fails")
            .act(|scene| drained_after(scene, " while workers were still running; stopping them: drain"))
            .code(1)
            .silent_about("main awaits graceful::stopping()")
            .silent_about("exit code")
            .look(|end| {
                let lines = end.stderr.iter().filter(|line| line.text.contains("out of luck"));
                assert_eq!(lines.count(), 1, "printed once\n{end}");
            }),
        drained("main panics", "main_panics")
            .act(|scene| drained_after(scene, "main panicked: out of luck"))
            .code(101)
            .panics(1)
            .says("graceful: exit code 101: main panicked: out of luck"),
        case("main panics beside a sleeping spawn_blocking", "main_panics_beside_a_sleeper")
            .act(|scene| scene.says("panicked at"))
            .code(101)
            .panics(1)
            .says("graceful: exit code 101: main panicked: out of luck"),
        drained("main panics with a worker's result in hand", "main_panics_with_a_result_in_hand")
            .act(|scene| drained_after(scene, "main panicked: out of luck"))
            .code(101)
            .panics(1)
            .silent_about("fetch"),
        drained("ExitCode 7 from main", "main_gives_7")
            .act(|scene| drained_after(scene, " while workers were still running; stopping them: drain"))
            .code(7),
        case("ExitCode 7 from main, then the deadline", "main_gives_7_and_leaves_one_stuck")
            .act(|scene| scene.prints("up"))
            .code(7)
            .gone(BUDGET * 8 / 10, BUDGET)
            .says("graceful: exit code 7")
            .says("upload (tests/faults/child/clean.rs:"),
    ]
}

/// Workers fail.
fn failed() -> Vec<Row> {
    vec![
        drained("worker Err, the others drained", "worker_fails")
            .act(|scene| drained_after(scene, r#"worker `fetch` failed: "no route to host""#))
            .code(1)
            .prints("main saw the stop")
            .says("graceful: stop: worker `fetch` failed")
            .says(r#"graceful: exit code 1: worker `fetch` failed: "no route to host""#),
        drained("worker panics, the others drained", "worker_panics")
            .act(|scene| drained_after(scene, "worker `fetch` panicked: no route to host"))
            .code(101)
            .panics(1)
            .prints("main saw the stop")
            .says("graceful: exit code 101: worker `fetch` panicked: no route to host"),
        drained("a worker's result panics as it is dropped", "result_panics")
            .act(|scene| drained_after(scene, "the connection was open"))
            .code(101)
            .panics(1)
            .says("graceful: exit code 101: worker `fetch` panicked"),
        drained("a worker panics as it goes", "worker_panics_as_it_goes")
            .act(|scene| drained_after(scene, "the connection was open"))
            .code(101)
            .panics(1)
            .says("graceful: exit code 101: worker `fetch_over` panicked"),
        case("two workers fail at once", "two_fail").act(|scene| scene.says("stopping: worker `")).code(1).look(
            |end| {
                let [fetch, store] =
                    [r#"worker `fetch` failed: "no route to host""#, r#"worker `store` failed: "no space left""#];
                let report = |first: &str, second: &str| {
                    end.has_said(&format!("graceful: exit code 1: {first}"))
                        && end.has_said(&format!("graceful:   {second}"))
                };
                assert!(report(fetch, store) || report(store, fetch), "both are in it\n{end}");
            },
        ),
        case("worker Err during the drain, which goes on", "fails_in_the_drain")
            .on(&["draining"])
            .code(1)
            .gone(DRAIN, DRAIN + PROMPTLY)
            .prints("told while draining")
            .says("graceful: stop: SIGTERM")
            .says(r#"graceful: exit code 1: worker `flush` failed: "the disk is full""#),
        case("worker panics during the drain, which goes on", "panics_in_the_drain")
            .on(&["draining"])
            .code(101)
            .panics(1)
            .gone(DRAIN, DRAIN + PROMPTLY)
            .prints("told while draining")
            .says("graceful: stop: SIGTERM")
            .says("graceful: exit code 101: worker `flush` panicked: the disk is full"),
        case("Err during the drain, a panic after it", "fails_then_panics")
            .on(&["draining"])
            .code(1)
            .panics(1)
            .gone(DRAIN, DRAIN + PROMPTLY)
            .says("graceful:   worker `late panic` panicked: no more luck")
            .says(r#"graceful: exit code 1: worker `flush` failed: "the disk is full""#),
    ]
}

/// Untracked tasks and threads.
fn let_go() -> Vec<Row> {
    vec![
        case("a worker that ends early", "ends_early").prints("migrated"),
        case("exit() in the midst of it", "worker_exits").by_itself().code(5).gone(Duration::ZERO, BUDGET),
        case("untracked thread::sleep", "sleeps_untracked").act(under_way),
        case("untracked read of stdin", "reads_stdin").act(under_way),
        case("untracked read of tokio's stdin", "reads_tokios_stdin").act(under_way),
        case("untracked FIFO open through tokio::fs", "opens_a_fifo").at(Stage::Fifo).act(under_way),
        case("an untracked task runs its destructors", "waits_untracked")
            .act(under_way)
            .prints("dropped: the untracked task's value"),
        case("an untracked task has a moment for its destructors", "drops_untracked")
            .act(under_way)
            .prints("dropped: in a moment"),
    ]
}

/// A worker that blocks is aborted in the midst of a run, which only the end of the process can cut off.
fn aborted() -> Vec<Row> {
    let swept = |name, program| {
        let sweep = Duration::from_millis(200);
        case(name, program).act(|scene| scene.prints("aborted")).gone(sweep / 2, sweep + PROMPTLY).prints("swept")
    };
    vec![
        swept("a run is aborted: of a worker that is restarted", "aborts_a_run_that_would_come_again"),
        swept("a run is aborted: of a worker that is repeated", "aborts_a_run_that_is_repeated"),
        swept("a run is aborted: of a worker with its own budget", "aborts_a_run_with_a_budget"),
    ]
}

/// Lets the worker that drains finish once this line was printed: nothing waits for it before. Returns when it was
/// done.
fn drained_after(scene: &mut Scene, line: &str) -> Instant {
    scene.says(line);
    scene.tell("go");
    scene.prints("drained")
}

/// Terminates it once the untracked work is under way.
fn under_way(scene: &mut Scene) -> Instant {
    scene.prints("under way");
    scene.prints("up");
    scene.terminate()
}

/// Waits until only the job in hand is left, and lets it finish. Returns when it was done.
pub(crate) fn job_done(scene: &mut Scene) -> Instant {
    scene.prints("dropped: main's value");
    scene.prints("dropped: the idle worker's value");
    scene.tell("go");
    scene.prints("dropped: the connection")
}

/// The job was finished, and what was kept was dropped after it.
pub(crate) fn everything_in_order(end: &End) {
    let order =
        ["job done: true", "dropped: the connection", "dropped: what was kept second", "dropped: what was kept first"];
    assert!(end.printed().ends_with(&order), "not in order\n{end}");
}

/// Standard error is empty.
fn is_silent(end: &End) {
    assert!(end.stderr.is_empty(), "it said something\n{end}");
}
