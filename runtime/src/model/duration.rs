//! Durations as people write them: `"30s"`, `"1m 30s"`, `"500ms"`.
//!
//! The same file serves the attributes, at compile time, and the environment
//! variables, when the process starts: both accept exactly the same text.

use core::time::Duration;

/// What to write, for messages.
const EXAMPLES: &str = "such as \"30s\", \"1m 30s\" or \"500ms\"";

/// Reads a sequence of `<unsigned integer><unit>`, with or without spaces in
/// between. The units are `ns`, `us`, `ms`, `s`, `m`, `h` and `d`.
///
/// # Errors
///
/// The text is empty, a number has no unit, a unit is unknown, or the sum does
/// not fit a `Duration`. The message says what to write.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("an empty duration: write one {EXAMPLES}"));
    }
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        if digits.is_empty() || after.starts_with(['.', ',', '_']) {
            return Err(format!("`{text}` is not a duration: write whole numbers with units, {EXAMPLES}"));
        }
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        let part = term(text, digits, unit)?;
        sum = sum.checked_add(part).ok_or_else(|| too_long(text))?;
        rest = after.trim_start();
    }
    Ok(sum)
}

/// One number with its unit.
fn term(text: &str, digits: &str, unit: &str) -> Result<Duration, String> {
    let number: u64 = digits.parse().map_err(|_| too_long(text))?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    let duration = match unit {
        "ns" => Some(Duration::from_nanos(number)),
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        "d" => seconds(24 * 60 * 60),
        "" => {
            return Err(format!("`{digits}` has no unit: write a duration {EXAMPLES}"));
        }
        _ => {
            return Err(format!("`{unit}` is not a unit of time: use ns, us, ms, s, m, h or d, {EXAMPLES}"));
        }
    };
    duration.ok_or_else(|| too_long(text))
}

/// The longest beginning of which every character passes, and what follows it.
fn split(text: &str, passes: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !passes(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn too_long(text: &str) -> String {
    format!("`{text}` is too long for a duration: write a shorter one, {EXAMPLES}")
}

#[cfg(test)]
mod tests {
    use super::{Duration, parse};

    #[test]
    fn every_unit_is_understood() {
        for (text, expected) in [
            ("7ns", Duration::from_nanos(7)),
            ("7us", Duration::from_micros(7)),
            ("7ms", Duration::from_millis(7)),
            ("7s", Duration::from_secs(7)),
            ("7m", Duration::from_secs(7 * 60)),
            ("7h", Duration::from_secs(7 * 3600)),
            ("7d", Duration::from_secs(7 * 86400)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn parts_add_up_with_and_without_spaces() {
        for text in ["1m30s", "1m 30s", " 1 m  30 s ", "90s", "30s 1m", "1m 29s 1000ms"] {
            assert_eq!(parse(text), Ok(Duration::from_secs(90)), "{text}");
        }
    }

    #[test]
    fn zero_is_a_duration() {
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_wrong_text_says_what_to_write() {
        for text in [
            "",
            " ",
            "30",
            "s",
            "30 seconds",
            "1.5s",
            "-1s",
            "30s,",
            "1m 30",
            "abc",
            "٣s",
            "30S",
            "99999999999999999999s",
            "213503982334602d",
            "18446744073709551615s 1s",
            "\u{0}",
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains("\"1m 30s\""), "{text}: {message}");
        }
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        for (text, part) in [
            ("", "an empty duration"),
            ("30", "`30` has no unit"),
            ("1m 30", "`30` has no unit"),
            ("5 years", "`years` is not a unit of time"),
            ("1.5s", "write whole numbers with units"),
            ("s", "write whole numbers with units"),
            ("213503982334602d", "is too long for a duration"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn the_longest_one_fits() {
        assert_eq!(parse("18446744073709551615s"), Ok(Duration::from_secs(u64::MAX)));
    }
}
