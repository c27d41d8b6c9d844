//! The chart of a stop as a picture.

use std::fmt::Write;
use std::time::Duration;

use crate::model::text::span;
use crate::with::page::chart::{Bar, Chart, Kind, Mark};
use crate::with::page::facts::End;

/// What makes it a picture of its own. In the page the same is in its style sheet.
const STYLE: &str = include_str!("svg.css");

const WIDTH: f64 = 960.0;
/// Where the names end and the bars begin.
const LEFT: f64 = 236.0;
const RIGHT: f64 = 24.0;
const ROW: f64 = 26.0;
const BAR: f64 = 18.0;
const LINE: f64 = 20.0;
/// What the title takes.
const TITLE: f64 = 52.0;
/// A character is about as wide.
const CHARACTER: f64 = 6.9;
/// So many characters of a name fit beside a bar, and of a remark into a line.
const NAME: usize = 28;
const REMARK: usize = 132;

/// Draws it. `is_alone`: it brings its style along.
pub(crate) fn svg(chart: &Chart, end: &End, is_alone: bool) -> String {
    // In the page title and remarks are beside it.
    let top = if is_alone { TITLE } else { 0.0 } + 34.0;
    let bars = Picture { svg: String::new(), total: chart.total.max(Duration::from_millis(1)), top, y: top };
    bars.draw(chart, end, is_alone)
}

struct Picture {
    svg: String,
    total: Duration,
    /// The middle of the first row.
    top: f64,
    /// The middle of the next row.
    y: f64,
}

