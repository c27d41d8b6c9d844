//! Workers that two threads spawn and join at the same time: what they share makes them slow, and no count of
//! instructions shows it.

use crate::contenders::{self, GRACEFUL, HAND_WRITTEN, RAW};
use crate::lines;
use crate::options::Options;
use crate::program::Program;
use crate::table::{Limit, Table, Unit};

use super::interleaved;

/// How many producers there are, on as many threads.
const PRODUCERS: [usize; 4] = [2, 4, 8, 16];

/// How many each of them spawns.
const WORKERS: usize = 500_000;

pub(crate) fn spawn(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "ns", digits: 0 };
    let measure = |task| move |contender| Program::start(contender, task, WORKERS).number();
    let runs = options.runs(15);
    let limit = || Limit::Times(0.95, HAND_WRITTEN);
    let contenders = contenders::named(&[GRACEFUL, RAW, HAND_WRITTEN]);
    let results = interleaved(&contenders, runs, measure("spawn-together"))?;
    table.add("spawn + join of a no-op by two tasks at once", unit, limit(), &results);

    let contenders = contenders::named(&[GRACEFUL, HAND_WRITTEN]);
    let results = interleaved(&contenders, runs, measure("spawn-children-together"))?;
    table.add("spawn + join of a no-op by two workers at once", unit, limit(), &results);
    Ok(())
}

/// What more threads than this machine has processors would share.
pub(crate) fn lines(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "lines", digits: 1 };
    let contenders = contenders::named(&[GRACEFUL, RAW, HAND_WRITTEN]);
    for producers in PRODUCERS {
        let moved = |contender| lines::moved(contender, "spawn-among", producers);
        let results = interleaved(&contenders, options.runs(1), moved)?;
        let figure = format!("spawn + join of a no-op, {producers} producers: lines from other processors");
        table.add(&figure, unit, Limit::Times(1.0, HAND_WRITTEN), &results);
    }
    Ok(())
}
