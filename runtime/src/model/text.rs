//! How texts from outside, durations and lists read in a line.

use std::any::Any;
use std::time::Duration;

/// Names in a list beyond these are counted.
const NAMED: usize = 6;

/// The first few, and how many more.
pub(crate) fn listed(items: impl Iterator<Item = String>) -> String {
    // Collected, so that the rest is compiled once.
    list(&items.collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    let (shown, more) = items.split_at(items.len().min(NAMED));
    let list = shown.join(", ");
    if more.is_empty() { list } else { format!("{list} and {} more", more.len()) }
}

/// A text from outside, short enough for a line and on one line.
pub(crate) fn cut(text: &str) -> String {
    shortened(text, 200, 400)
}

/// A name, short enough for a line: of a worker, a hook, a thread, the lifecycle.
pub(crate) fn name(text: &str) -> String {
    shortened(text, 64, 128)
}

/// The text without the sequences that set a terminal's colours, the cursor or the title (ECMA-48): not only their first
/// character, which would leave `[91m`.
fn without_escapes(text: &str) -> impl Iterator<Item = char> + '_ {
    const ESC: char = '\u{1b}';
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        loop {
            let is_escape = |c: &char| *c == ESC || *c == '\u{9b}';
            let c = rest.next()?;
            if !is_escape(&c) {
                return Some(c);
            }
            let kind =
                if c == ESC { rest.next_if(|c| matches!(c, '[' | ']' | 'P' | '^' | '_' | 'X')) } else { Some('[') };
            match kind {
                // Parameters, up to a letter or one of a few others.
                Some('[') => {
                    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                    rest.next_if(|c| matches!(c, '@'..='~'));
                }
                // A string, up to its end.
                Some(_) => while rest.next_if(|c| !c.is_control() || c.is_ascii_whitespace()).is_some() {},
                // Of two characters.
                None => drop(rest.next_if(|c| matches!(c, ' '..='~'))),
            }
        }
    })
}

/// The beginning of a text from outside, in no more than so many characters and bytes, and a mark where it was cut.
/// All such text goes through here before it is printed.
fn shortened(text: &str, characters: usize, bytes: usize) -> String {
    let mut line = String::new();
    for (place, c) in without_escapes(text).enumerate() {
        if place == characters || line.len() + c.len_utf8() > bytes {
            line.push('…');
            break;
        }
        line.push(if breaks_a_line(c) { ' ' } else { c });
    }
    line
}

/// Whether it ends a line, moves the cursor, or changes the direction or the order in which a line is read.
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// Cuts a finished text to so many bytes.
pub(crate) fn cut_to(text: &mut String, bytes: usize) {
    const MARK: char = '…';
    if text.len() > bytes {
        let longest = bytes.saturating_sub(MARK.len_utf8());
        let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push(MARK);
    }
}

/// `25 s`, `900 ms`, `1.5 s`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let ms = duration.subsec_millis();
    match (seconds, ms) {
        (0, _) => format!("{ms} ms"),
        (1..60, 50..) => {
            let tenths = seconds * 10 + u64::from(ms + 50) / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => format!("{seconds} s"),
    }
}

/// For machines.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The text in a panic's payload.
pub(crate) fn of_panic(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "a payload that is not text",
    }
}

/// An error whose `Debug` panicked.
pub(crate) fn error_panicked(payload: &(dyn Any + Send)) -> String {
    format!("an error whose Debug panicked: {}", of_panic(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        let ms = Duration::from_millis;
        let read: Vec<_> = [0, 7, 999, 1000, 1500, 25_000, 90_000].map(|n| span(ms(n))).into();
        assert_eq!(read, ["0 ms", "7 ms", "999 ms", "1 s", "1.5 s", "25 s", "90 s"]);
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let letters = |n| listed((b'a'..b'a' + n).map(|letter| char::from(letter).into()));
        assert_eq!(letters(6), "a, b, c, d, e, f");
        assert_eq!(letters(8), "a, b, c, d, e, f and 2 more");
    }

    #[test]
    fn the_colours_of_an_error_are_left_out_as_a_whole() {
        for (coloured, plain) in [
            ("\u{1b}[91mbroken\u{1b}[0m pipe", "broken pipe"),
            ("\u{1b}[1;38;2;255;0;0mred\u{1b}[m", "red"),
            ("a\u{9b}31mb", "ab"),
            ("\u{1b}]0;a title\u{7}text", " text"),
            ("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}cgone", "gone"),
            ("\u{1b}", ""),
            ("a [91m b", "a [91m b"),
            ("\u{1b}[31\u{1b}[32mx", "x"),
        ] {
            assert_eq!(cut(coloured), plain, "{coloured:?}");
        }
    }

    #[test]
    fn texts_are_cut_to_one_line() {
        assert_eq!(cut("a\nb"), "a b");
        assert_eq!(cut(&"x".repeat(1000)).chars().count(), 201);
        assert_eq!(name(&"界".repeat(64)), "界".repeat(42) + "…");
        assert_eq!(name("a\u{202e}b\u{2028}c\0"), "a b c ");
        let mut text = "é".repeat(10);
        cut_to(&mut text, 20);
        assert_eq!(text, "é".repeat(10));
        cut_to(&mut text, 10);
        assert_eq!(text, "ééé…");
    }
}
