//! Services under a real systemd: it is booted once, in namespaces of its own, runs all rows and is shut down by the last
//! of them. `cargo test --test systemd_real -- watchdog` runs the rows with that in their names.
//!
//! It takes root, and Debian's package `systemd` or the same elsewhere. Where that is not to be had the rows are skipped,
//! which is printed.

#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
mod example;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod order;
#[cfg(target_os = "linux")]
mod starts;
#[cfg(target_os = "linux")]
mod stops;
#[cfg(target_os = "linux")]
mod surroundings;
#[cfg(target_os = "linux")]
mod upgrades;
#[cfg(target_os = "linux")]
mod watchdog;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let together =
        [starts::ROWS, stops::ROWS, watchdog::ROWS, surroundings::ROWS, example::ROWS, upgrades::ROWS].concat();
    table::run(&together, limits::ROWS, order::ROWS)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("there is no systemd on this system");
}
