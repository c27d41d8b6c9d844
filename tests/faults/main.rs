//! The fault matrix: what happens when everything goes wrong, a row a case, each a real process with real signals.
//!
//! `cargo test --test faults -- spin` runs the rows whose line has `spin` in it. After every row no unexpected panic
//! has happened, and no process is left behind.
#![cfg(unix)]

mod aborting;
mod expected;
mod load;
mod own_user;
mod row;
mod run;
mod scene;
mod streams;

mod clean;
mod clocks;
mod host;
mod nasty;
mod numbers;
mod reraise;
mod signals;
mod starts;
mod stuck;

use std::process::ExitCode;

use graceful_tests::left_behind;

fn main() -> ExitCode {
    let rows: Vec<_> = [
        clean::rows(),
        clocks::rows(),
        stuck::rows(),
        nasty::rows(),
        signals::rows(),
        starts::rows(),
        numbers::rows(),
        host::rows(),
        reraise::rows(),
    ]
    .into_iter()
    .flatten()
    .collect();
    run::table(&rows)
}
