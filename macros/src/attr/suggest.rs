//! "did you mean": suggests the known word nearest to an unknown one.

use proc_macro2::Ident;
use syn::Error;

use crate::attr::table::Attribute;

/// Names that other crates use for an option.
const ALIASES: &[(&str, &str)] = &[
    ("stop_timeout", "timeout deadline grace grace_period"),
    ("stop_timeout", "shutdown_timeout"),
    ("worker_threads", "threads workers core_threads"),
    ("name", "thread_name"),
    ("flavor", "runtime"),
    ("signals", "signal"),
    ("start_paused", "paused"),
    ("every", "interval period cron schedule"),
    ("initial_delay", "delay first first_run start_after"),
    ("on_failure", "on_error on_panic"),
    ("max_restarts", "restarts"),
    ("stop", "stage"),
    ("essential", "critical"),
    ("blocking", "spawn_blocking"),
    ("crate", "graceful package"),
];

/// Options of other crates that are a value of an option here, and how it is written.
const VALUES: &[(&str, &str, &str)] = &[("restart", "on_failure", "on_failure = \"restart\"")];

/// Options of other crates that there is no need for here.
const NEEDLESS: &[(&str, &str)] =
    &[("unhandled_panic", "a panic of a worker is a failure already, and its `on_failure` says what that means")];

/// The error for a word that is not an option of this attribute.
pub(crate) fn unknown(attribute: Attribute, key: &Ident) -> Error {
    let word = key.to_string();
    let written = attribute.written();
    let keys = || attribute.options().iter().map(|spec| spec.key);
    let elsewhere = Attribute::ALL.into_iter().find(|other| other.option(&word).is_some());
    let message = if let Some(other) = elsewhere {
        let other = other.written();
        format!("`{word}` is an option of `{other}`, not of `{written}`")
    } else if let Some(near) = nearest(&word, keys()).or_else(|| alias(attribute, &word)) {
        format!("unknown option `{word}`: did you mean `{near}`?")
    } else if let Some((.., value)) =
        VALUES.iter().find(|(name, key, _)| *name == word && attribute.option(key).is_some())
    {
        format!("unknown option `{word}`: write `{value}`")
    } else if let Some((_, why)) = NEEDLESS.iter().find(|(name, _)| *name == word) {
        format!("unknown option `{word}`: {why}; remove it")
    } else {
        let all: Vec<_> = keys().map(|key| format!("`{key}`")).collect();
        let all = all.join(", ");
        format!("unknown option `{word}`: `{written}` takes {all}")
    };
    Error::new(key.span(), message)
}

/// The option of this attribute that other crates call `word`.
fn alias(attribute: Attribute, word: &str) -> Option<&'static str> {
    ALIASES
        .iter()
        .filter(|(key, _)| attribute.option(key).is_some())
        .find(|(_, names)| names.split(' ').any(|name| name == word))
        .map(|(key, _)| *key)
}

/// The candidate closest to `word`, at most one edit away for every three
/// letters. Case does not matter.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The edit distance between two words. Adding, removing or replacing a letter
/// and swapping two adjacent ones count as one edit each (Damerau-Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1; to.len() + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b;
            if swapped {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_swap_counts_once() {
        assert_eq!(distance("drian", "drain"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("ab", "xab"), 1);
        assert_eq!(distance("xab", "ab"), 1);
        assert_eq!(distance("abx", "ab"), 1);
        assert_eq!(distance("abcd", "badc"), 2);
        assert_eq!(distance("ab", "aba"), 1);
        assert_eq!(distance("ab", "abba"), 2);
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["stop_timeout", "stop", "name"];
        assert_eq!(nearest("stop_timout", words.into_iter()), Some("stop_timeout"));
        assert_eq!(nearest("STOP", words.into_iter()), Some("stop"));
        assert_eq!(nearest("colour", words.into_iter()), None);
        // Three slips in nine letters are within reach, three in five are not.
        assert_eq!(nearest("stp_timot", words.into_iter()), Some("stop_timeout"));
        assert_eq!(nearest("stxxx", words.into_iter()), None);
    }
}
