//! The table: a row for each figure, this crate's beside the limit and beside the peers'.

use std::fmt;

use crate::contenders::GRACEFUL;
use crate::samples::Samples;

/// The samples of each contender, this crate among them.
pub(crate) type Results = Vec<(&'static str, Samples)>;

/// How a figure is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    /// Behind the number.
    pub(crate) name: &'static str,
    /// How many digits come after the point.
    pub(crate) digits: usize,
}

impl Unit {
    fn write(self, figure: f64) -> String {
        let Self { name, digits } = self;
        if figure.is_infinite() {
            return "hangs".to_owned();
        }
        // No negative zero.
        let figure = if figure.abs() < 0.5 / 10_f64.powi(i32::try_from(digits).unwrap_or(0)) { 0.0 } else { figure };
        if name.is_empty() { format!("{figure:.digits$}") } else { format!("{figure:.digits$} {name}") }
    }
}

/// The limit of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// This.
    AtMost(f64),
    /// This many times the figure of a peer in the same run.
    Times(f64, &'static str),
    /// The figure of a peer in the same run, and this much more.
    Beyond(f64, &'static str),
}

impl Limit {
    /// The value to compare: the figure itself, or its relation to the peer's, round by round. `None` where one of them
    /// was not measured.
    fn stands(self, results: &Results) -> Option<f64> {
        let mine = samples(results, GRACEFUL)?;
        match self {
            Self::AtMost(_) => mine.median(),
            Self::Times(_, peer) => {
                let ratios = mine.beside(samples(results, peer)?, |mine, theirs| mine / theirs);
                ratios.median()
            }
            Self::Beyond(_, peer) => {
                let more = mine.beside(samples(results, peer)?, |mine, theirs| mine - theirs);
                more.median()
            }
        }
    }

    /// The value as text: empty where the figure itself shows it.
    fn write_standing(self, standing: f64, unit: Unit) -> String {
        match self {
            Self::AtMost(_) => String::new(),
            Self::Times(..) => format!(" = {standing:.2}x"),
            Self::Beyond(_, peer) => format!(" = {peer} + {}", unit.write(standing)),
        }
    }

    fn is_kept(self, standing: f64) -> bool {
        let (Self::AtMost(most) | Self::Times(most, _) | Self::Beyond(most, _)) = self;
        standing <= most
    }

    fn write(self, unit: Unit) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {}", unit.write(most)),
            Self::Times(times, peer) => format!("≤ {times:.2}x {peer}"),
            Self::Beyond(more, peer) => format!("≤ {peer} + {}", unit.write(more)),
        }
    }
}

fn samples<'a>(results: &'a Results, name: &str) -> Option<&'a Samples> {
    let (_, samples) = results.iter().find(|(of, _)| *of == name)?;
    Some(samples)
}

/// One line, as texts.
#[derive(Debug)]
struct Row([String; 5]);

/// All measurements, and the rows that could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    is_broken: bool,
}

impl Table {
    /// Adds the results of one figure, and prints them at once.
    pub(crate) fn add(&mut self, figure: &str, unit: Unit, limit: Limit, results: &Results) {
        self.add_with(figure, unit, limit, results, Ok(""));
    }

    /// The same with a text: a reason why the limit is missed, whatever the figure, or a remark.
    pub(crate) fn add_with(
        &mut self,
        figure: &str,
        unit: Unit,
        limit: Limit,
        results: &Results,
        remark: Result<&str, &str>,
    ) {
        let mut ours = String::from("-");
        let mut peers = Vec::new();
        for (name, samples) in results {
            let text = figure_of(samples, unit);
            if *name == GRACEFUL {
                ours = text;
            } else {
                peers.push(format!("{name} {text}"));
            }
        }
        let standing = limit.stands(results);
        if let Some(standing) = standing {
            ours.push_str(&limit.write_standing(standing, unit));
        }
        let (Ok(said) | Err(said)) = remark;
        if !said.is_empty() {
            ours = format!("{ours}, {said}");
        }
        let verdict = match (standing, remark) {
            (None, _) => "not measured",
            (Some(standing), Ok(_)) if limit.is_kept(standing) => "ok",
            _ => "MISSED",
        };
        self.is_broken |= verdict == "not measured";
        let limit = limit.write(unit);
        eprintln!("  {figure}: {ours} ({limit}: {verdict})");
        self.rows.push(Row([figure.to_owned(), ours, limit, verdict.to_owned(), peers.join(", ")]));
    }

