//! "did you mean": the known word nearest to a misspelt one.

/// The candidate closest to `word`, if it is close enough to be what was meant:
/// one slip for every three letters, upper and lower case being the same.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, removed, replaced or swapped with their
/// neighbour to get from one word to the other.
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
