//! Draws a stop: states, hooks and workers on a time axis, and what held the exit up.
//!
//! Reads a status in JSON, as `serde_json` writes `graceful::status()` after a stop, from standard input:
//! `timeline < status.json` draws it here, `timeline stop.svg < status.json` as a picture.

mod chart;
mod svg;

use std::env;
use std::error::Error;
use std::fs;
use std::io;

use chart::{Bar, Chart};

/// How many characters the longest bar takes.
const WIDTH: usize = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let status = serde_json::from_reader(io::stdin())?;
    let chart = Chart::of(&status).ok_or("no stop was asked for in this status")?;
    if let Some(path) = env::args().nth(1) {
        fs::write(path, svg::svg(&chart))?;
    } else {
        draw(&chart);
    }
    Ok(())
}

fn draw(chart: &Chart) {
    println!("stop: {}, {:.0} ms", chart.cause, chart.total);
    let name = |bar: &Bar| bar.name.chars().count();
    let longest = chart.bars.iter().map(name).max().unwrap_or(0);
    for bar in &chart.bars {
        let (from, to) = (column(chart, bar.from), column(chart, bar.to));
        let line = " ".repeat(from) + &"█".repeat((to - from).max(1));
        let held_up = if bar.is_last { "<- last" } else { "" };
        println!("{:>longest$} |{line:<WIDTH$}| {:.0} ms {} {held_up}", bar.name, bar.to - bar.from, bar.note);
    }
    for mark in &chart.marks {
        let at = " ".repeat(column(chart, mark.at));
        println!("{:longest$} |{at}^ {}, {:.0} ms", "", mark.name, mark.at);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // columns
fn column(chart: &Chart, at: f64) -> usize {
    (at / chart.total * (WIDTH - 1) as f64).round() as usize
}
