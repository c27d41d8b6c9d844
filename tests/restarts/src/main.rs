//! Five ways to restart a service that clients reach directly, side by side: what the clients notice, how long it takes,
//! and what it leaves in the service.
//!
//! `cargo run --release --manifest-path tests/restarts/Cargo.toml` prints the table, after nine minutes. With `-- --quick`
//! it takes less than one, and is a look rather than a measurement. `-- --restarts 50` and `--many 1000` change how many
//! restarts there are under load, and upgrades of this crate without; `-- graceful ecdysis` measures these alone.
//!
//! All services run from the beginning. They take turns: each has the load for some seconds, is restarted once meanwhile,
//! and waits for its next turn. So what else the machine does meets all of them alike. The programs are this one, too,
//! written as the documentation of each crate shows. All have the same router, and a start of 20 ms.

mod client;
mod figures;
mod load;
mod measure;
mod service;
mod table;
mod usage;
mod way;
mod with_ecdysis;
mod with_graceful;
mod with_shellflip;

use std::env::args;
use std::process::ExitCode;

use measure::Plan;
use way::Way;

fn main() -> ExitCode {
    let arguments: Vec<_> = args().skip(1).collect();
    if let [serve, program, address] = &arguments[..]
        && serve == "serve"
    {
        let address = address.parse().expect("an address");
        return match program.as_str() {
            "graceful" => with_graceful::run(address),
            "ecdysis" => with_ecdysis::run(address),
            "shellflip" => with_shellflip::run(address),
            other => panic!("no program is called {other}"),
        };
    }
    way::end_all_on_ctrl_c();
    let result = plan(&arguments).and_then(|plan| measure::run(&plan).map_err(|error| error.to_string()));
    way::end_all();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn plan(arguments: &[String]) -> Result<Plan, String> {
    let mut plan = Plan { ways: Vec::new(), restarts: 20, many: 200 };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).filter(|number| *number > 1);
        match argument.as_str() {
            "--quick" => (plan.restarts, plan.many) = (2, 0),
            "--restarts" => plan.restarts = number().ok_or("--restarts takes a number from 2 on")?,
            "--many" => plan.many = number().ok_or("--many takes a number from 2 on")?,
            name => {
                let way = Way::ALL.into_iter().find(|way| way.name() == name);
                plan.ways.push(way.ok_or_else(|| format!("{name} is none of {}", Way::ALL.map(Way::name).join(", ")))?);
            }
        }
    }
    if plan.ways.is_empty() {
        plan.ways.extend(Way::ALL);
    }
    Ok(plan)
}
