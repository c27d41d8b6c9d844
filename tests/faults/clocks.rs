//! Time that does not advance as usual: the process is stopped again and again, or tokio's clock is.

use std::time::{Duration, Instant};

use graceful_tests::Signal;

use crate::row::{BUDGET, PROMPTLY, Row, row};
use crate::scene::{Scene, pause};

/// For how long a storm lets the process run, and then stops it.
const RUN: u64 = 60;
const STOPPED: u64 = 300;

/// How long the work in hand takes while tokio's clock stands still.
const WORK: Duration = Duration::from_millis(100);

pub(crate) fn rows() -> Vec<Row> {
    let row = |name, case| row("clocks", name, case);
    // On the system's clock, not tokio's.
    let paused = |name, case| row(name, case).on(&["current_thread"]).act(|scene| scene.prints("up"));
    vec![
        // One standstill puts the deadline off, and no other does.
        row("SIGSTOP and SIGCONT again and again", "blocks")
            .of("stuck")
            .act(storm)
            .code(124)
            .gone(BUDGET, BUDGET + 2 * Duration::from_millis(RUN + STOPPED) + Duration::from_millis(300))
            .alone(),
        paused("tokio's clock jumps ahead, then spinning", "jumps_ahead").forced().alone(),
        paused("tokio's clock stands still, a job in hand", "stands_still")
            .gone(Duration::ZERO, WORK + PROMPTLY)
            .prints("work done"),
    ]
}

fn storm(scene: &mut Scene) -> Instant {
    scene.prints("up");
    let asked = scene.terminate();
    for _ in 0..15 {
        pause(RUN);
        if !scene.try_to_send(Signal::SIGSTOP) {
            break;
        }
        pause(STOPPED);
        scene.try_to_send(Signal::SIGCONT);
    }
    asked
}
