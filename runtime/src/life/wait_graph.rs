//! Which worker waits for which handle, asked for when a stop is about to run out of time.
//!
//! Nothing is noted before: a stop that goes well needs no such list. Just before the abort the workers are woken once
//! more, and a handle that is polled then and has no result yet notes which worker waits for it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::still_running::{Found, Wait};
use crate::os::lock::Lock;

/// At most so many waits are noted.
const NOTED: usize = 64;

/// The list, while it is asked for.
#[derive(Debug, Default)]
pub(crate) struct WaitGraph {
    is_asked: AtomicBool,
    list: Lock<Vec<Wait>>,
}

impl WaitGraph {
    /// From now on a handle that is polled and has no result notes which worker polls it.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::Release);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Acquire)
    }

    pub(crate) fn note(&self, wait: Wait) {
        let mut list = self.list.lock();
        if list.len() < NOTED && !list.contains(&wait) {
            list.push(wait);
        }
    }

    /// What was noted: cycles of waits first.
    pub(crate) fn found(&self) -> Vec<Found> {
        let list = self.list.lock();
        let mut found: Vec<Found> = Vec::new();
        for wait in &*list {
            let Some(round) = around(&list, wait) else {
                continue;
            };
            let is_new = |other: &Found| match other {
                Found::Round(other) => round.iter().any(|name| !other.contains(name)),
                Found::Alone(_) => true,
            };
            if found.iter().all(is_new) {
                found.push(Found::Round(round));
            }
        }
        for wait in &*list {
            if around(&list, wait).is_none() {
                found.push(Found::Alone(wait.clone()));
            }
        }
        found
    }
}

/// The shortest path from the awaited worker back to the waiter: the names along it, the waiter first.
fn around(list: &[Wait], wait: &Wait) -> Option<Vec<String>> {
    if wait.awaited == wait.waiter {
        return Some(vec![wait.waiter.clone()]);
    }
    let mut ways = vec![vec![wait.waiter.clone(), wait.awaited.clone()]];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in list.iter().filter(|next| way.last() == Some(&next.waiter)) {
                if next.awaited == wait.waiter {
                    return Some(way);
                }
                if !way.contains(&next.awaited) {
                    let mut way = way.clone();
                    way.push(next.awaited.clone());
                    longer.push(way);
                }
            }
        }
        longer.truncate(NOTED);
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(waits: &[(&str, &str)]) -> Vec<Found> {
        let list = WaitGraph::default();
        for (waiter, awaited) in waits {
            list.note(Wait { waiter: (*waiter).to_owned(), awaited: (*awaited).to_owned(), is_later: false });
        }
        list.found()
    }

    fn round(names: &[&str]) -> Found {
        Found::Round(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_same_wait_is_noted_once() {
        assert_eq!(found(&[("a", "b"), ("a", "b")]).len(), 1);
    }

    #[test]
    fn sixty_four_waits_are_noted_and_no_more() {
        let names: Vec<_> = (0..=NOTED).map(|number| number.to_string()).collect();
        let waits: Vec<_> = names.iter().map(|name| (&**name, "a")).collect();
        assert_eq!(found(&waits).len(), NOTED);
    }

    #[test]
    fn a_round_is_found_once_and_first() {
        let all = found(&[("main", "a"), ("a", "b"), ("b", "c"), ("c", "a")]);
        assert_eq!(all[0], round(&["a", "b", "c"]));
        assert_eq!(all.len(), 2);
        assert!(matches!(&all[1], Found::Alone(wait) if wait.waiter == "main"));
    }

    #[test]
    fn a_worker_that_waits_for_itself_is_a_round_of_one() {
        assert_eq!(found(&[("a", "a")]), [round(&["a"])]);
    }

    #[test]
    fn two_rounds_are_two() {
        let all = found(&[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]);
        assert_eq!(all, [round(&["a", "b"]), round(&["c", "d"])]);
    }
}
