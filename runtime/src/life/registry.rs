//! One entry of counters per worker function, per lifecycle.
//!
//! An annotated function is a [`Function`](crate::life::function::Function) in a static, numbered once per process. Each lifecycle keeps its
//! own entry under that number, found by two indexed loads. Names given at run time get entries of a second
//! table, which is kept small: a name nobody runs under any more makes room for the next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::life::function::FUNCTIONS;
use crate::model::label::{EndedAs, EntryId, Label, NAMED};
use crate::model::policy::Policy;

/// The counters of one function.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) started: AtomicU64,
    /// By [`EndedAs`].
    ended: [AtomicU64; 4],
    pub(crate) restarted: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// When the last of them ended, in milliseconds since the stop was asked for, and one more; 0 before that.
    pub(crate) ended_at: AtomicU32,
    /// That none of them is left was said.
    idle_said: AtomicBool,
    /// Results that workers of this entry have left behind: their destructors run in its name.
    pub(crate) results: AtomicU32,
    /// Set where somebody counts without asking for the entry each time: its name makes room for no other.
    kept: AtomicBool,
}

impl Entry {
    /// How many are alive. Read without stopping anybody, so a moment out of date.
    pub(crate) fn live(&self) -> u64 {
        let ended = self.ended.iter().map(|count| count.load(Ordering::Acquire)).sum();
        self.started.load(Ordering::Acquire).saturating_sub(ended)
    }

    /// Whether another name may have it.
    fn is_free(&self) -> bool {
        self.live() == 0 && self.results.load(Ordering::Acquire) == 0 && !self.kept.load(Ordering::Relaxed)
    }

    /// The count of those that ended in this way.
    #[inline]
    pub(crate) fn end(&self, way: EndedAs) -> &AtomicU64 {
        &self.ended[way as usize]
    }

    /// Takes a start back: the worker was refused.
    #[cold]
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.started.fetch_sub(1, Ordering::Relaxed);
    }

    /// Forgets everything, for a new name.
    fn clear(&self) {
        let counters = [&self.started, &self.restarted, &self.refused];
        for counter in counters.into_iter().chain(&self.ended) {
            counter.store(0, Ordering::Relaxed);
        }
        self.idle_said.store(false, Ordering::Relaxed);
        self.ended_at.store(0, Ordering::Relaxed);
    }

    /// How many ended well, the first time that none is left.
    fn is_newly_idle(&self) -> Option<u64> {
        let ended = self.end(EndedAs::Finished).load(Ordering::Relaxed);
        let is_idle = ended > 0 && self.live() == 0;
        (is_idle && !self.idle_said.swap(true, Ordering::Relaxed)).then_some(ended)
    }
}

/// Rows beyond this many run-time names are reused once nobody runs under them.
const NAMES_KEPT: usize = 256;
/// How many of them are looked at when a new name comes.
const LOOKED_AT: usize = 16;

/// A lifecycle's entries.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    functions: Table,
    names: Table,
    named: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    by_label: HashMap<Label, u32>,
    labels: Vec<Label>,
    /// Where the next search for an idle entry begins.
    next: usize,
}

impl Registry {
    #[inline]
    pub(crate) fn get(&self, id: EntryId) -> &Entry {
        let table = if id.is_named() { &self.names } else { &self.functions };
        table.get(id.number())
    }

