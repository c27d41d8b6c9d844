//! The awaits in which workers wait, collected while a dump or a report asks for them (feature `taskdump`).

use std::collections::{HashMap, HashSet};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::Id;

use crate::model::awaits::Await;
use crate::model::label::EntryId;
use crate::os::lock::Lock;

/// How many workers of one entry, and in all, are traced. Each takes some 20 µs, on the threads of the runtime.
pub(crate) const MOST_TRACED: (usize, usize) = (64, 512);

/// How many threads are looking up symbols. Walking a stack would wait for their lock, which a poll must not do.
pub(crate) static LOOKING_UP: AtomicU32 = AtomicU32::new(0);

fn is_looking_up() -> bool {
    LOOKING_UP.load(Ordering::Relaxed) > 0
}

/// The return addresses of one await, the innermost first.
pub(crate) type Stack = Vec<usize>;

/// The awaits collected so far, while a dump or a report asks for them.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    pub(crate) is_asking: AtomicBool,
    pub(crate) round: Lock<Round>,
    /// Whether a dump is being made.
    pub(crate) is_dumping: AtomicBool,
    /// Whether the lookup for the report has been started beforehand.
    pub(crate) is_prepared: AtomicBool,
    /// What that lookup found, for workers that do not answer again.
    pub(crate) earlier: Lock<Vec<Await>>,
}

#[derive(Debug, Default)]
pub(crate) struct Round {
    /// How many are asking: a dump, the report, or both at once.
    pub(crate) askers: u32,
    /// Which tasks were traced: each once, and main, which is no task.
    pub(crate) seen: HashSet<Option<Id>>,
    /// The traced workers are about to be aborted.
    pub(crate) is_the_last: bool,
    /// How many have answered, or will not.
    pub(crate) answered: usize,
    /// How many of each entry have been traced.
    pub(crate) traced: HashMap<EntryId, usize>,
    /// How many wait in the same awaits: one stack for each future they await at once.
    pub(crate) waiting: HashMap<(EntryId, Vec<Stack>), usize>,
}

impl Probes {
    pub(crate) fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock()
    }

    /// Whether this task is to be traced: once each, while the limits allow.
    #[cold]
    pub(crate) fn admit(&self, entry: EntryId) -> bool {
        let mut round = self.round();
        let total = round.traced.values().sum::<usize>();
        let of_entry = round.traced.get(&entry).copied().unwrap_or(0);
        let has_room = round.askers > 0 && total < MOST_TRACED.1 && of_entry < MOST_TRACED.0;
        if !has_room || !round.seen.insert(tokio::task::try_id()) {
            return false;
        }
        round.traced.insert(entry, of_entry + 1);
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

/// Whether tokio's scheduler wakes a future again after it was traced. It does not wake main's on a runtime of many
/// threads: one of several futures in it, which had just become ready, would not be polled again.
fn is_woken_by_the_scheduler(entry: EntryId) -> bool {
    let is_alone = |runtime: Handle| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
    entry != EntryId::MAIN || Handle::try_current().is_ok_and(is_alone)
}
