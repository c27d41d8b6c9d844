//! The start: how long it takes, and the effect of a SIGTERM during it.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::contenders::{self, Contender, GRACEFUL, RAW};
use crate::options::Options;
use crate::program::{Program, until};
use crate::table::{Limit, Results, Table, Unit};

use super::interleaved;

const COUNT: Unit = Unit { name: "", digits: 0 };

/// How many signals are sent to a program that starts slowly.
const SIGNALS: usize = 200;

/// After this time an idle program that got the signal is not going to stop.
const PATIENCE: Duration = Duration::from_secs(2);

/// From just before the start to the first line of an async main.
pub(crate) fn start(options: &Options, table: &mut Table) -> Result<(), String> {
    let unit = Unit { name: "µs", digits: 0 };
    let contenders = contenders::named(&[GRACEFUL, RAW]);
    let results = interleaved(&contenders, options.runs(200), |contender| {
        let mut program = Program::start(contender, "first-line", 0);
        let asked = program.asked.as_secs_f64() * 1e6;
        Ok(program.number()? / 1e3 - asked)
    })?;
    let figure = "start of the process → first line of main";
    table.add(figure, unit, Limit::Beyond(200.0, RAW), &results);
    Ok(())
}

/// How many of these signals in the first 20 ms kill a program that takes 10 ms to start. The program that blocks the
/// signal in its first line shows which part of that is loading.
pub(crate) fn deaths(_: &Options, table: &mut Table) -> Result<(), String> {
    let moments = Moments::between(0.0, 20e-3).take(SIGNALS);
    let mut contenders = contenders::idle();
    contenders.extend(contenders::named(&["sigwait"]));
    let results = count(&contenders, 10, moments, &Fate::Killed)?;
    let figure = format!("deaths: {SIGNALS} × SIGTERM in the first 20 ms, 10 ms of start-up");
    table.add(&figure, COUNT, Limit::AtMost(8.0), &results);
    Ok(())
}

/// How many programs neither die nor stop when a signal comes while its handler is being registered.
pub(crate) fn swallowed(options: &Options, table: &mut Table) -> Result<(), String> {
    let sweeps = options.sweeps;
    let moments = Moments::between(0.6e-3, 1.3e-3).take(sweeps);
    // This crate, plain tokio, and the hand-written program.
    let contenders = &contenders::idle()[..3];
    let results = count(contenders, 0, moments, &Fate::Deaf)?;
    let figure = format!("swallowed: {sweeps} × SIGTERM 0.6–1.3 ms after exec");
    table.add(&figure, COUNT, Limit::AtMost(0.0), &results);
    Ok(())
}

/// The fate of a program that was sent SIGTERM.
#[derive(PartialEq, Eq)]
enum Fate {
    /// The signal killed it.
    Killed,
    /// It stopped.
    Stopped,
    /// Neither: the signal was lost.
    Deaf,
}

/// How often each contender, with so many milliseconds of start-up, met this fate.
fn count(
    contenders: &[Contender],
    start_up: usize,
    moments: impl Iterator<Item = Duration>,
    fate: &Fate,
) -> Result<Results, String> {
    let mut counts = vec![0_u32; contenders.len()];
    for moment in moments {
        // Every contender at the same moment of its start.
        for (&contender, count) in contenders.iter().zip(&mut counts) {
            let met = signal_at(contender, start_up, moment).map_err(|why| format!("{}: {why}", contender.name))?;
            *count += u32::from(met == *fate);
        }
    }
    let names = contenders.iter().map(|contender| contender.name);
    let samples = counts.into_iter().map(|count| [f64::from(count)].into_iter().collect());
    Ok(names.zip(samples).collect())
}

fn signal_at(contender: Contender, start_up: usize, moment: Duration) -> Result<Fate, String> {
    let mut program = Program::start(contender, "idle", start_up);
    until(program.started + moment);
    program.terminate();
    let Some(end) = program.gone_within(PATIENCE) else {
        return Ok(Fate::Deaf);
    };
    match (end.status.signal(), end.status.success()) {
        (Some(_), _) => Ok(Fate::Killed),
        (None, true) => Ok(Fate::Stopped),
        (None, false) => Err(end.status.to_string()),
    }
}

/// Moments at random, the same in every run of this program.
struct Moments {
    from: f64,
    to: f64,
    state: u64,
}

impl Moments {
    /// In seconds.
    fn between(from: f64, to: f64) -> Self {
        let state = 0;
        Self { from, to, state }
    }
}

impl Iterator for Moments {
    type Item = Duration;

    /// `SplitMix64`: good enough to cover the whole range, without a dependency.
    fn next(&mut self) -> Option<Duration> {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        #[allow(clippy::cast_precision_loss)] // 32 bits are exact
        let part = (mixed >> 32) as f64 / f64::from(u32::MAX);
        let seconds = self.from + part * (self.to - self.from);
        Some(Duration::from_secs_f64(seconds))
    }
}
