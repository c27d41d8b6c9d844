//! Prints the table of the page "Zero dropped requests": `cargo bench -p graceful-rolling`. Fails if this crate drops a
//! request, or if there is no proxy to find that out.
//!
//! `cargo bench -p graceful-rolling -- nginx graceful` prints the rows of these names only.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use graceful_rolling::{Contender, Front, Plan, Programs, Table, measure};

const PLAN: Plan = Plan { rate: 2000, rounds: 5, drain: Duration::from_secs(2), calm: Duration::from_millis(500) };

const PROGRAMS: Programs = Programs {
    contender: env!("CARGO_BIN_EXE_rolling-contender"),
    one_line: env!("CARGO_BIN_EXE_rolling-one-line"),
    example: env!("CARGO_BIN_EXE_rolling-http"),
};

fn main() -> ExitCode {
    let words = env::args().skip(1).filter(|word| word != "--bench");
    let words: Vec<_> = words.map(|word| word.to_lowercase()).collect();
    let rows: Vec<_> = rows().filter(|row| is_wanted(*row, &words)).collect();
    if rows.is_empty() {
        eprintln!("no row has these names");
        return ExitCode::FAILURE;
    }
    let mut table = Table::default();
    let mut is_good = true;
    for (front, contender) in rows {
        if front.is_installed() {
            let row = measure(PLAN, PROGRAMS, front, contender);
            eprintln!("{row}");
            is_good &= row.is_as_promised();
            table.0.push(row);
        } else {
            eprintln!("NOT MEASURED: {front:?} is not installed; .ci/servers installs it\n");
            is_good = false;
        }
    }
    println!("{table}");
    if is_good {
        ExitCode::SUCCESS
    } else {
        eprintln!("not what the crate promises");
        ExitCode::FAILURE
    }
}

fn rows() -> impl Iterator<Item = (Front, Contender)> {
    let behind = |front| Contender::ALL.map(|contender| (front, contender));
    let rows = Front::ALL.into_iter().flat_map(behind);
    // To hand a listener over is for those whom no proxy keeps away between two processes.
    rows.filter(|(front, contender)| *front == Front::Direct || *contender != Contender::HandedOver)
}

/// Of the fronts that are named, or of all; the same for contenders.
fn is_wanted((front, contender): (Front, Contender), words: &[String]) -> bool {
    let is_named = |name: String| words.contains(&name);
    let front_name = |front: Front| format!("{front:?}").to_lowercase();
    let contender_name = |contender: Contender| format!("{contender:?}").to_lowercase();
    let any_front = !Front::ALL.map(front_name).into_iter().any(is_named);
    let any_contender = !Contender::ALL.map(contender_name).into_iter().any(is_named);
    (any_front || is_named(front_name(front))) && (any_contender || is_named(contender_name(contender)))
}
