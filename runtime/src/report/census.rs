//! Which workers are still there, and what they do: wait in an await, or block a thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::{Poll, Sample, ThreadRecord};
use crate::life::slots::Parked;
use crate::model::hook::Progress;
use crate::model::label::EntryId;
use crate::model::still_running::Blocking;
use crate::model::still_running::{Stuck, What};
use crate::report::awaits;

impl Blocking {
    /// Whether this poll blocks its thread: it was under way in one of these samples.
    pub(crate) fn find<'a>(
        life: &Lifecycle,
        samples: impl IntoIterator<Item = &'a Sample>,
        thread: &Arc<ThreadRecord>,
        poll: Poll,
    ) -> Option<Self> {
        let mut samples = samples.into_iter();
        let ago = samples.find_map(|sample| sample.since(thread, poll))?;
        // It may have begun at the very end of its tick.
        let tick = thread.last_polled(poll.entry);
        let counted = tick.map_or(Duration::ZERO, |tick| life.time.clock.since(tick + 1));
        Some(Self { thread: thread.name.clone(), at_least: ago.max(counted) })
    }
}

/// What is there now: workers by function, then hooks, main last. `earlier` samples, the earliest first, distinguish a
/// poll that blocks from one that happens to be under way.
pub(crate) fn find(life: &Lifecycle, earlier: &[&Sample]) -> Vec<Stuck> {
    let mut found = workers(life, earlier);
    for hook in life.hooks.seen(life.now()) {
        if hook.progress == Progress::Running {
            found.push(Stuck {
                parents: Vec::new(),
                what: What::Hook(hook.stage, hook.name),
                count: 1,
                oldest: hook.took,
                blocking: Vec::new(),
                polled: 1,
                not_started: 0,
                untold: 0,
            });
        }
    }
    if life.members.main.is_alive() {
        let census = Census::now(life, earlier);
        found.push(census.describe(EntryId::MAIN, What::Main, 1));
    }
    found
}

/// The workers that are there now.
pub(crate) fn workers(life: &Lifecycle, earlier: &[&Sample]) -> Vec<Stuck> {
    let census = Census::now(life, earlier);
    let mut entries = life.registry.running();
    // A function whose workers have all ended can still hold a thread: with the destructor of a result.
    for (_, poll) in &census.polls {
        if poll.entry != EntryId::MAIN && entries.iter().all(|(entry, ..)| *entry != poll.entry) {
            entries.extend(life.registry.get(poll.entry).label().map(|label| (poll.entry, label, 1)));
        }
    }
    let mut found = Vec::new();
    for (entry, label, count) in entries {
        found.push(census.describe(entry, What::Worker(label), count));
    }
    found
}

/// Wakes the workers, so that handles note which worker waits for them, and awaits are traced.
pub(crate) fn ask_waiters(life: &Lifecycle) {
    /// Waking so many takes longer than there is before the abort.
    const TOO_MANY: usize = 10_000;
    life.members.main.note_report();
    awaits::ask_at_last(life);
    if life.members.count() < TOO_MANY {
        life.diagnostics.waits.ask();
        life.slots.wake_those(&mut |_, _| true);
    }
}

/// What can be seen of a lifecycle at one moment.
pub(super) struct Census<'a> {
    pub(super) life: &'a Lifecycle,
    pub(super) polls: Vec<(Arc<ThreadRecord>, Poll)>,
    pub(super) slots: HashMap<EntryId, Parked>,
    /// Earlier samples, the earliest first, distinguish a poll that blocks from one that happens to be under way.
    pub(super) earlier: &'a [&'a Sample],
}

