//! The program of the fault matrix: `fault <runtime> <group> <case>`. Prints `up` once the case is set up.

mod clean;
mod clocks;
mod farewell;
mod nasty;
mod numbers;
mod reraise;
mod runtimes;
mod signals;
mod stuck;

use std::env::args;
use std::process::ExitCode;

/// How main ends: its error, or its exit code.
type Ending = Result<ExitCode, &'static str>;

fn main() -> ExitCode {
    runtimes::run(&argument(1))
}

/// What every runtime runs as its main.
async fn case() -> Ending {
    let (group, case) = (argument(2), argument(3));
    match group.as_str() {
        "clean" => clean::run(&case).await,
        "clocks" => clocks::run(&case).await,
        "stuck" => stuck::run(&case).await,
        "nasty" => nasty::run(&case).await,
        "signals" => signals::run(&case).await,
        "numbers" => numbers::run(&case).await,
        "reraise" => reraise::run(&case).await,
        other => panic!("no group {other}"),
    }
}

fn argument(number: usize) -> String {
    args().nth(number).expect("<runtime> <group> <case>")
}

/// Prints that the case is set up, and waits for the stop.
async fn up() -> Ending {
    println!("up");
    graceful::stopping().await;
    println!("main saw the stop");
    Ok(ExitCode::SUCCESS)
}
