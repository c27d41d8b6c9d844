//! The rows of the table, in its order.

mod asleep;
mod cold_build;
mod deadline;
mod instructions;
mod memory;
mod starts;
mod stops;
mod together;
mod wakes;

use crate::contenders::Contender;
use crate::options::Options;
use crate::table::{Results, Table};

/// How long a row takes to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Once, it is a matter of seconds: `--quick` measures it so.
    Seconds,
    /// It is measured unless other rows are named.
    Minutes,
    /// It is measured only when it is named, or all are.
    Long,
}

/// One row, or some that are measured together.
pub(crate) struct Group {
    /// What the command line calls it.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) takes: Takes,
    /// Measures it. An error is the reason why that is impossible.
    pub(crate) measure: fn(&Options, &mut Table) -> Result<(), String>,
}

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "spawn",
        what: "instructions to spawn and join a worker that does nothing",
        takes: Takes::Seconds,
        measure: instructions::spawn,
    },
    Group {
        name: "spawn-child",
        what: "instructions to spawn and join a worker on two threads, by main and by a worker",
        takes: Takes::Seconds,
        measure: instructions::spawn_child,
    },
    Group {
        name: "together",
        what: "processor time of a worker, spawned and joined by two producers at once",
        takes: Takes::Seconds,
        measure: together::spawn,
    },
    Group {
        name: "lines",
        what: "cache lines that move between processors for a worker, for up to 16 producers at once, simulated",
        takes: Takes::Long,
        measure: together::lines,
    },
    Group {
        name: "allocations",
        what: "allocations to spawn and join a worker that does nothing",
        takes: Takes::Seconds,
        measure: instructions::allocations,
    },
    Group {
        name: "park",
        what: "instructions to spawn a worker that waits, stop it and join it",
        takes: Takes::Seconds,
        measure: instructions::park,
    },
    Group {
        name: "bytes",
        what: "memory for each of 100,000 workers that wait",
        takes: Takes::Seconds,
        measure: memory::bytes,
    },
    Group {
        name: "million",
        what: "SIGTERM until a process with 1,000,000 waiting workers is gone",
        takes: Takes::Minutes,
        measure: stops::million,
    },
    Group {
        name: "stop-children",
        what: "the stop of one worker until its 100,000 waiting children have ended",
        takes: Takes::Minutes,
        measure: stops::children,
    },
    Group {
        name: "asleep",
        what: "wake-ups of an idle process in ten seconds, and its memory",
        takes: Takes::Minutes,
        measure: asleep::asleep,
    },
    Group { name: "idle", what: "SIGTERM until an idle process is gone", takes: Takes::Seconds, measure: stops::idle },
    Group {
        name: "wake",
        what: "SIGTERM until a worker runs that waited for it",
        takes: Takes::Seconds,
        measure: wakes::wake,
    },
    Group {
        name: "deaths",
        what: "deaths by a SIGTERM during the start",
        takes: Takes::Minutes,
        measure: starts::deaths,
    },
    Group {
        name: "swallowed",
        what: "SIGTERMs lost while the handler is being registered",
        takes: Takes::Minutes,
        measure: starts::swallowed,
    },
    Group {
        name: "layer",
        what: "instructions of a request, with `GracefulLayer` and without",
        takes: Takes::Seconds,
        measure: instructions::layer,
    },
    Group {
        name: "is-stopping",
        what: "instructions to ask whether to stop",
        takes: Takes::Minutes,
        measure: instructions::is_stopping,
    },
    Group {
        name: "deadline",
        what: "how long after its deadline a process is gone that is held up",
        takes: Takes::Minutes,
        measure: deadline::overshoot,
    },
    Group {
        name: "start",
        what: "how long it takes until the first line of main",
        takes: Takes::Seconds,
        measure: starts::start,
    },
    Group {
        name: "build",
        what: "what a small service costs to build from nothing, and its size",
        takes: Takes::Long,
        measure: cold_build::build,
    },
    Group {
        name: "growth",
        what: "memory that workers leave behind when they have come and gone",
        takes: Takes::Minutes,
        measure: memory::growth,
    },
];

/// Measures all contenders once, then all again, `runs` times.
fn interleaved(
    contenders: &[Contender],
    runs: usize,
    mut measure: impl FnMut(Contender) -> Result<f64, String>,
) -> Result<Results, String> {
    let mut results: Results = Vec::new();
    for contender in contenders {
        results.push((contender.name, [].into_iter().collect()));
    }
    for _ in 0..runs {
        for (contender, (name, samples)) in contenders.iter().zip(&mut results) {
            let sample = measure(*contender).map_err(|why| format!("{name}: {why}"))?;
            samples.add(sample);
        }
    }
    Ok(results)
}
