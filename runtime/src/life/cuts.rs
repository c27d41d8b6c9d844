//! What a stop has cut off: requests that were not answered to the end, connections that were not idle.

use crate::model::text;
use crate::os::lock::Lock;

/// How many different descriptions are kept of each kind.
const DESCRIBED: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Cuts(Lock<Vec<Kind>>);

#[derive(Debug)]
struct Kind {
    /// `request`, `connection`.
    name: &'static str,
    count: usize,
    /// `GET /slow`, and how often. The rest is counted only.
    described: Vec<(String, usize)>,
}

impl Cuts {
    /// One more was cut off.
    pub(crate) fn note(&self, name: &'static str, description: String) {
        let mut kinds = self.0.lock();
        let place = kinds.iter().position(|kind| kind.name == name).unwrap_or_else(|| {
            kinds.push(Kind { name, count: 0, described: Vec::new() });
            kinds.len() - 1
        });
        let kind = &mut kinds[place];
        kind.count += 1;
        if let Some((_, count)) = kind.described.iter_mut().find(|(known, _)| *known == description) {
            *count += 1;
        } else if kind.described.len() < DESCRIBED {
            kind.described.push((description, 1));
        }
    }

    /// `2 requests (GET /slow ×2), 1 connection (reading the head of a request)`.
    pub(crate) fn summary(&self) -> Option<String> {
        let kinds = self.0.lock();
        (!kinds.is_empty()).then(|| text::listed(kinds.iter().map(Kind::summary)))
    }
}

impl Kind {
    fn summary(&self) -> String {
        let Self { name, count, described } = self;
        let plural = if *count == 1 { "" } else { "s" };
        let each =
            |(text, count): &(String, usize)| if *count == 1 { text.clone() } else { format!("{text} ×{count}") };
        let mut list = text::listed(described.iter().map(each));
        if described.iter().map(|(_, count)| count).sum::<usize>() < *count {
            list += ", and others";
        }
        format!("{count} {name}{plural} ({list})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_counted_by_kind_and_described() {
        let cuts = Cuts::default();
        assert_eq!(cuts.summary(), None);
        for _ in 0..2 {
            cuts.note("request", "GET /slow".to_owned());
        }
        cuts.note("connection", "reading a head".to_owned());
        cuts.note("request", "PUT /big".to_owned());
        let all = "3 requests (GET /slow ×2, PUT /big), 1 connection (reading a head)";
        assert_eq!(cuts.summary().as_deref(), Some(all));
        for number in 0..5 {
            cuts.note("request", format!("GET /{number}"));
        }
        let summary = cuts.summary().expect("there are some");
        assert!(summary.starts_with("8 requests (GET /slow ×2, PUT /big, GET /0, GET /1, and others)"), "{summary}");
    }
}