impl Picture {
    fn draw(mut self, chart: &Chart, end: &End, is_alone: bool) -> String {
        for bar in &chart.bars {
            self.bar(bar);
        }
        if chart.more > 0 {
            self.text(
                "g-text g-dim",
                LEFT,
                self.y + 4.0,
                "start",
                &format!("and {} more kinds of workers", chart.more),
            );
            self.y += ROW;
        }
        let below = self.y - ROW / 2.0;
        let rows = std::mem::take(&mut self.svg);
        self.axis(below);
        self.marks(&chart.marks, below);
        let (title, summary) = (title(chart, end), summary(chart));
        if is_alone {
            self.text("g-text g-title", 16.0, 28.0, "start", &cut(&title, 100));
            self.text("g-text", 16.0, 50.0, "start", &cut(&summary, REMARK));
            for note in &end.notes {
                self.text("g-text g-dim", 16.0, self.y + 8.0, "start", &cut(note, REMARK));
                self.y += LINE;
            }
        }
        let axis = self.svg;
        let height = self.y + 8.0;
        let style = if is_alone { format!("<style>{STYLE}</style>\n") } else { String::new() };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{}\">\n{style}<defs><pattern id=\"g-stripes\" width=\"8\" height=\"8\" \
             patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path class=\"g-stripe\" d=\"M0 0V8\"/>\
             </pattern></defs>\n<rect class=\"g-back\" width=\"100%\" height=\"100%\"/>\n{axis}{rows}</svg>\n",
            escaped(&format!("{title}. {summary}"))
        )
    }

    fn x(&self, at: Duration) -> f64 {
        LEFT + (at.as_secs_f64() / self.total.as_secs_f64()).min(1.0) * (WIDTH - LEFT - RIGHT)
    }

    /// A line each so much time, with the time above it.
    fn axis(&mut self, below: f64) {
        let step = step(self.total);
        let mut at = Duration::ZERO;
        while at <= self.total {
            let x = self.x(at);
            let _ = writeln!(self.svg, "<path class=\"g-line\" d=\"M{x:.1} {}V{below}\"/>", self.top - 14.0);
            self.text("g-text g-dim", x, self.top - 18.0, "middle", &span(at));
            at += step;
        }
    }

    /// A line for each moment, and its name below the bars: on a line of its own where another one is in its way.
    fn marks(&mut self, marks: &[Mark], below: f64) {
        let mut ends = Vec::<f64>::new();
        for mark in marks {
            let x = self.x(mark.at);
            let room = width(&mark.name);
            let (from, anchor) = if x + room <= WIDTH { (x, "start") } else { (x - room, "end") };
            let line = ends.iter().position(|end| end + 2.0 * CHARACTER < from).unwrap_or(ends.len());
            ends.truncate(ends.len().max(line));
            match ends.get_mut(line) {
                Some(end) => *end = from + room,
                None => ends.push(from + room),
            }
            #[allow(clippy::cast_precision_loss)] // there are seven kinds of moments
            let y = below + LINE * (line + 1) as f64;
            let _ = writeln!(
                self.svg,
                "<path class=\"g-mark\" d=\"M{x:.1} {}V{:.1}\"><title>{}, after {}</title></path>",
                self.top - 14.0,
                y - 12.0,
                escaped(&mark.name),
                span(mark.at)
            );
            self.text("g-text g-dim", x, y, anchor, &mark.name);
            self.y = self.y.max(y + 12.0);
        }
    }

    fn bar(&mut self, bar: &Bar) {
        let (from, to, y) = (self.x(bar.from), self.x(bar.to), self.y);
        let (width, top) = ((to - from).max(2.0), y - BAR / 2.0);
        let is_held = bar.is_longest || bar.waited_for >= self.total / 20;
        let kind = match bar.kind {
            _ if bar.is_longest => "g-held",
            Kind::State => "g-state",
            Kind::Hook => "g-hook",
            Kind::Worker => "g-worker",
        };
        let place = if bar.place.is_empty() { String::new() } else { format!(" ({})", bar.place) };
        let took = bar.to.saturating_sub(bar.from);
        let _ = writeln!(
            self.svg,
            "<g><title>{}{}: from {} to {}, {}</title>\
             <rect class=\"{kind}\" x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>",
            escaped(&bar.name),
            escaped(&place),
            span(bar.from),
            span(bar.to),
            span(took)
        );
        if is_held {
            let _ = writeln!(
                self.svg,
                "<rect fill=\"url(#g-stripes)\" x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>"
            );
        }
        let name = match bar.kind {
            Kind::Hook => format!("{} {}", bar.place, bar.name),
            Kind::State | Kind::Worker => bar.name.clone(),
        };
        self.text("g-text", LEFT - 8.0, y + 4.0, "end", &cut_in_front(&name, NAME));
        let waited = if bar.is_longest { "held up longest:" } else { "waited for" };
        let mut said = match bar.waited_for {
            waited_for if !is_held => span(took.max(waited_for)),
            waited_for if took <= waited_for + took / 50 => format!("{waited} {}", span(took)),
            waited_for => format!("{}, {waited} {}", span(took), span(waited_for)),
        };
        if !bar.note.is_empty() {
            let _ = write!(said, ": {}", bar.note);
        }
        self.beside(from, from + width, y + 4.0, &said);
        self.svg.push_str("</g>\n");
        self.y += ROW;
    }

    /// Writes behind a bar, or in front of it, or into it: where there is room.
    fn beside(&mut self, from: f64, to: f64, y: f64, said: &str) {
        let width = width(said);
        if to + 6.0 + width <= WIDTH {
            self.text("g-text", to + 6.0, y, "start", said);
        } else if from - 6.0 - width >= LEFT {
            self.text("g-text", from - 6.0, y, "end", said);
        } else {
            self.text("g-text g-on", to - 6.0, y, "end", said);
        }
    }

    fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
        let text = escaped(text);
        let _ =
            writeln!(self.svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
    }
}

/// `http: SIGTERM, stopped in 3.4 s, exit code 0`.
fn title(chart: &Chart, end: &End) -> String {
    let service = end.service.as_ref().map_or_else(String::new, |service| format!("{service}: "));
    let took = span(chart.total);
    let Some((code, reason)) = &end.code else {
        return format!("{service}{}, stopping for {took}", chart.cause);
    };
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let how = if chart.is_over { "stopped in" } else { "ended after" };
    format!("{service}{}, {how} {took}, exit code {code}{reason}", chart.cause)
}

