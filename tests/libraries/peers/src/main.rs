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

/// A peer, and its program.
const PEERS: [(&str, fn(Case) -> ExitCode); 7] = [
    ("graceful", graceful_::run),
    ("task-supervisor", task_supervisor_::run),
    ("rust-tokio-supervisor", rust_tokio_supervisor::run),
    ("tokio-graceful-shutdown", tokio_graceful_shutdown_::run),
    ("tokio-graceful", tokio_graceful_::run),
    ("async-shutdown", async_shutdown_::run),
    ("elegant-departure", elegant_departure_::run),
];

/// Without arguments, the table. With a peer and a case, that program.
fn main() -> ExitCode {
    let arguments: Vec<_> = args().skip(1).collect();
    let [peer, case] = &arguments[..] else {
        table();
        return ExitCode::SUCCESS;
    };
    let peer = PEERS.iter().find(|(name, _)| name == peer).expect("a peer");
    let case = Case::ALL.into_iter().find(|known| known.name() == case).expect("a case");
    (peer.1)(case)
}

fn table() {
    print!("| |");
    Case::ALL.iter().for_each(|case| print!(" {} |", case.title()));
    println!("\n|---|{}", "---|".repeat(Case::ALL.len()));
    for (name, _) in PEERS {
        print!("| {} |", versioned(name));
        for case in Case::ALL {
            print!(" {} |", watch::end_of(name, case));
        }
        println!();
    }
}

/// With the version that the manifest has.
fn versioned(name: &str) -> String {
    let manifest = include_str!("../Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")));
    let version = line.and_then(|line| line.split_once("\"=")).and_then(|(_, rest)| rest.split('"').next());
    version.map_or("this crate".to_owned(), |version| format!("{name} {version}"))
}