    /// A row that could not be measured.
    pub(crate) fn not_measured(&mut self, name: &str, why: &str) {
        self.is_broken = true;
        let [figure, limit, peers] = [name, "", ""].map(str::to_owned);
        let (ours, verdict) = (format!("NOT MEASURED: {why}"), "not measured".to_owned());
        self.rows.push(Row([figure, ours, limit, verdict, peers]));
    }

    /// Whether every selected row was measured.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_broken
    }
}

/// The median, with the quarters of the runs around it where there are enough of them and they differ.
fn figure_of(samples: &Samples, unit: Unit) -> String {
    let Some(median) = samples.median() else {
        return "-".to_owned();
    };
    let text = unit.write(median);
    let bare = Unit { name: "", ..unit };
    match samples.spread() {
        Some((low, high)) if bare.write(low) != bare.write(high) => {
            format!("{text} ({} to {})", bare.write(low), bare.write(high))
        }
        _ => text,
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["figure", GRACEFUL, "must reach", "", "peers"].map(str::to_owned);
        let rows = || [&head].into_iter().chain(self.rows.iter().map(|row| &row.0));
        // The last column is as wide as it is.
        let width = |column: usize| rows().map(|row| row[column].chars().count()).max();
        let widths: Vec<_> = (0..4).map(|column| width(column).unwrap_or(0)).collect();
        for (index, row) in rows().enumerate() {
            for (cell, &width) in row.iter().zip(&widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "| {} |", row[4])?;
            if index == 0 {
                for &width in &widths {
                    write!(f, "|{}", "-".repeat(width + 2))?;
                }
                writeln!(f, "|---|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{GRACEFUL, Limit, Results, Table, Unit};

    const UNIT: Unit = Unit { name: "Ir", digits: 0 };

    fn results(ours: f64, peer: f64) -> Results {
        let one = |sample| [sample].into_iter().collect();
        vec![(GRACEFUL, one(ours)), ("peer", one(peer))]
    }

    fn verdict(limit: Limit, results: &Results) -> String {
        let mut table = Table::default();
        table.add("figure", UNIT, limit, results);
        table.rows[0].0[3].clone()
    }

    #[test]
    fn a_limit_is_reached_or_missed() {
        let results = results(105.0, 100.0);
        assert_eq!(verdict(Limit::AtMost(105.0), &results), "ok");
        assert_eq!(verdict(Limit::AtMost(104.0), &results), "MISSED");
        assert_eq!(verdict(Limit::Times(1.05, "peer"), &results), "ok");
        assert_eq!(verdict(Limit::Times(1.04, "peer"), &results), "MISSED");
        assert_eq!(verdict(Limit::Beyond(5.0, "peer"), &results), "ok");
        assert_eq!(verdict(Limit::Beyond(4.0, "peer"), &results), "MISSED");
    }

    #[test]
    fn a_limit_by_a_peer_that_is_missing_is_not_measured() {
        let mut table = Table::default();
        let results = results(1.0, 1.0);
        table.add("figure", UNIT, Limit::Times(1.05, "nobody"), &results);
        assert_eq!(table.rows[0].0[3], "not measured");
        assert!(!table.is_whole());
    }

    #[test]
    fn a_row_is_missed_for_another_reason_than_its_number() {
        let mut table = Table::default();
        let (limit, results) = (Limit::AtMost(50.0), results(1.0, 1.0));
        table.add_with("figure", UNIT, limit, &results, Err("exit code 0"));
        assert_eq!(table.rows[0].0[1], "1 Ir, exit code 0");
        assert_eq!(table.rows[0].0[3], "MISSED");
        assert!(table.is_whole());
    }
}