/// What held it up.
fn summary(chart: &Chart) -> String {
    match &chart.held_up_by {
        Some((what, long)) => format!("held up longest by {what}: {}", span(*long)),
        None => "nothing held it up".to_owned(),
    }
}

/// A round time that makes four to ten steps.
fn step(total: Duration) -> Duration {
    const ROUND: [u64; 3] = [1, 2, 5];
    let steps = (0..9).flat_map(|power| ROUND.map(|round| Duration::from_millis(round * 10_u64.pow(power))));
    steps.into_iter().find(|step| total <= *step * 10).unwrap_or(total)
}

/// About what a text takes.
#[allow(clippy::cast_precision_loss)] // a line of text
fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The end of a name says more than its beginning.
fn cut_in_front(text: &str, characters: usize) -> String {
    let count = text.chars().count();
    if count <= characters {
        return text.to_owned();
    }
    format!("…{}", text.chars().skip(count + 1 - characters).collect::<String>())
}

/// For elements and for attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no other ones.
            '\t' | '\n' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn bar(name: &str, from: u64, to: u64) -> Bar {
        Bar {
            name: name.to_owned(),
            kind: Kind::Worker,
            from: ms(from),
            to: ms(to),
            note: String::new(),
            place: "src/main.rs:7".to_owned(),
            is_blocking: false,
            waited_for: ms(0),
            is_longest: false,
        }
    }

    fn chart(bars: Vec<Bar>) -> Chart {
        let marks = vec![Mark { name: "late told to stop".to_owned(), at: ms(500) }];
        Chart { cause: "SIGTERM".to_owned(), is_over: true, total: ms(1000), bars, marks, more: 0, held_up_by: None }
    }

    fn end() -> End {
        End { service: None, code: Some((0, String::new())), notes: Vec::new() }
    }

    #[test]
    fn a_name_is_text_in_the_picture() {
        let nasty = "<script>alert(1)</script>\"'&\u{8}";
        let svg = svg(&chart(vec![bar(nasty, 0, 10)]), &End { notes: vec![nasty.to_owned()], ..end() }, true);
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\u{fffd}"), "{svg}");
    }

    #[test]
    fn bars_and_marks_are_where_their_times_are() {
        let svg = svg(&chart(vec![bar("flush", 250, 750)]), &end(), false);
        let room = WIDTH - LEFT - RIGHT;
        let (x, width) = (LEFT + room / 4.0, room / 2.0);
        assert!(svg.contains(&format!("x=\"{x:.1}\" y=\"25\" width=\"{width:.1}\"")), "{svg}");
        assert!(svg.contains("<title>flush (src/main.rs:7): from 250 ms to 750 ms, 500 ms</title>"), "{svg}");
        let mark = LEFT + room / 2.0;
        assert!(svg.contains(&format!("d=\"M{mark:.1} 20V")), "{svg}");
        assert!(!svg.contains("<style>"));
    }

    #[test]
    fn what_was_waited_for_is_striped_and_said() {
        let held = Bar { waited_for: ms(500), note: "2 aborted".to_owned(), ..bar("flush", 500, 1000) };
        let svg = svg(&chart(vec![held, bar("quick", 0, 10)]), &end(), true);
        assert_eq!(svg.matches("url(#g-stripes)").count(), 1, "{svg}");
        assert!(svg.contains(">waited for 500 ms: 2 aborted<"), "{svg}");
    }

    #[test]
    fn a_step_of_the_axis_is_a_round_time() {
        let steps = [7, 100, 1000, 3400, 25_000, 600_000].map(|total| step(ms(total)).as_millis());
        assert_eq!(steps, [1, 10, 100, 500, 5000, 100_000]);
    }
}
