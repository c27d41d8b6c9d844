//! Measures this crate beside its peers, on this machine, and prints one table.
//!
//! ```sh
//! cargo run --release -p graceful-benches              # what takes a few minutes
//! cargo run --release -p graceful-benches -- spawn     # one row, or several
//! cargo run --release -p graceful-benches -- --help
//! ```
//!
//! Runs are interleaved: every contender once, then every contender again; a figure is the median. A missed limit is
//! printed and fails nothing. A row that could not be measured is printed and fails the command.
#![cfg(unix)]

mod contenders;
mod lines;
mod machine;
mod options;
mod program;
mod rows;
mod samples;
mod table;
mod valgrind;

use std::process::ExitCode;

use options::Options;
use table::Table;

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::usage());
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", options::usage());
            return ExitCode::from(2);
        }
    };
    if cfg!(debug_assertions) {
        eprintln!("not optimised: cargo run --release -p graceful-benches");
        return ExitCode::from(2);
    }
    contenders::build();
    let machine = machine::describe();

    let mut table = Table::default();
    for group in &options.groups {
        eprintln!("{}: {}", group.name, group.what);
        if let Err(why) = (group.measure)(&options, &mut table) {
            eprintln!("{}: NOT MEASURED: {why}", group.name);
            table.not_measured(group.name, &why);
        }
    }
    println!("{machine}\n");
    print!("{table}");
    if table.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
