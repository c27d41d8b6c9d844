//! The memory that a worker takes while it waits, and that it leaves behind.

use crate::contenders::{self, Contender, GRACEFUL, HAND_WRITTEN};
use crate::options::Options;
use crate::program::Program;
use crate::table::{Limit, Table, Unit};

use super::interleaved;

/// How many workers wait.
const WORKERS: usize = 100_000;

/// The peer of a child.
const SPAWNED_BY_MAIN: &str = "spawned by main";

const BYTES: Unit = Unit { name: "B", digits: 1 };

/// In `stopping()`, each with a token of its own, and as children of one worker.
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

    let ours = contenders::named(&[GRACEFUL]);
    let mut results = interleaved(&ours, runs, measure("bytes-children"))?;
    let roots = interleaved(&ours, runs, measure("bytes"))?;
    results.extend(roots.into_iter().map(|(_, roots)| (SPAWNED_BY_MAIN, roots)));
    let figure = "bytes of a parked worker, the child of another";
    table.add(figure, BYTES, Limit::Beyond(64.0, SPAWNED_BY_MAIN), &results);
    Ok(())
}

/// The growth from the first million workers to the last, for each million in between.
pub(crate) fn growth(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "MiB", digits: 2 };
    let contenders = contenders::named(&[GRACEFUL, HAND_WRITTEN, "elegant-departure"]);
    let results = interleaved(&contenders, options.runs(1), |contender| {
        match contender.name {
            GRACEFUL => growth_of_all_kinds(10),
            // It would take gigabytes.
            "elegant-departure" => growth_of(contender, 1.0),
            _ => growth_of(contender, 10.0),
        }
    })?;
    let figure = "growth for each million of 10,000,000 workers (elegant-departure: of 1,000,000)";
    table.add(figure, unit, Limit::AtMost(0.1), &results);
    Ok(())
}

/// This crate's growth, by the program that has workers of several kinds.
fn growth_of_all_kinds(millions: usize) -> Result<f64, String> {
    let mut program = Program::start(contenders::GROWTH, &millions.to_string(), 0);
    let mut resident = Vec::new();
    // A heading, and then a line before each million, and one at the end.
    program.line()?;
    for _ in 0..=millions {
        let line = program.line()?;
        let kib = line.split_whitespace().rev().nth(1);
        let kib = kib.and_then(|kib| kib.parse::<f64>().ok());
        resident.push(kib.ok_or_else(|| format!("no memory in `{line}`"))?);
    }
    #[allow(clippy::cast_precision_loss)] // tens
    let between = (millions - 1) as f64;
    Ok((resident[millions] - resident[1]) / 1024.0 / between)
}

fn growth_of(contender: Contender, millions: f64) -> Result<f64, String> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // millions
    let workers = (millions * 1e6) as usize;
    let grown = Program::start(contender, "growth", workers).number()?;
    // It counts from the first tenth on.
    Ok(grown / f64::from(1 << 20) / (0.9 * millions))
}
