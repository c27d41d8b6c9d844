//! The cost of the hot path: instructions and allocations, counted.

use crate::contenders::{self, GRACEFUL, HAND_WRITTEN, RAW};
use crate::options::Options;
use crate::table::{Limit, Table, Unit};
use crate::valgrind;

use super::interleaved;

const INSTRUCTIONS: Unit = Unit { name: "Ir", digits: 0 };

/// A program executes nearly the same in every run; the median removes the effect of its hash seeds.
const RUNS: usize = 3;

/// With two threads the order of their steps differs from run to run.
const MANY_RUNS: usize = 7;

/// A spawn with the attribute, and with a future and a name.
pub(crate) fn spawn(options: &Options, table: &mut Table) -> Result<(), String> {
    let limit = Limit::Times(1.05, HAND_WRITTEN);
    let mut by_name =
        interleaved(&contenders::all(), options.runs(RUNS), |contender| valgrind::instructions(contender, "spawn"))?;
    let ours = contenders::named(&[GRACEFUL]);
    let mut by_attribute =
        interleaved(&ours, options.runs(RUNS), |contender| valgrind::instructions(contender, "spawn-attribute"))?;
    by_attribute.extend(by_name.iter().skip(1).cloned());
    let figure = "spawn + join of a no-op, `#[graceful::worker]`";
    table.add(figure, INSTRUCTIONS, limit, &by_attribute);
    by_name.retain(|(name, _)| [GRACEFUL, HAND_WRITTEN].contains(name));
    let figure = "spawn + join of a no-op, `graceful::spawn`";
    table.add(figure, INSTRUCTIONS, limit, &by_name);
    Ok(())
}

/// On two worker threads: spawned by main, and by a worker. A hand-written task has a clone of a token.
pub(crate) fn spawn_child(options: &Options, table: &mut Table) -> Result<(), String> {
    let contenders = contenders::named(&[GRACEFUL, HAND_WRITTEN]);
    for (figure, task, times) in [
        ("spawn + join of a no-op on 2 threads, by main", "spawn-by-main", 1.05),
        ("spawn + join of a no-op on 2 threads, by a worker", "spawn-by-worker", 1.10),
        ("spawn + join of one that yields on 2 threads, by a worker", "spawn-by-worker-yielding", 1.15),
    ] {
        let results =
            interleaved(&contenders, options.runs(MANY_RUNS), |contender| valgrind::instructions(contender, task))?;
        table.add(figure, INSTRUCTIONS, Limit::Times(times, HAND_WRITTEN), &results);
    }
    Ok(())
}

pub(crate) fn allocations(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "", digits: 2 };
    let results = interleaved(&contenders::all(), options.runs(1), |contender| {
        let task = match contender.name {
            GRACEFUL => "spawn-attribute",
            _ => "spawn",
        };
        valgrind::allocations(contender, task)
    })?;
    // A run's own allocations, one in a thousand spawns, are not the worker's.
    let limit = Limit::Beyond(0.01, RAW);
    table.add("allocations of a spawn", unit, limit, &results);
    Ok(())
}

pub(crate) fn park(options: &Options, table: &mut Table) -> Result<(), String> {
    let results =
        interleaved(&contenders::all(), options.runs(RUNS), |contender| valgrind::instructions(contender, "park"))?;
    let limit = Limit::Times(1.05, HAND_WRITTEN);
    table.add("park + stop + join", INSTRUCTIONS, limit, &results);
    Ok(())
}

/// A service that answers at once, without a network.
pub(crate) fn layer(options: &Options, table: &mut Table) -> Result<(), String> {
    let contenders = contenders::named(&[GRACEFUL, RAW]);
    let results =
        interleaved(&contenders, options.runs(RUNS), |contender| valgrind::instructions(contender, "requests"))?;
    table.add("a request with `GracefulLayer` (raw tokio: without)", INSTRUCTIONS, Limit::Beyond(504.0, RAW), &results);
    Ok(())
}

/// An iteration of a loop that calls it, less one of a loop that does not.
pub(crate) fn is_stopping(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "Ir", digits: 1 };
    // The others have no such function.
    let contenders = contenders::named(&[GRACEFUL, RAW, HAND_WRITTEN, "tokio-graceful-shutdown", "async-shutdown"]);
    let results = interleaved(&contenders, options.runs(RUNS), |contender| {
        let asking = valgrind::instructions(contender, "flag")?;
        Ok(asking - valgrind::instructions(contender, "no-flag")?)
    })?;
    let figure = "`is_stopping()` (raw tokio: an AtomicBool)";
    table.add(figure, unit, Limit::AtMost(20.0), &results);
    Ok(())
}
