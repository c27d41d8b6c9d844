//! `api <rustdoc's JSON>`: prints the public API, an item a line. `.ci/api` calls it.

use std::env;
use std::process::ExitCode;

use public_api::{Builder, MINIMUM_NIGHTLY_RUST_VERSION};

fn main() -> ExitCode {
    let Some(json) = env::args_os().nth(1) else {
        eprintln!("usage: api <rustdoc's JSON>");
        return ExitCode::from(2);
    };
    // What is derived and what holds for all types says nothing of this crate.
    let builder = Builder::from_rustdoc_json(json);
    let builder = builder.omit_blanket_impls(true).omit_auto_trait_impls(true).omit_auto_derived_impls(true);
    match builder.build() {
        Ok(api) => {
            print!("{api}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}; this reads the JSON of {MINIMUM_NIGHTLY_RUST_VERSION} and compilers of that time");
            ExitCode::from(3)
        }
    }
}
