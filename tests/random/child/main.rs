//! The program of the random tests: `random-program <description>`. It carries out the description, and prints a line
//! for each event that a model can check: the microseconds since its start, the state, the actor, and the event.

#[path = "../program.rs"]
mod program;
#[path = "../text.rs"]
mod text;

mod act;
mod actions;
mod hooks;
mod say;
mod spawn;

use std::env::args;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use program::{Program, Runtime, When};

fn main() -> ExitCode {
    let builder = || graceful::Builder::new().stop_timeout(budget()).drain(drain());
    match program().runtime {
        Runtime::Current => current::main(),
        Runtime::CurrentBuilder => builder().current_thread().block_on(run()),
        Runtime::One => builder().worker_threads(1).block_on(run()),
        Runtime::Two => two::main(),
    }
}

mod current {
    #[graceful::main(
        stop_timeout = crate::budget(),
        drain = crate::drain(),
        flavor = "current_thread"
    )]
    pub(crate) async fn main() -> Result<(), String> {
        crate::run().await
    }
}

mod two {
    #[graceful::main(
        stop_timeout = crate::budget(),
        drain = crate::drain(),
        worker_threads = 2
    )]
    pub(crate) async fn main() -> Result<(), String> {
        crate::run().await
    }
}

/// The program to carry out.
fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let text = args().nth(1).expect("random-program <description>");
        text.parse().expect("a description")
    })
}

fn budget() -> Duration {
    Duration::from_millis(program().budget)
}

fn drain() -> Duration {
    Duration::from_millis(program().drain)
}

async fn run() -> Result<(), String> {
    hooks::register(When::First);
    let _reloads = program().reloads.then(graceful::reloads);
    act::Watched::new(act::MAIN).await
}
