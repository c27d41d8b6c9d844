//! The entries of a lifecycle: one for each worker function, one for each name given at run time.
//!
//! A [`Function`] is a static with a number that is the same in each lifecycle: its entry is found by two indexed
//! loads. Names given at run time are kept in a second table, which stays small: the entry of a name under which
//! nothing runs any more is given to the next name.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::life::entry::Entry;
use crate::life::function::Function;
use crate::model::label::{EntryId, Label, NAMED};
use crate::model::state::Stage;
use crate::model::text;
use crate::os::lock::Lock;

/// Beyond this many names given at run time, those under which nothing runs are replaced.
const NAMES_KEPT: usize = 256;
/// How many of them are checked for each new name.
const TRIED: usize = 16;

/// A lifecycle's entries.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    functions: Table,
    named: Table,
    names: Lock<Names>,
}

#[derive(Debug, Default)]
struct Names {
    by_label: HashMap<Arc<Label>, u32>,
    /// Where the next search for a free entry begins.
    next: usize,
}

impl Registry {
    #[inline]
    pub(crate) fn get(&self, id: EntryId) -> &Entry {
        // The number of a name given at run time is none of the first, in this form.
        match self.functions.first.get(id.to_bits() as usize) {
            Some(entry) => entry,
            None => self.far(id),
        }
    }

    #[cold]
    fn far(&self, id: EntryId) -> &Entry {
        let table = if id.is_named() { &self.named } else { &self.functions };
        table.get(id.number())
    }

    /// The same of an entry that is known to have a name given at run time.
    #[inline]
    pub(crate) fn named(&self, id: EntryId) -> &Entry {
        self.named.get(id.number())
    }

    /// Counts a start of this function by this thread. Returns its entry.
    #[inline]
    pub(crate) fn start(&self, thread: u32, function: &'static Function) -> (EntryId, &Entry) {
        let id = function.id();
        let entry = self.functions.get(id.number());
        entry.belongs_to(function);
        entry.start(thread);
        (id, entry)
    }

    /// Counts a start under a name given at run time.
    pub(crate) fn start_named(&self, thread: u32, label: Label) -> EntryId {
        // Counted under the lock, so that the entry cannot be given away in between.
        self.under(label, |entry| entry.start(thread))
    }

    /// An entry that its name keeps, for code that counts often.
    #[cfg(any(feature = "net", feature = "tower"))]
    pub(crate) fn keep_named(&self, label: Label) -> EntryId {
        self.under(label, Entry::keep)
    }

    fn under(&self, label: Label, mark: impl FnOnce(&Entry)) -> EntryId {
        let mut names = self.names.lock();
        let number = match names.by_label.get(&label) {
            Some(&number) => number,
            None => self.place(&mut names, Arc::new(label)),
        };
        mark(self.named.get(number));
        EntryId::named(number)
    }

    /// An entry for a new name: a fresh one, or, when there are many, one under which nothing runs.
    fn place(&self, names: &mut Names, label: Arc<Label>) -> u32 {
        let count = names.by_label.len();
        let mut free = None;
        if count >= NAMES_KEPT {
            // A few are checked each time, in turn, so that many live names cost no long search.
            let from = names.next;
            names.next = (from + TRIED) % count;
            free = (from..from + TRIED)
                .filter_map(|place| u32::try_from(place % count).ok())
                .find(|number| self.named.get(*number).is_free());
        }
        let number = free.unwrap_or_else(|| u32::try_from(count).unwrap_or(NAMED - 1));
        if let Some(before) = self.named.get(number).rename(Arc::clone(&label)) {
            names.by_label.remove(&before);
        }
        names.by_label.insert(label, number);
        number
    }

    /// The entries in use, with their names: functions first, in the order of their first use in the process.
    pub(crate) fn all(&self) -> Vec<(EntryId, Label, &Entry)> {
        let functions = self.functions.iter().map(|(number, entry)| (EntryId::from_bits(number), entry));
        let named = self.named.iter().map(|(number, entry)| (EntryId::named(number), entry));
        let used = functions.chain(named).filter(|(_, entry)| entry.is_used());
        used.filter_map(|(id, entry)| Some((id, entry.label()?, entry))).collect()
    }

    /// The stage that was set for the workers of an entry, or for those that have started them.
    pub(crate) fn stage(&self, id: EntryId) -> Option<Stage> {
        self.line(id).iter().find_map(|id| self.get(*id).policy().stage)
    }

    /// The names of the workers that those of an entry were started under, the outermost first.
    pub(crate) fn parents(&self, id: EntryId) -> Vec<String> {
        let line = self.line(id);
        line.iter().skip(1).rev().filter_map(|id| Some(text::name(&self.get(*id).label()?.name))).collect()
    }

