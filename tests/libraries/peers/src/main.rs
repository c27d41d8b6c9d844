//! This crate and its peers in the same cases: how long each program takes to end, and with which code.
//!
//! `cargo run --manifest-path tests/libraries/Cargo.toml -p libraries-peers` prints the table. Each program is written as
//! the peer's documentation shows it. Where a peer has an option that makes a failed task end the process, it is set.

mod async_shutdown_;
mod case;
mod elegant_departure_;
mod graceful_;
mod rust_tokio_supervisor;
mod task_supervisor_;
mod tokio_graceful_;
mod tokio_graceful_shutdown_;
mod watch;

use std::env::args;
use std::process::ExitCode;

use case::Case;

/// A peer, its version, and its program.
const PEERS: [(&str, &str, fn(Case) -> ExitCode); 7] = [
    ("this crate", env!("CARGO_PKG_VERSION"), graceful_::run),
    ("task-supervisor", "0.5.2", task_supervisor_::run),
    ("rust-tokio-supervisor", "0.1.4", rust_tokio_supervisor::run),
    ("tokio-graceful-shutdown", "0.20.0", tokio_graceful_shutdown_::run),
    ("tokio-graceful", "0.2.2", tokio_graceful_::run),
    ("async-shutdown", "0.2.2", async_shutdown_::run),
    ("elegant-departure", "0.3.2", elegant_departure_::run),
];

/// Without arguments, the table. With a peer and a case, that program.
fn main() -> ExitCode {
    let arguments: Vec<_> = args().skip(1).collect();
    let [peer, case] = &arguments[..] else {
        table();
        return ExitCode::SUCCESS;
    };
    let peer = PEERS.iter().find(|(name, ..)| name == peer).expect("a peer");
    let case = Case::ALL.into_iter().find(|known| known.name() == case).expect("a case");
    (peer.2)(case)
}

fn table() {
    print!("| |");
    Case::ALL.iter().for_each(|case| print!(" {} |", case.title()));
    println!("\n|---|{}", "---|".repeat(Case::ALL.len()));
    for (name, version, _) in PEERS {
        print!("| {name} {version} |");
        for case in Case::ALL {
            print!(" {} |", watch::end_of(name, case));
        }
        println!();
    }
}
