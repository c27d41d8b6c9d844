//! From SIGTERM until a worker runs that waited for the stop.

use std::thread;
use std::time::Duration;

use crate::contenders::{self, GRACEFUL, HAND_WRITTEN};
use crate::options::Options;
use crate::program::Program;
use crate::table::{Limit, Table, Unit};

use super::interleaved;

const MICROSECONDS: Unit = Unit { name: "µs", digits: 0 };

/// After this time every thread of the program sleeps.
const REST: Duration = Duration::from_millis(50);

/// The runtime, the task of the contenders, and how many times the hand-written program's figure it may take.
const RUNTIMES: [(&str, &str, f64); 2] =
    [("multi_thread, 2 workers", "woken", 1.25), ("current_thread", "woken-current-thread", 3.0)];

pub(crate) fn wake(options: &Options, table: &mut Table) -> Result<(), String> {
    let contenders = contenders::named(&[GRACEFUL, HAND_WRITTEN]);
    for (runtime, task, times) in RUNTIMES {
        let results = interleaved(&contenders, options.runs(40), |contender| {
            let mut program = Program::start(contender, task, 0);
            program.line()?;
            thread::sleep(REST);
            let told = program.terminate().as_secs_f64() * 1e6;
            Ok(program.number()? / 1e3 - told)
        })?;
        let figure = format!("SIGTERM → a parked worker runs: {runtime}");
        table.add(&figure, MICROSECONDS, Limit::Times(times, HAND_WRITTEN), &results);
    }
    Ok(())
}
