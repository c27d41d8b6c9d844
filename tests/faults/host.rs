//! What a process finds around it: limits, no environment, no `/proc`, and programs that start others.

use std::time::{Duration, Instant};

use graceful_tests::Signal;

use crate::row::{BUDGET, PROMPTLY, Row, Stage, row};
use crate::scene::Scene;

/// Debuggers take their time to load a program.
const LOADING: Duration = Duration::from_secs(60);

pub(crate) fn rows() -> Vec<Row> {
    [little(), starters(), tracers()].into_iter().flatten().collect()
}

fn idle(name: &'static str) -> Row {
    row("host", name, "idle").of("clean").says("graceful: stopping: SIGTERM").says("graceful: stopped in ")
}

fn blocks(name: &'static str) -> Row {
    let row = row("host", name, "blocks").of("stuck").forced();
    row.names("blocks", "still running after ").says("ms, blocking its thread (")
}

/// Less than usual.
fn little() -> Vec<Row> {
    vec![
        idle("no environment").inside("env", "-i TESTS_RUN=\"$TESTS_RUN\""),
        idle("16 open files").after("ulimit -n 16"),
        blocks("16 open files, a blocking worker").after("ulimit -n 16"),
        idle("a stack of 64 kB").after("ulimit -s 64"),
        blocks("a stack of 64 kB, a blocking worker").after("ulimit -s 64"),
        idle("no /proc").at(Stage::Mounts("mount -t tmpfs none /proc")),
        blocks("no /proc, a blocking worker").at(Stage::Mounts("mount -t tmpfs none /proc")),
        idle("a read-only root").at(Stage::Mounts("mount -o remount,bind,ro /")),
        idle("as nobody, without capabilities").at(Stage::Nobody),
        blocks("as nobody, without capabilities, a blocking worker").at(Stage::Nobody),
    ]
}

/// Programs that become another, or start it and wait.
fn starters() -> Vec<Row> {
    vec![
        // It ignores SIGHUP, among whose signals that is.
        idle("nohup").on(&["many_signals"]).inside("nohup", "").act(|scene| {
            scene.prints("up");
            scene.send(Signal::SIGHUP);
            scene.terminate()
        }),
        idle("setsid").inside("setsid", "-w").act(terminate_it),
        // It passes the signal on, and then the code.
        idle("timeout, which gets SIGTERM").inside("timeout", "60").act(terminate_at_rest),
        blocks("timeout, which gets SIGTERM, a blocking worker").inside("timeout", "60").act(terminate_at_rest),
        // What it says itself: the program has ended with 0.
        idle("timeout, when the time is over")
            .inside("timeout", "1")
            .by_itself()
            .code(124)
            .gone(Duration::from_secs(1), Duration::from_secs(1) + 2 * PROMPTLY),
    ]
}

/// Programs that watch each step of another. They make it slow.
fn tracers() -> Vec<Row> {
    let slowly = |row: Row, by| row.patient(LOADING).gone(Duration::ZERO, by).alone();
    let gdb = "-q -batch -ex 'handle SIGTERM nostop noprint pass' -ex run -ex 'quit $_exitcode' --args";
    vec![
        slowly(idle("strace").inside("strace", "-f -o /dev/null").act(terminate_it), Duration::from_secs(1)),
        blocks("strace, a blocking worker")
            .inside("strace", "-f -o /dev/null")
            .act(terminate_it)
            .gone(BUDGET * 9 / 10, 2 * BUDGET)
            .alone(),
        slowly(idle("gdb").inside("gdb", gdb).act(terminate_it), Duration::from_secs(3)),
        // One thread at a time, and each some fifty times slower: a budget of a second may not do.
        slowly(idle("valgrind").inside("valgrind", "-q --error-exitcode=99").budget("30s"), Duration::from_secs(10)),
    ]
}

/// Sends SIGTERM to the program itself, and not to the one that has started it.
fn terminate_it(scene: &mut Scene) -> Instant {
    scene.prints("up");
    scene.enter_the_job();
    scene.terminate()
}

/// Sends SIGTERM to the one that has started the program, once it has nothing left to do: in the moment after its fork
/// `timeout` does not know its child yet, and leaves it behind.
fn terminate_at_rest(scene: &mut Scene) -> Instant {
    scene.prints("up");
    scene.settle();
    scene.terminate()
}
