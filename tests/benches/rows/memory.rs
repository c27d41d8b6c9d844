//! What a worker has in memory while it waits.

use crate::contenders::{self, GRACEFUL, HAND_WRITTEN};
use crate::options::Options;
use crate::program::Program;
use crate::table::{Limit, Table, Unit};

use super::interleaved;

/// How many wait.
const WORKERS: usize = 100_000;

const BYTES: Unit = Unit {
    name: "B",
    digits: 0,
};

/// In `stopping()`, and each with a token of its own.
pub(crate) fn bytes(options: &Options, table: &mut Table) -> Result<(), String> {
    let measure = |task| {
        move |contender| {
            let grown = Program::start(contender, task, WORKERS).number()?;
            #[allow(clippy::cast_precision_loss)] // it is exact
            let workers = WORKERS as f64;
            Ok(grown / workers)
        }
    };
    let runs = options.runs(5);
    let results = interleaved(&contenders::all(), runs, measure("bytes"))?;
    let figure = "bytes of a parked worker, in `stopping()`";
    table.add(figure, BYTES, Limit::AtMost(514.0), &results);

    let with_tokens = contenders::named(&[GRACEFUL, HAND_WRITTEN]);
    let results = interleaved(&with_tokens, runs, measure("bytes-token"))?;
    let figure = "bytes of a parked worker, with its own `token()`";
    table.add(figure, BYTES, Limit::AtMost(600.0), &results);
    Ok(())
}
