//! The attributes do not interfere with correct code: whatever surrounds the function, it compiles without a warning
//! and does what it says.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

#[path = "hygiene/arguments.rs"]
mod arguments;
#[path = "hygiene/attributes.rs"]
mod attributes;
#[path = "hygiene/boxed.rs"]
mod boxed;
#[path = "hygiene/doubles.rs"]
mod doubles;
#[path = "hygiene/errors.rs"]
mod errors;
#[path = "hygiene/generated.rs"]
mod generated;
#[path = "hygiene/hostile_names.rs"]
mod hostile_names;
#[path = "hygiene/instrument.rs"]
mod instrument;
#[path = "hygiene/no_prelude.rs"]
mod no_prelude;
#[path = "hygiene/others.rs"]
mod others;
#[path = "hygiene/places.rs"]
mod places;
#[path = "hygiene/results.rs"]
mod results;
#[path = "hygiene/strict_lints.rs"]
mod strict_lints;

/// Runs an entry point, of which a process has one at a time. An exit code can be seen, but not compared.
fn exit_code(run: impl FnOnce() -> ExitCode) -> String {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    format!("{:?}", run())
}
