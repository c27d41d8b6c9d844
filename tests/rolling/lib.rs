//! Rolling restarts, measured: two instances of a service, a proxy, a load, and a SIGTERM for each instance in turn.
//!
//! ```sh
//! cargo bench -p graceful-rolling
//! ```
//!
//! It takes some minutes and prints the table of the page "Zero dropped requests". A short form is among the tests:
//! `cargo test -p graceful-rolling`. It takes `haproxy` and `nginx`, which `.ci/servers`
//! installs.

#![cfg(unix)]
#![allow(clippy::missing_panics_doc)] // everything here panics: that is how a measurement fails

mod client;
mod instance;
mod load;
mod ports;
mod proxy;
mod table;

use std::time::Duration;

use instance::Instance;
use load::Load;
use proxy::Proxy;
use table::Restart;

pub use instance::{Contender, Programs};
pub use proxy::Front;
pub use table::{Row, Table};

/// What is done to a contender.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Requests a second.
    pub rate: u32,
    /// How often each instance is restarted.
    pub rounds: u32,
    /// How long an instance goes on serving, if it knows how to.
    pub drain: Duration,
    /// How long nothing happens before each restart.
    pub calm: Duration,
}

/// Restarts the contender's two instances under load, and counts what the clients see.
pub fn measure(plan: Plan, programs: Programs, front: Front, contender: Contender) -> Row {
    let start = || Instance::start(contender, programs, plan.drain);
    let mut instances = [start(), start()];
    let proxy = Proxy::start(front, &instances);
    let load = Load::start(plan.rate, proxy.targets());
    let mut restarts = Vec::new();
    for _ in 0..plan.rounds {
        for instance in &mut instances {
            load.goes_on_for(plan.calm);
            let stop = instance.restart();
            proxy.wait_until_all_are_served();
            let took = stop.asked.elapsed();
            restarts.push(Restart { stop, took });
        }
    }
    load.goes_on_for(plan.calm);
    let samples = load.end();
    proxy.end();
    for instance in &mut instances {
        instance.stop();
    }
    Row::new(front, contender, &samples, &restarts)
}
