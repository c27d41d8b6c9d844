//! A process with nothing to do: how often it wakes, and what it occupies.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::contenders::{self, RAW};
use crate::options::Options;
use crate::program::Program;
use crate::table::{Limit, Table, Unit};

use super::interleaved;

/// How long after its start a process is taken to have nothing left to do.
const SETTLING: Duration = Duration::from_secs(5);

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(10);

pub(crate) fn asleep(options: &Options, table: &mut Table) -> Result<(), String> {
    let mut memory = Vec::new();
    let contenders = contenders::idle();
    let results = interleaved(&contenders, options.runs(3), |contender| {
        let mut program = Program::start(contender, "idle", 0);
        program.line()?;
        thread::sleep(SETTLING);
        let before = waits(&program)?;
        thread::sleep(WATCHED);
        memory.push((contender.name, resident(&program)?));
        Ok(waits(&program)? - before)
    })?;
    let unit = Unit { name: "", digits: 0 };
    table.add("idle: wake-ups in 10 s", unit, Limit::AtMost(0.0), &results);

    let of = |name| memory.iter().filter(move |(of, _)| *of == name).map(|(_, kib)| *kib);
    let results = contenders.iter().map(|contender| (contender.name, of(contender.name).collect())).collect();
    let unit = Unit { name: "kB", digits: 0 };
    table.add("idle: resident memory", unit, Limit::Times(1.15, RAW), &results);
    Ok(())
}

/// How often its threads have begun to wait, in all.
fn waits(program: &Program) -> Result<f64, String> {
    let threads = fs::read_dir(format!("/proc/{}/task", program.pid())).map_err(|error| error.to_string())?;
    let mut sum = 0.0;
    for thread in threads {
        let status = thread.and_then(|thread| fs::read_to_string(thread.path().join("status")));
        sum += number(&status.map_err(|error| error.to_string())?, "voluntary_ctxt_switches:")?;
    }
    Ok(sum)
}

/// In KiB.
fn resident(program: &Program) -> Result<f64, String> {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", program.pid()));
    number(&rollup.map_err(|error| error.to_string())?, "Rss:")
}

/// The number behind this label, at the beginning of a line.
fn number(text: &str, label: &str) -> Result<f64, String> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label));
    let number = rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("no number behind `{label}`"))
}