    /// An entry, then those of the workers above it, as far as they are single ones.
    fn line(&self, id: EntryId) -> Vec<EntryId> {
        let mut ids = vec![id];
        while let Some(parent) = ids.last().and_then(|id| self.get(*id).parent())
            && !ids.contains(&parent)
        {
            ids.push(parent);
        }
        ids
    }

    /// A number that changes with each one that begins or ends.
    pub(crate) fn turnover(&self) -> u64 {
        let all = [&self.functions, &self.named].into_iter().flat_map(Table::iter);
        all.fold(0, |sum, (_, entry)| sum.wrapping_add(entry.turnover()))
    }

    /// The names of workers of which none is left, and how many ended well: each name once.
    pub(crate) fn newly_idle(&self) -> Vec<(Label, u64)> {
        let all = self.all().into_iter();
        all.filter(|(_, label, _)| !label.is_hold)
            .filter_map(|(_, label, entry)| Some((label, entry.is_newly_idle()?)))
            .collect()
    }

    /// The entries under which something runs now, with their names and how many: those aside that only wait for what they
    /// have started.
    pub(crate) fn running(&self) -> Vec<(EntryId, Label, u64)> {
        let all = self.all().into_iter().map(|(id, label, entry)| (id, label, entry.running()));
        all.filter(|(_, _, live)| *live > 0).collect()
    }
}

/// How many entries are allocated at the beginning: as many functions as most programs annotate.
const AT_HAND: usize = 16;

/// Entries by number: the first ones, and the others in chunks of 16, 32, 64, … that are allocated when first used.
/// None ever moves.
#[derive(Debug)]
struct Table {
    first: Box<[Entry; AT_HAND]>,
    chunks: [OnceLock<Box<[Entry]>>; 28],
}

impl Default for Table {
    fn default() -> Self {
        Self { first: allocate(AT_HAND).try_into().expect("that many"), chunks: Default::default() }
    }
}

/// One by one, for together they may be more than a small stack has room for.
fn allocate(count: usize) -> Box<[Entry]> {
    (0..count).map(|_| Entry::default()).collect()
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
        &self.chunks[chunk].get_or_init(|| allocate(16 << chunk))[offset]
    }

    /// The entries allocated so far, with their numbers.
    fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let chunks = (0..).zip(&self.chunks).filter_map(|(number, chunk)| Some((16 << number, chunk.get()?)));
        let far = chunks.flat_map(|(first, chunk)| (first..).zip(chunk.iter()));
        (0..).zip(self.first.iter()).chain(far)
    }

    /// The highest bit of a number from 16 on gives its chunk, and the rest its place in it.
    fn find(number: u32) -> (usize, usize) {
        let high = number.ilog2();
        ((high - 4) as usize, (number - (1 << high)) as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::panic::Location;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::model::exit::ExitKind;

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
    fn names_under_which_nothing_runs_make_room() {
        let entries = Registry::default();
        for i in 0..10_000 {
            let entry = entries.start_named(0, label(format!("connection-{i}")));
            entries.get(entry).end(0, ExitKind::Returned);
        }
        assert_eq!(entries.names.lock().by_label.len(), NAMES_KEPT);
    }

    #[test]
    fn a_name_whose_results_are_there_keeps_its_entry() {
        let entries = Registry::default();
        let culprit = entries.start_named(0, label("culprit".to_owned()));
        entries.get(culprit).results.fetch_add(1, Ordering::Relaxed);
        entries.get(culprit).end(0, ExitKind::Returned);
        for i in 0..1000 {
            let entry = entries.start_named(0, label(format!("other-{i}")));
            entries.get(entry).end(0, ExitKind::Returned);
        }
        assert_eq!(entries.get(culprit).label().unwrap().name, "culprit");
    }

    #[cfg(feature = "tower")]
    #[test]
    fn an_entry_that_is_kept_goes_to_no_other_name() {
        let entries = Registry::default();
        let kept = entries.keep_named(label("request".to_owned()));
        for i in 0..10_000 {
            let entry = entries.start_named(0, label(format!("connection-{i}")));
            entries.get(entry).end(0, ExitKind::Returned);
        }
        assert_eq!(entries.get(kept).label().unwrap().name, "request");
        assert_eq!(entries.get(kept).started(), 0);
    }

    #[test]
    fn a_name_in_use_keeps_its_entry() {
        let entries = Registry::default();
        let ids: Vec<_> = (0..1000).map(|i| entries.start_named(0, label(format!("w{i}")))).collect();
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(entries.get(*id).label().unwrap().name, format!("w{i}"));
            assert_eq!(entries.get(*id).live(), 1);
        }
    }
}
