//! The chart as a picture that any browser shows.

use std::fmt::Write;

use crate::chart::{Bar, Chart, Kind};

const WIDTH: f64 = 960.0;
/// Where the names end and the bars begin.
const LEFT: f64 = 200.0;
/// What is left for the notes.
const RIGHT: f64 = 160.0;
const ROW: f64 = 26.0;
const TOP: f64 = 64.0;

pub(crate) fn svg(chart: &Chart) -> String {
    let x = |at: f64| LEFT + at / chart.total * (WIDTH - LEFT - RIGHT);
    let height = (0..chart.bars.len()).fold(TOP + ROW, |height, _| height + ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let title = format!("stop: {}, {:.0} ms", chart.cause, chart.total);
    write_text(&mut svg, 10.0, 20.0, "start", &title);
    for mark in &chart.marks {
        let at = x(mark.at);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{height}\" stroke=\"#999\" \
             stroke-dasharray=\"3 3\"><title>{}, after {:.0} ms</title></line>",
            TOP - 12.0,
            escaped(&mark.name),
            mark.at
        );
    }
    let mut y = TOP;
    for bar in &chart.bars {
        write_bar(&mut svg, bar, y, x(bar.from), x(bar.to));
        y += ROW;
    }
    svg + "</svg>\n"
}

fn write_bar(svg: &mut String, bar: &Bar, y: f64, from: f64, to: f64) {
    let color = match (bar.kind, bar.is_last) {
        (_, true) => "#c0392b",
        (Kind::State, _) => "#95a5a6",
        (Kind::Hook, _) => "#8e44ad",
        (Kind::Worker, _) => "#2980b9",
    };
    let (width, height, top) = ((to - from).max(2.0), ROW - 8.0, y - ROW / 2.0);
    let _ =
        writeln!(svg, "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{color}\"/>");
    write_text(svg, LEFT - 8.0, y, "end", &bar.name);
    let took = format!("{:.0} ms {}", bar.to - bar.from, bar.note);
    write_text(svg, from + width + 6.0, y, "start", &took);
}

fn write_text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