impl<'a> Census<'a> {
    pub(super) fn now(life: &'a Lifecycle, earlier: &'a [&'a Sample]) -> Self {
        let polls = life.polls();
        let polled: Vec<_> = polls.iter().filter_map(|(_, poll)| poll.slot).collect();
        let slots = life.slots.tally(&polled, |stage| life.phase.is_cancelled(stage));
        Self { life, polls, slots, earlier }
    }

    fn describe(&self, entry: EntryId, what: What, count: u64) -> Stuck {
        let mut blocking = Vec::new();
        let (mut polled, mut first_polls) = (0, 0);
        for (thread, poll) in self.polls.iter().filter(|(_, poll)| poll.entry == entry) {
            first_polls += u64::from(poll.slot.is_none());
            match Blocking::find(self.life, self.earlier.iter().copied(), thread, *poll) {
                Some(found) => blocking.push(found),
                None => polled += 1,
            }
        }
        let slots = self.slots.get(&entry);
        let is_hold = matches!(&what, What::Worker(label) if label.is_hold);
        Stuck {
            parents: self.life.registry.parents(entry),
            what,
            count,
            oldest: slots.map(|slots| slots.oldest),
            // A hold is never polled.
            polled: if is_hold { count } else { polled },
            not_started: if is_hold {
                0
            } else {
                count.saturating_sub(slots.map_or(0, |slots| slots.count) + first_polls)
            },
            // A worker that blocks its thread does not wait to be told to stop.
            untold: slots.map_or(0, |slots| slots.untold).min(count.saturating_sub(blocking.len() as u64)),
            blocking,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::model::budget::SAME_POLL;
    use crate::model::exit::ExitKind;
    use crate::model::label::Label;
    use crate::run::test::unit::{self, poll};

    /// The entry of a worker that runs.
    fn lifecycle() -> (Arc<Lifecycle>, EntryId) {
        let life = unit::lifecycle();
        let label = Label::at("consume".into(), std::panic::Location::caller());
        let entry = life.registry.start_named(0, label);
        (life, entry)
    }

    #[test]
    fn only_a_poll_that_goes_on_from_an_earlier_sample_blocks() {
        let (life, entry) = lifecycle();
        let mut before = None;
        poll(&life, entry, || {
            let sample = life.sample();
            let [(thread, poll)] = &sample.polls[..] else {
                panic!("not one poll: {sample:?}");
            };
            let since = sample.since(thread, *poll);
            if sample.age() < SAME_POLL {
                assert_eq!(since, None, "it has only begun");
            }
            std::thread::sleep(SAME_POLL);
            assert!(sample.since(thread, *poll).is_some_and(|ago| ago >= SAME_POLL));
            before = Some(sample);
        });
        let before = before.expect("it has run");
        poll(&life, entry, || {
            let now = life.sample();
            let (thread, poll) = &now.polls[0];
            assert_eq!(before.since(thread, *poll), None, "it is the next poll");
            assert!(!before.has_one_still(&life.polls()));
        });
    }

    #[test]
    fn a_poll_is_not_said_to_have_taken_longer_than_it_did() {
        let (life, entry) = lifecycle();
        // Late in a tick, and on into the next one.
        std::thread::sleep(Duration::from_millis(600));
        let began = Instant::now();
        poll(&life, entry, || {
            std::thread::sleep(Duration::from_millis(500));
            let sample = life.sample();
            std::thread::sleep(SAME_POLL);
            let (thread, poll) = &sample.polls[0];
            let blocking = Blocking::find(&life, [&sample], thread, *poll).expect("it blocks");
            assert!(blocking.at_least <= began.elapsed(), "{blocking}");
        });
    }

    #[test]
    fn what_holds_a_thread_is_named_once_and_main_is_no_worker() {
        let (life, entry) = lifecycle();
        let names = || {
            let workers = workers(&life, &[]);
            workers.iter().map(Stuck::tally).collect::<Vec<_>>()
        };
        poll(&life, entry, || {
            assert_eq!(names(), ["consume"], "it runs");
            let said = workers(&life, &[])[0].to_string();
            assert!(said.ends_with("still running"), "nothing is known of its poll: {said}");
        });
        life.registry.get(entry).end(0, ExitKind::Returned);
        poll(&life, entry, || {
            assert_eq!(names(), ["consume"], "its result is dropped");
        });
        poll(&life, EntryId::MAIN, || assert!(names().is_empty()));
        assert!(names().is_empty());
    }
}
