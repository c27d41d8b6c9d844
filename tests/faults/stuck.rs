//! Ends that something holds up until the deadline: 124, in time, and everything stuck is named.

use std::time::Duration;

use graceful_tests::{End, Line, Signal};

use crate::expected::of_ours;
use crate::row::{BUDGET, PROMPTLY, Row, row};
use crate::scene::again_unless;

/// The hint for a main that cannot know of the stop.
const HINT: &str = "main never asked whether it is stopping";

/// Waiting in an `.await`, or at least polled now and then.
const AWAITING: &str = "still running after ";
/// Inside its first poll.
const BLOCKING: &str = "still running, blocking its thread (";

pub(crate) fn rows() -> Vec<Row> {
    [waiting(), blocking(), hidden(), hooks(), main_itself(), reports()].into_iter().flatten().collect()
}

fn case(name: &'static str, case: &'static str) -> Row {
    row("stuck", name, case)
}

/// Workers that wait in an `.await`, which the abort ends.
fn waiting() -> Vec<Row> {
    vec![
        case("ignores the token", "ignores")
            .aborted()
            .names("ignores", AWAITING)
            .says("graceful: exit code 124: out of time, still running: ignores"),
        case("pending forever", "waits")
            .aborted()
            .names("waits", AWAITING)
            .says(", waiting in an await")
            .says("  the stop interrupts no await: waits would end by graceful::stopping() or ")
            .says("graceful: exit code 124: out of time, still running: waits")
            .silent_about(HINT)
            .silent_about("untracked"),
        case("pending forever: destructors run on the abort", "waits")
            .aborted()
            .unhurried()
            .prints("dropped: the worker's value")
            .prints("dropped: main's value"),
        case("awaits its own handle", "awaits_itself")
            .aborted()
            .names("awaits", AWAITING)
            .says("deadlock: `awaits` awaits its own handle; only the deadline resolves it")
            .silent_about("the stop interrupts no await"),
        case("two await each other's handle", "await_each_other").aborted().names("awaits", "2 still running after "),
        case("awaits an untracked spawn_blocking that does not end", "awaits_a_thread")
            .aborted()
            .names("awaits_a_thread", AWAITING)
            .says(", waiting in an await"),
        case("awaits an untracked task that does not end", "awaits_untracked")
            .aborted()
            .unhurried()
            .names("awaits_untracked", AWAITING)
            .says(", waiting in an await")
            .says("  1 task of a bare tokio::spawn was dropped: start it with graceful::spawn")
            .prints("dropped: the untracked task's value"),
        case("several of a function are counted", "many")
            .forced()
            .names("waits", "3 still running after ")
            .says("graceful: exit code 124: out of time, still running: waits ×3, blocks"),
        case("a failure before the deadline decides the code", "fails_first")
            .aborted()
            .code(1)
            .names("waits", AWAITING)
            .says(r#"graceful: exit code 1: worker `flush` failed: "the disk is full", still running: waits"#),
    ]
}

/// Workers that keep their thread.
fn blocking() -> Vec<Row> {
    vec![
        case("spins on the only thread", "spins").forced().alone().names("spins", BLOCKING),
        case("spins on the only thread, and main waits", "spins")
            .on(&["current_thread"])
            .forced()
            .alone()
            .says("  `spins` blocks the runtime's only thread: nothing else was polled"),
        case("spins on every thread", "spins_on_two")
            .on(&["two_threads"])
            .forced()
            .overloaded()
            .names("spins_with", "2 still running, blocking its thread ("),
        case("spins on one of two threads", "spins_on_one_of_two")
            .on(&["two_threads"])
            .forced()
            .alone()
            .names("spins", BLOCKING)
            .says("graceful: exit code 124: out of time, still running: spins"),
        // Where that is not permitted `chrt` says so, and it is the first case once more.
        case("spins in real time, on the only core it may use", "spins")
            .on(&["current_thread"])
            .after("taskset -cp 0 $$ >&2; chrt -fp 50 $$")
            .forced()
            .alone()
            .names("spins", BLOCKING),
        case("asks for the stop, then spins", "stops_then_spins")
            .act(|scene| scene.prints("up"))
            .forced()
            .alone()
            .names("stops_then_spins", BLOCKING),
        case("an always-ready loop, the stop polled last", "always_ready")
            .forced()
            .alone()
            .names("always_ready", AWAITING)
            .says(", blocking its thread ("),
        // Main's own thread is blocked as well on one runtime: main has checked its token, and gets no hint.
        case("thread::sleep", "sleeps").forced().names("sleeps", BLOCKING).silent_about(HINT),
        case("a blocking worker that does not end", "blocks")
            .forced()
            .names("blocks", "still running after ")
            .says("ms, blocking its thread (")
            .prints("dropped: main's value"),
        case("a tracked spawn_blocking that does not end", "blocks_unannotated")
            .forced()
            .says("  copy (tests/faults/child/stuck.rs:")
            .says("ms, blocking its thread ("),
        // A second thread writes the report past the lock, and gets the time to.
        case("standard error stays locked", "locks_stderr")
            .forced()
            .says("  write (tests/faults/child/stuck.rs:")
            .says("ms, blocking its thread (")
            .says("graceful: exit code 124: out of time, still running: write"),
        // The next thing written is the report.
        case("standard error is locked during the stop", "locks_stderr_when_told")
            .act(|scene| {
                scene.prints("up");
                let asked = scene.terminate();
                scene.says("stopping: SIGTERM");
                scene.tell("go");
                asked
            })
            .forced()
            .says("  write (tests/faults/child/stuck.rs:")
            .says("graceful: exit code 124: out of time, still running: write"),
    ]
}

/// Destructors and wakers.
fn hidden() -> Vec<Row> {
    vec![
        case("a destructor that sleeps, after the abort", "destructor_sleeps")
            .forced()
            .unhurried()
            .names("destructor_sleeps", AWAITING)
            .prints("dropping slowly"),
        case("a result whose destructor sleeps", "leaves_a_slow_result")
            .forced()
            .names("leaves_a_slow_result", "still running")
            .prints("dropping slowly"),
        case("the same where main holds the handle", "leaves_a_slow_result_to_main")
            .forced()
            .says("  main: still running")
            .prints("dropping slowly"),
        // The stop ends with the destructor.
        case("a result whose destructor takes its time", "leaves_a_result")
            .code(0)
            .gone(Duration::from_millis(150), Duration::from_millis(150) + PROMPTLY)
            .prints("dropped: the result"),
        case("a result dropped in time, beside one who waits", "leaves_a_result_beside_one_who_waits")
            .aborted()
            .names("waits", AWAITING)
            .prints("dropped: the result")
            .silent_about("leaves_a_result"),
        // Main's thread runs the destructor, and cannot be interrupted; on another thread nothing waits for it.
        case("an untracked task's destructor sleeps", "untracked_destructor_sleeps").on(&["current_thread"]).forced(),
        case("an untracked task's destructor sleeps", "untracked_destructor_sleeps")
            .on(&["multi_thread"])
            .gone(Duration::ZERO, PROMPTLY),
        case("a kept value's destructor sleeps", "kept_value_sleeps")
            .forced()
            .says("a destructor, a value given to keep() or an exit handler took the rest")
            .prints("dropping slowly"),
        case("a destructor of main's thread sleeps", "thread_local_sleeps")
            .forced()
            .says("a destructor, a value given to keep() or an exit handler took the rest")
            .prints("dropping slowly"),
        case("a waker that sleeps inside the cancel", "waker_sleeps")
            .forced()
            .says("a waker is blocking the stop: code woken by a cancelled token has not returned")
            .prints("waker called")
            .prints("dropped: main's value"),
        case("the same inside a worker", "waker_sleeps_in_a_worker").forced().prints("waker called"),
    ]
}

/// A hook in each stage.
fn hooks() -> Vec<Row> {
    vec![
        // Aborted when half the budget is gone.
        case("a before_stop hook that hangs", "before_hangs")
            .code(124)
            .gone(BUDGET / 2, BUDGET)
            .prints("main saw the stop")
            .says("graceful: exit code 124: before_stop hook `registry` did not end within 2"),
        case("an on_stop hook that hangs", "on_hangs")
            .aborted()
            .says("  on_stop hook `metrics`: still running after ")
            .says("graceful: exit code 124: out of time, still running: metrics"),
        case("an after_stop hook that hangs", "after_hangs").forced().says("after_stop hook `pool`"),
    ]
}

/// Main.
fn main_itself() -> Vec<Row> {
    vec![
        case("main never looks at its token", "main_never_looks")
            .aborted()
            .unhurried()
            .says("  main: still running after ")
            .says(HINT)
            .prints("dropped: main's value"),
        case("main spins", "main_spins")
            .forced()
            .alone()
            .says("  main: still running, blocking its thread (thread `main` for ")
            .says(HINT),
        case("main looks at its token and stays", "main_looks_and_stays")
            .aborted()
            .says("  main: still running after ")
            .silent_about(HINT),
    ]
}

/// The report: last on standard error, and short.
fn reports() -> Vec<Row> {
    vec![
        case("a signal after the report", "sleeps").on(&["current_thread"]).forced().unhurried().act(|scene| {
            scene.prints("up");
            let asked = scene.terminate();
            scene.says("graceful: exit code 124");
            again_unless(scene.try_to_send(Signal::SIGTERM));
            asked
        }),
        // It holds up nothing else.
        case("a waker that sleeps, and a hook of the end", "waker_sleeps_before_a_hook")
            .forced()
            .unhurried()
            .says("a waker is blocking the stop: code woken by a cancelled token has not returned")
            .silent_about("main and all workers were joined")
            .prints("pool closed"),
        case("thirty names of wide characters", "waits_with_wide_names")
            .aborted()
            .act(|scene| scene.prints("up"))
            .code(1)
            .look(is_short),
        case("a service with a long name", "waits").on(&["long_name"]).aborted().look(is_short),
        case("threads with names of many lines", "blocks").on(&["names_of_many_lines"]).forced().look(is_short),
    ]
}

/// Every line has the crate's prefix, and the report is no longer than what Kubernetes keeps.
fn is_short(end: &End) {
    let ours = end.stderr.iter().all(|line| line.text.starts_with("graceful"));
    assert!(ours, "whose line is this?\n{end}");
    let is_of_the_report = |line: &Line| {
        let begins = ["stop: ", "  ", "exit code "];
        of_ours(line).is_some_and(|text| begins.iter().any(|it| text.starts_with(it)))
    };
    let first = end.stderr.iter().position(is_of_the_report);
    let report = &end.stderr[first.expect("a report")..];
    let bytes: usize = report.iter().map(|line| line.text.len() + 1).sum();
    assert!(bytes <= 2048, "{bytes} bytes\n{end}");
}
