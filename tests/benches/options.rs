//! The options of the command line.

use std::env::args;

use crate::rows::{GROUPS, Group, Takes};

/// Which rows, and how thoroughly.
pub(crate) struct Options {
    /// In the order of the table.
    pub(crate) groups: Vec<&'static Group>,
    /// Instead of each row's own number of runs.
    runs: Option<usize>,
    /// How many signals are sent to each program while its handler is being registered.
    pub(crate) sweeps: usize,
}

impl Options {
    /// `None` when it asks for help.
    pub(crate) fn from_args() -> Result<Option<Self>, String> {
        let mut names = Vec::new();
        let (mut all, mut quick, mut runs, mut sweeps) = (false, false, None, 1_000);
        let mut args = args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = || {
                let number = args.next().and_then(|number| number.parse().ok());
                number.filter(|&number| number > 0)
            };
            let wrong = || format!("`{arg}` takes a number");
            match &*arg {
                "--help" => return Ok(None),
                "--all" => all = true,
                "--quick" => quick = true,
                "--runs" => runs = Some(number().ok_or_else(wrong)?),
                "--sweeps" => sweeps = number().ok_or_else(wrong)?,
                name if GROUPS.iter().any(|group| group.name == name) => names.push(arg),
                _ => return Err(format!("no row and no option `{arg}`")),
            }
        }
        let is_asked_for = |group: &&Group| match &*names {
            [] if quick => group.takes == Takes::Seconds,
            [] => all || group.takes != Takes::Long,
            names => names.iter().any(|name| name == group.name),
        };
        let runs = runs.or(quick.then_some(1));
        Ok(Some(Self { groups: GROUPS.iter().filter(is_asked_for).collect(), runs, sweeps }))
    }

    /// The number of runs of a row whose own number is `usually`.
    pub(crate) fn runs(&self, usually: usize) -> usize {
        self.runs.unwrap_or(usually)
    }
}

pub(crate) fn usage() -> String {
    let rows: Vec<_> = GROUPS.iter().map(row).collect();
    format!(
        "usage: graceful-benches [--quick | --all] [--runs N] [--sweeps N] [ROW]...\n\n\
         --quick     rows that take seconds, measured once: a look, in a minute\n\
         --all       the rows that take long, too\n\
         --runs N    measure each row so often\n\
         --sweeps N  signals for each program in the row `swallowed` (1000)\n\nrows:\n{}",
        rows.join("\n")
    )
}

fn row(group: &Group) -> String {
    let long = if group.takes == Takes::Long { " (takes long)" } else { "" };
    format!("  {:<13} {}{long}", group.name, group.what)
}
