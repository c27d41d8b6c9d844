//! One row of counters per worker function, per lifecycle.
//!
//! An annotated function is a [`Function`] in a static, numbered once per process. Each lifecycle keeps its
//! own row under that number, found by two indexed loads. Names given at run time get rows of a second
//! table, which is kept small: a name nobody runs under any more makes room for the next.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the attribute knows of a function: its name and where it stands.
///
/// Not public API. Used by generated code.
#[derive(Debug)]
pub struct Function {
    /// Its number in this process, from 1; 0 until it is first used.
    number: AtomicU32,
    label: Label,
}

/// The numbered functions of this process; number `n` at index `n - 1`.
static FUNCTIONS: Mutex<Vec<&'static Function>> = Mutex::new(Vec::new());

impl Function {
    /// A worker function called `name`, in this file, at this line.
    pub const fn new(
        name: &'static str,
        _module: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            number: AtomicU32::new(0),
            label: Label {
                name: Cow::Borrowed(name),
                file,
                line,
            },
        }
    }

    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    #[inline]
    pub(crate) fn row(&'static self) -> RowId {
        match self.number.load(Ordering::Relaxed) {
            0 => self.enlist(),
            number => RowId(number),
        }
    }

    #[cold]
    fn enlist(&'static self) -> RowId {
        let mut functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        if self.number.load(Ordering::Relaxed) == 0 {
            functions.push(self);
            let number = u32::try_from(functions.len()).unwrap_or(NAMED - 1);
            self.number.store(number, Ordering::Relaxed);
        }
        RowId(self.number.load(Ordering::Relaxed))
    }
}

/// A worker's name and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub(crate) name: Cow<'static, str>,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
}

impl Label {
    pub(crate) fn at(name: Cow<'static, str>, location: &'static Location<'static>) -> Self {
        Self {
            name,
            file: location.file(),
            line: location.line(),
        }
    }

    pub(crate) fn renamed(&self, name: Cow<'static, str>) -> Self {
        Self { name, ..*self }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.file, self.line)
    }
}

/// The number of a row. Set in the upper half: a name given at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowId(u32);

/// The bit that tells names given at run time from annotated functions.
const NAMED: u32 = 1 << 31;

impl RowId {
    /// Main's own row.
    pub(crate) const MAIN: Self = Self(0);

    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// The counters of one function.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) started: AtomicU64,
    pub(crate) ended: AtomicU64,
}

impl Row {
    /// How many are alive. Read without stopping anybody, so a moment out of date.
    pub(crate) fn live(&self) -> u64 {
        let ended = self.ended.load(Ordering::Acquire);
        self.started.load(Ordering::Acquire).saturating_sub(ended)
    }
}

/// Rows beyond this many run-time names are reused once nobody runs under them.
const NAMES_KEPT: usize = 256;

/// A lifecycle's rows.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    functions: Table,
    names: Table,
    named: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    by_label: HashMap<Label, u32>,
    labels: Vec<Label>,
}

impl Rows {
    #[inline]
    pub(crate) fn get(&self, id: RowId) -> &Row {
        if id.0 & NAMED == 0 {
            self.functions.get(id.0)
        } else {
            self.names.get(id.0 & !NAMED)
        }
    }

    /// Counts a start under a name given at run time, and returns its row.
    pub(crate) fn start_named(&self, label: Label) -> RowId {
        let mut names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match names.by_label.get(&label) {
            Some(&index) => index,
            None => self.place(&mut names, label),
        };
        // Counted under the lock, so that the row cannot be given away in between.
        self.names
            .get(index)
            .started
            .fetch_add(1, Ordering::Relaxed);
        RowId(index | NAMED)
    }

    /// A row for a new name: a fresh one, or, when there are many, one that nobody runs under.
    fn place(&self, names: &mut Names, label: Label) -> u32 {
        if names.labels.len() >= NAMES_KEPT {
            let idle = (0..)
                .zip(&names.labels)
                .find(|&(index, _)| self.names.get(index).live() == 0);
            if let Some((index, old)) = idle.map(|(index, old)| (index, old.clone())) {
                names.by_label.remove(&old);
                names.labels[index as usize] = label.clone();
                names.by_label.insert(label, index);
                return index;
            }
        }
        let index = u32::try_from(names.labels.len()).unwrap_or(NAMED - 1);
        names.labels.push(label.clone());
        names.by_label.insert(label, index);
        index
    }

    /// The rows somebody runs under now, with their names and how many.
    pub(crate) fn live(&self) -> Vec<(RowId, Label, u64)> {
        let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut live: Vec<_> = (1..)
            .zip(functions.iter())
            .filter_map(|(number, function)| {
                let count = self.functions.existing(number)?.live();
                (count > 0).then(|| (RowId(number), function.label.clone(), count))
            })
            .collect();
        let names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        live.extend((0..).zip(&names.labels).filter_map(|(index, label)| {
            let count = self.names.existing(index)?.live();
            (count > 0).then(|| (RowId(index | NAMED), label.clone(), count))
        }));
        live
    }

    /// The name behind a row; `None` for main's.
    pub(crate) fn label(&self, id: RowId) -> Option<Label> {
        if id.0 & NAMED == 0 {
            let functions = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
            functions
                .get((id.0 as usize).checked_sub(1)?)
                .map(|function| function.label.clone())
        } else {
            let names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            names.labels.get((id.0 & !NAMED) as usize).cloned()
        }
    }
}

/// Rows by number, in chunks of 16, 32, 64, … that are made when first asked for and never move.
#[derive(Debug, Default)]
struct Table {
    chunks: [OnceLock<Box<[Row]>>; 28],
}

impl Table {
    #[inline]
    fn get(&self, number: u32) -> &Row {
        let (chunk, offset) = Self::find(number);
        &self.chunks[chunk].get_or_init(|| (0..16 << chunk).map(|_| Row::default()).collect())
            [offset]
    }

    fn existing(&self, number: u32) -> Option<&Row> {
        let (chunk, offset) = Self::find(number);
        self.chunks[chunk].get().map(|rows| &rows[offset])
    }

    /// Shifted up by 16, a number's highest bit names its chunk and the rest its place in it.
    #[inline]
    fn find(number: u32) -> (usize, usize) {
        let shifted = number.saturating_add(16);
        let high = shifted.ilog2();
        ((high - 4) as usize, (shifted - (1 << high)) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: String) -> Label {
        Label::at(Cow::Owned(name), Location::caller())
    }

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let places: Vec<_> = (0..1000).map(Table::find).collect();
        let distinct: std::collections::HashSet<_> = places.iter().collect();
        assert_eq!(distinct.len(), places.len());
        assert_eq!(places[0], (0, 0));
        assert_eq!(places[16], (1, 0));
        assert!(places.iter().all(|&(chunk, offset)| offset < 16 << chunk));
    }

    #[test]
    fn names_nobody_runs_under_make_room() {
        let rows = Rows::default();
        for i in 0..10_000 {
            let row = rows.start_named(label(format!("connection-{i}")));
            rows.get(row).ended.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(rows.named.lock().unwrap().labels.len(), NAMES_KEPT);
    }

    #[test]
    fn a_name_in_use_keeps_its_row() {
        let rows = Rows::default();
        let ids: Vec<_> = (0..1000)
            .map(|i| rows.start_named(label(format!("w{i}"))))
            .collect();
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(rows.label(*id).unwrap().name, format!("w{i}"));
            assert_eq!(rows.get(*id).live(), 1);
        }
    }
}
