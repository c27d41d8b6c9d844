//! Prints the table of the page "Zero dropped requests": `cargo bench -p graceful-rolling`.
//!
//! Words after `--` choose rows: `haproxy`, `nginx`, `direct`, and the contenders' names.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use graceful_rolling::{Contender, Front, Plan, Programs, Table, measure};

const PLAN: Plan = Plan {
    rate: 2000,
    rounds: 5,
    drain: Duration::from_secs(2),
    calm: Duration::from_millis(500),
};

const PROGRAMS: Programs = Programs {
    contender: env!("CARGO_BIN_EXE_rolling-contender"),
    example: env!("CARGO_BIN_EXE_rolling-http"),
};

fn main() -> io::Result<ExitCode> {
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let is_wanted = |all: &[&str], name: String| {
        let name = name.to_lowercase();
        let chosen = |word: &&String| all.contains(&word.as_str());
        !wanted.iter().any(|word| chosen(&word)) || wanted.contains(&name)
    };
    let mut table = Table::default();
    for front in [Front::HaProxy, Front::Nginx, Front::Direct] {
        for contender in [
            Contender::Unhandled,
            Contender::Future,
            Contender::Delay,
            Contender::Graceful,
            Contender::HandedOver,
        ] {
            if !is_wanted(&["haproxy", "nginx", "direct"], format!("{front:?}"))
                || !is_wanted(
                    &["unhandled", "future", "delay", "graceful", "handedover"],
                    format!("{contender:?}"),
                )
            {
                continue;
            }
            if contender == Contender::HandedOver && front != Front::Direct {
                continue;
            }
            if !front.is_installed() {
                eprintln!("SKIPPED: {front:?} is not installed; .ci/proxies installs it");
                continue;
            }
            let row = measure(PLAN, PROGRAMS, front, contender);
            eprintln!("{row}");
            table.0.push(row);
        }
    }
    write!(io::stdout(), "\n{table}")?;
    Ok(ExitCode::SUCCESS)
}
