//! From SIGTERM until the process is gone, with nothing to do and with a million workers; and from the stop of one worker
//! until its children have ended.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::contenders::{self, Contender, GRACEFUL, HAND_WRITTEN, NO_HANDLER, RAW};
use crate::options::Options;
use crate::program::Program;
use crate::table::{Limit, Table, Unit};

use super::interleaved;

/// How many workers wait.
const WORKERS: usize = 1_000_000;

/// How many children of one worker wait.
const CHILDREN: usize = 100_000;

/// How long a program may take that only has to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an idle multi-thread runtime takes until its threads are parked.
const REST: Duration = Duration::from_millis(20);

/// The time from SIGTERM until it is gone, for a program that listens and is at rest.
fn stop(contender: Contender, task: &str, n: usize) -> Result<Duration, String> {
    let mut program = Program::start(contender, task, n);
    program.line()?;
    thread::sleep(REST);
    let told = program.terminate();
    let end = program.gone_within(PATIENCE);
    let end = end.ok_or_else(|| format!("not gone after {PATIENCE:?}"))?;
    // A program with a handler must not be killed by the signal.
    if !end.status.success() && contender.name != NO_HANDLER {
        return Err(end.status.to_string());
    }
    Ok(end.after(told))
}

pub(crate) fn idle(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "µs", digits: 0 };
    let mut contenders = contenders::idle();
    contenders.extend(contenders::named(&[NO_HANDLER, "sigwait"]));
    let results =
        interleaved(&contenders, options.runs(100), |contender| Ok(stop(contender, "idle", 0)?.as_secs_f64() * 1e6))?;
    let limit = Limit::Times(0.92, RAW);
    table.add("idle: SIGTERM → gone", unit, limit, &results);
    Ok(())
}

pub(crate) fn million(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "s", digits: 2 };
    let many = contenders::named(&[GRACEFUL, RAW, HAND_WRITTEN, "tokio-graceful"]);
    let measure = |contender| Ok(stop(contender, "parked", WORKERS)?.as_secs_f64());
    let mut results = interleaved(&many, options.runs(9), measure)?;
    // Once is enough to see by how much; and a machine that swaps measures nothing.
    let slow = contenders::named(&["tokio-graceful-shutdown"]);
    let runs = usize::from(available() > 6 << 30);
    results.extend(interleaved(&slow, runs, measure)?);
    let figure = "1,000,000 parked workers: SIGTERM → gone";
    table.add(figure, unit, Limit::Times(1.10, HAND_WRITTEN), &results);
    Ok(())
}

/// From the call that stops them until all have ended.
pub(crate) fn children(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "ms", digits: 1 };
    let contenders = contenders::named(&[GRACEFUL, HAND_WRITTEN]);
    let results = interleaved(&contenders, options.runs(30), |contender| {
        Ok(Program::start(contender, "stop-children", CHILDREN).number()? / 1e6)
    })?;
    let figure = "100,000 parked children: their parent's `stop()` → all ended";
    table.add(figure, unit, Limit::Times(1.20, HAND_WRITTEN), &results);
    Ok(())
}

/// The memory that is available without swapping, in bytes.
fn available() -> u64 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
