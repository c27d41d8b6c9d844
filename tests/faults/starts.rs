//! Signals while a process starts and while it ends, and where it is the first of its namespace.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use graceful_tests::Signal;

use crate::expected::Way;
use crate::row::{Row, Stage, row};
use crate::signals::interrupt_twice;

/// How often a process is signalled at a random moment of its start. `FAULTS_SWEEPS` sets another number.
const SWEEPS: usize = 500;

pub(crate) fn rows() -> Vec<Row> {
    [starts(), before_the_start(), as_pid_1()].into_iter().flatten().collect()
}

/// While a process starts, and while it ends.
fn starts() -> Vec<Row> {
    let row = |name, case| row("signals", name, case);
    vec![
        row("SIGTERM during a synchronous start-up", "starts_up").budget("15s").act(|scene| {
            scene.prints("main entered");
            scene.terminate();
            scene.says("stopping: SIGTERM");
            scene.tell("go");
            scene.prints("stopping before the first await: true")
        }),
        row("SIGTERM while the runtime is built", "idle")
            .on(&["slow_to_build"])
            .act(|scene| {
                scene.prints("runtime entered");
                scene.terminate();
                scene.says("stopping: SIGTERM");
                scene.tell("go");
                scene.prints("main saw the stop")
            })
            .look(|end| {
                let order = ["runtime entered", "up", "main saw the stop"];
                assert_eq!(end.printed(), order, "{end}");
            }),
        row("SIGTERM during a start-up longer than the budget", "starts_up_for_ever")
            .forced()
            .says("  main: still running, blocking its thread (thread `main` for "),
        row("SIGTERM during the teardown", "tears_down").budget("15s").act(|scene| {
            scene.prints("tearing down");
            scene.terminate();
            scene.says("SIGTERM received; already stopping");
            scene.tell("go");
            scene.prints("torn down")
        }),
        // Several at once, more than there are cores.
        row("SIGTERM at a random 0-5 ms after exec", "idle")
            .on(&["current_thread"])
            .times(sweeps())
            .act(|scene| {
                sleep(at_random(5_000));
                scene.terminate()
            })
            .either(&[Way::Code(0), Way::Killed(Signal::SIGTERM)])
            .overloaded(),
        row("SIGTERM at a random 0-50 ms of the start-up", "starts_up_busily")
            .on(&["two_threads"])
            .budget("15s")
            .times(200)
            .act(|scene| {
                scene.prints("main entered");
                sleep(at_random(50_000));
                scene.terminate()
            })
            .prints("farewell")
            .says("stopping: SIGTERM")
            .overloaded(),
        row("SIGTERM pending from before the start", "starts_up_busily")
            .on(&["two_threads"])
            .at(Stage::Blocked)
            .budget("15s")
            .times(50)
            .act(|scene| scene.terminate())
            .prints("farewell")
            .overloaded(),
    ]
}

/// A thread older than the lifecycle spawns a worker as soon as there is a lifecycle, whose runtime starts slowly.
fn before_the_start() -> Vec<Row> {
    let eager = |name, runtime| {
        row("signals", name, "ends_early")
            .of("clean")
            .on(runtime)
            .times(4)
            .act(|scene| {
                scene.prints_part("eager worker ended: ");
                scene.prints("up");
                scene.terminate()
            })
            .prints("eager worker on slow")
            .prints("eager worker ended: Ok(())")
            .prints("migrated")
    };
    vec![
        eager("a thread from before spawns", &["eager_thread"]),
        eager("another runtime's task spawns", &["eager_runtime"]),
    ]
}

/// In a container without an init.
fn as_pid_1() -> Vec<Row> {
    let row = |name, case| row("signals", name, case).at(Stage::Pid1);
    vec![
        row("PID 1: SIGTERM", "idle")
            .act(|scene| {
                scene.prints("up");
                scene.enter();
                scene.terminate()
            })
            .says("stopping: SIGTERM"),
        row("PID 1: SIGTERM during start-up", "starts_up").budget("15s").act(|scene| {
            scene.prints("main entered");
            scene.enter();
            scene.terminate();
            scene.says("stopping: SIGTERM");
            scene.tell("go");
            scene.prints("stopping before the first await: true")
        }),
        row("PID 1: a second interrupt", "waits")
            .of("stuck")
            .budget("1h")
            .act(|scene| {
                scene.prints("up");
                scene.enter();
                interrupt_twice(scene)
            })
            .code(130),
    ]
}

fn sweeps() -> usize {
    env::var("FAULTS_SWEEPS").map_or(SWEEPS, |number| number.parse().expect("FAULTS_SWEEPS is a number"))
}

/// Below so many microseconds; the same numbers on every run, so that a failure can be repeated (splitmix64).
fn at_random(below: u64) -> Duration {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_micros((z ^ (z >> 31)) % below)
}