    /// Counts a start under a name given at run time, and returns its entry.
    pub(crate) fn start_named(&self, label: Label) -> EntryId {
        // Counted under the lock, so that the entry cannot be given away in between.
        self.named(label, |entry| {
            entry.started.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// An entry that stays this name's, for those who count often.
    #[cfg(feature = "tower")]
    pub(crate) fn keep_named(&self, label: Label) -> EntryId {
        self.named(label, |entry| entry.kept.store(true, Ordering::Relaxed))
    }

    fn named(&self, label: Label, mark: impl FnOnce(&Entry)) -> EntryId {
        let mut names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match names.by_label.get(&label) {
            Some(&index) => index,
            None => self.place(&mut names, label),
        };
        mark(self.names.get(index));
        EntryId::named(index)
    }

    /// An entry for a new name: a fresh one, or, when there are many, one that nobody runs under.
    fn place(&self, names: &mut Names, label: Label) -> u32 {
        if names.labels.len() >= NAMES_KEPT {
            // A few are looked at each time, in turn, so that many live names cost no search.
            let (total, from) = (names.labels.len(), names.next);
            names.next = (from + LOOKED_AT) % total;
            let idle = (from..from + LOOKED_AT)
                .filter_map(|place| u32::try_from(place % total).ok())
                .find(|index| self.names.get(*index).is_free());
            if let Some(index) = idle {
                let old = std::mem::replace(&mut names.labels[index as usize], label.clone());
                names.by_label.remove(&old);
                self.names.get(index).clear();
                names.by_label.insert(label, index);
                return index;
            }
        }
        let index = u32::try_from(names.labels.len()).unwrap_or(NAMED - 1);
        names.labels.push(label.clone());
        names.by_label.insert(label, index);
        index
    }

    /// The entries in use, with their names: functions first, in the order of their first use.
    pub(crate) fn all(&self) -> Vec<(EntryId, Label, &Entry)> {
        let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = (1..)
            .zip(functions.iter())
            .filter_map(|(number, function)| {
                Some((EntryId::from_bits(number), function.label().clone(), self.functions.existing(number)?))
            })
            .collect();
        drop(functions);
        let names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let given = (0..).zip(&names.labels);
        all.extend(
            given
                .filter_map(|(index, label)| Some((EntryId::named(index), label.clone(), self.names.existing(index)?))),
        );
        all.retain(|(_, _, entry)| entry.started.load(Ordering::Relaxed) + entry.refused.load(Ordering::Relaxed) > 0);
        all
    }

    /// The workers of whom none is left, and how many ended well: each once.
    pub(crate) fn newly_idle(&self) -> Vec<(Label, u64)> {
        let all = self.all().into_iter();
        all.filter(|(_, label, _)| !label.is_hold)
            .filter_map(|(_, label, entry)| Some((label, entry.is_newly_idle()?)))
            .collect()
    }

    /// The entries somebody runs under now, with their names and how many.
    pub(crate) fn live(&self) -> Vec<(EntryId, Label, u64)> {
        let all = self.all().into_iter().map(|(id, label, entry)| (id, label, entry.live()));
        all.filter(|(_, _, live)| *live > 0).collect()
    }

    /// The policy behind an entry; the default for main's.
    pub(crate) fn policy(&self, id: EntryId) -> Policy {
        if id.is_named() {
            let names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            let policy = names.labels.get(id.number() as usize).and_then(|label| label.policy.as_deref());
            policy.cloned().unwrap_or_else(Policy::new)
        } else {
            let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
            let function = (id.number() as usize).checked_sub(1).and_then(|index| functions.get(index));
            function.map_or_else(Policy::new, |function| function.policy().clone())
        }
    }

    /// The name behind an entry; `None` for main's.
    pub(crate) fn label(&self, id: EntryId) -> Option<Label> {
        if id.is_named() {
            let names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            names.labels.get(id.number() as usize).cloned()
        } else {
            let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
            functions.get((id.number() as usize).checked_sub(1)?).map(|function| function.label().clone())
        }
    }
}

/// How many entries are at hand without being made: as many functions as most programs annotate.
const AT_HAND: usize = 16;

/// Rows by number: the first ones here, the others in chunks of 16, 32, 64, … that are made when first asked for.
/// None ever moves.
#[derive(Debug, Default)]
struct Table {
    first: [Entry; AT_HAND],
    chunks: [OnceLock<Box<[Entry]>>; 28],
}

impl Table {
    #[inline]
    fn get(&self, number: u32) -> &Entry {
        match self.first.get(number as usize) {
            Some(entry) => entry,
            None => self.far(number),
        }
    }

    #[cold]
    fn far(&self, number: u32) -> &Entry {
        let (chunk, offset) = Self::find(number);
        &self.chunks[chunk].get_or_init(|| (0..16 << chunk).map(|_| Entry::default()).collect())[offset]
    }

    fn existing(&self, number: u32) -> Option<&Entry> {
        self.first.get(number as usize).or_else(|| {
            let (chunk, offset) = Self::find(number);
            self.chunks[chunk].get().map(|entries| &entries[offset])
        })
    }

    /// The highest bit of a number beyond those at hand names its chunk, and the rest its place in it.
    fn find(number: u32) -> (usize, usize) {
        let high = number.ilog2();
        ((high - 4) as usize, (number - (1 << high)) as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::panic::Location;

    use super::*;

    fn label(name: String) -> Label {
        Label::at(Cow::Owned(name), Location::caller())
    }

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let table = Table::default();
        let places: Vec<_> = (0..1000).map(|number| std::ptr::from_ref(table.get(number))).collect();
        let distinct: std::collections::HashSet<_> = places.iter().collect();
        assert_eq!(distinct.len(), places.len());
        let again = (0..1000).map(|number| std::ptr::from_ref(table.get(number)));
        assert!(again.eq(places.iter().copied()));
    }

    #[test]
    fn a_chunk_is_full_before_the_next_begins() {
        let mut place = (0, 0);
        for number in 16..5000 {
            assert_eq!(Table::find(number), place);
            let (chunk, offset) = place;
            place = if offset + 1 == 16 << chunk { (chunk + 1, 0) } else { (chunk, offset + 1) };
        }
    }

    #[test]
    fn names_nobody_runs_under_make_room() {
        let entries = Registry::default();
        for i in 0..10_000 {
            let entry = entries.start_named(label(format!("connection-{i}")));
            entries.get(entry).end(EndedAs::Finished).fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(entries.named.lock().unwrap().labels.len(), NAMES_KEPT);
    }

    #[test]
    fn a_name_whose_results_are_there_keeps_its_row() {
        let entries = Registry::default();
        let culprit = entries.start_named(label("culprit".to_owned()));
        entries.get(culprit).results.fetch_add(1, Ordering::Relaxed);
        let ended = entries.get(culprit).end(EndedAs::Finished);
        ended.fetch_add(1, Ordering::Relaxed);
        for i in 0..1000 {
            let entry = entries.start_named(label(format!("other-{i}")));
            let ended = entries.get(entry).end(EndedAs::Finished);
            ended.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(entries.label(culprit).unwrap().name, "culprit");
    }

    #[cfg(feature = "tower")]
    #[test]
    fn a_row_that_is_kept_is_nobody_elses() {
        let entries = Registry::default();
        let kept = entries.keep_named(label("request".to_owned()));
        for i in 0..10_000 {
            let entry = entries.start_named(label(format!("connection-{i}")));
            entries.get(entry).end(EndedAs::Finished).fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(entries.label(kept).unwrap().name, "request");
        assert_eq!(entries.get(kept).started.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_name_in_use_keeps_its_row() {
        let entries = Registry::default();
        let ids: Vec<_> = (0..1000).map(|i| entries.start_named(label(format!("w{i}")))).collect();
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(entries.label(*id).unwrap().name, format!("w{i}"));
            assert_eq!(entries.get(*id).live(), 1);
        }
    }
}
