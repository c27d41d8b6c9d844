//! Who has said where it waits, while a dump or a report asks (feature `taskdump`).

use std::collections::{HashMap, HashSet};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::Id;

use crate::model::awaits::Await;
use crate::model::label::EntryId;
use crate::os::lock::Lock;

/// How many of one entry, and in all, are looked at. Looking takes some 20 µs each, on the threads of the runtime.
pub(crate) const LOOKED_AT: (usize, usize) = (64, 512);

/// How many threads look up what addresses mean. One that follows a stack would have to wait for them, and that is
/// nothing for a poll.
pub(crate) static LOOKING_UP: AtomicU32 = AtomicU32::new(0);

fn is_looking_up() -> bool {
    LOOKING_UP.load(Ordering::Relaxed) > 0
}

/// The return addresses of one await, the innermost first.
pub(crate) type Stack = Vec<usize>;

/// Who has said where he waits, while somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    pub(crate) is_asking: AtomicBool,
    pub(crate) round: Lock<Round>,
    /// Whether a dump is being made.
    pub(crate) is_dumping: AtomicBool,
    /// Whether what reports look up has been looked up before.
    pub(crate) is_prepared: AtomicBool,
    /// What was found out then, for those who have no time to answer once more.
    pub(crate) earlier: Lock<Vec<Await>>,
}

#[derive(Debug, Default)]
pub(crate) struct Round {
    /// How many are asking: a dump, the report, or both at once.
    pub(crate) askers: u32,
    /// Who was looked at: each task once, and main, which is none.
    pub(crate) seen: HashSet<Option<Id>>,
    /// Those who are looked at will be aborted next.
    pub(crate) is_the_last: bool,
    /// How many have said all they will say.
    pub(crate) answered: usize,
    /// How many of each entry have been.
    pub(crate) looked_at: HashMap<EntryId, usize>,
    /// How many wait in the same way: what they await at once, in each of their stacks.
    pub(crate) waiting: HashMap<(EntryId, Vec<Stack>), usize>,
}

impl Probes {
    pub(crate) fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock()
    }

    /// Takes a place among those who are looked at, once a task, while there are any.
    #[cold]
    pub(crate) fn admit(&self, entry: EntryId) -> bool {
        let mut round = self.round();
        let total = round.looked_at.values().sum::<usize>();
        let of_row = round.looked_at.get(&entry).copied().unwrap_or(0);
        let has_room = round.askers > 0 && total < LOOKED_AT.1 && of_row < LOOKED_AT.0;
        if !has_room || !round.seen.insert(tokio::task::try_id()) {
            return false;
        }
        round.looked_at.insert(entry, of_row + 1);
        let is_admitted = !is_looking_up() && (round.is_the_last || is_woken_by_the_scheduler(entry));
        round.answered += usize::from(!is_admitted);
        is_admitted
    }

    pub(crate) fn note(&self, entry: EntryId, stacks: Vec<Stack>) {
        let mut round = self.round();
        round.answered += 1;
        if round.askers > 0 {
            *round.waiting.entry((entry, stacks)).or_default() += 1;
        }
    }

    pub(crate) fn earlier(&self) -> MutexGuard<'_, Vec<Await>> {
        self.earlier.lock()
    }

    /// How many have answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.round().answered
    }
}

/// Whether a future that is looked at has its wakers called afterwards, by tokio's scheduler. Main's on a runtime of
/// many threads has not: one of several futures in it, which had just become ready, would not be polled again.
fn is_woken_by_the_scheduler(entry: EntryId) -> bool {
    let is_alone = |runtime: Handle| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
    entry != EntryId::MAIN || Handle::try_current().is_ok_and(is_alone)
}
