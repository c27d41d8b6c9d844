//! Which workers are still there, and what they do: wait in an await, or block a thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::life::lifecycle::Lifecycle;
use crate::life::poll_record::{Poll, Sample, ThreadRecord};
use crate::life::slots::Parked;
use crate::model::hook::Progress;
use crate::model::label::EntryId;
use crate::model::still_running::{Blocking, Stuck, What};
use crate::report::awaits;

/// What is there now: workers by function, then hooks, main last. `earlier` samples, the earliest first, distinguish a
/// poll that blocks from one that happens to be under way.
pub(crate) fn find(life: &Lifecycle, earlier: &[&Sample]) -> Vec<Stuck> {
    let census = Census::now(life, earlier);
    let mut found = census.workers();
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
        found.push(census.describe(EntryId::MAIN, What::Main, 1));
    }
    found
}

/// The workers that are there now.
pub(crate) fn workers(life: &Lifecycle) -> Vec<Stuck> {
    Census::now(life, &[]).workers()
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
    polls: Vec<(Arc<ThreadRecord>, Poll)>,
    pub(super) slots: HashMap<EntryId, Parked>,
    /// Earlier samples, the earliest first, distinguish a poll that blocks from one that happens to be under way.
    earlier: &'a [&'a Sample],
}

impl<'a> Census<'a> {
    pub(super) fn now(life: &'a Lifecycle, earlier: &'a [&'a Sample]) -> Self {
        let polls = life.polls();
        let polled: Vec<_> = polls.iter().filter_map(|(_, poll)| poll.slot).collect();
        let slots = life.slots.tally(&polled, |stage| life.phase.is_cancelled(stage));
        Self { life, polls, slots, earlier }
    }

    fn workers(&self) -> Vec<Stuck> {
        let mut entries = self.life.registry.running();
        // A function whose workers have all ended can still hold a thread: with the destructor of a result.
        for (_, poll) in &self.polls {
            if poll.entry != EntryId::MAIN && entries.iter().all(|(entry, ..)| *entry != poll.entry) {
                entries.extend(self.life.registry.get(poll.entry).label().map(|label| (poll.entry, label, 1)));
            }
        }
        entries.into_iter().map(|(entry, label, count)| self.describe(entry, What::Worker(label), count)).collect()
    }

    fn describe(&self, entry: EntryId, what: What, count: u64) -> Stuck {
        let is_first = |poll: &Poll| poll.entry == entry && poll.slot.is_none();
        let first_polls = self.polls.iter().filter(|(_, poll)| is_first(poll)).count() as u64;
        let blocking = self.blocking(entry);
        let slots = self.slots.get(&entry);
        // A hold is never polled.
        let (polled, not_started) = match &what {
            What::Worker(label) if label.is_hold => (count, 0),
            _ => {
                let begun = slots.map_or(0, |slots| slots.count) + first_polls;
                (self.in_poll(entry) - blocking.len() as u64, count.saturating_sub(begun))
            }
        };
        Stuck {
            parents: self.life.registry.parents(entry),
            what,
            count,
            oldest: slots.map(|slots| slots.oldest),
            polled,
            not_started,
            // A worker that blocks its thread does not wait to be told to stop.
            untold: slots.map_or(0, |slots| slots.untold).min(count.saturating_sub(blocking.len() as u64)),
            blocking,
        }
    }

    /// How many of an entry are inside a poll.
    pub(super) fn in_poll(&self, entry: EntryId) -> u64 {
        self.polls.iter().filter(|(_, poll)| poll.entry == entry).count() as u64
    }

    /// The threads that an entry blocks: it was inside the same poll in an earlier sample.
    pub(super) fn blocking(&self, entry: EntryId) -> Vec<Blocking> {
        let mut blocking = Vec::new();
        for (thread, poll) in self.polls.iter().filter(|(_, poll)| poll.entry == entry) {
            if let Some(ago) = self.earlier.iter().find_map(|sample| sample.since(thread, *poll)) {
                // It may have begun at the very end of its tick.
                let tick = thread.last_polled(entry);
                let counted = tick.map_or(Duration::ZERO, |tick| self.life.time.clock.since(tick + 1));
                blocking.push(Blocking { thread: thread.name.clone(), at_least: ago.max(counted) });
            }
        }
        blocking
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
            let blocking = Census::now(&life, &[&sample]).blocking(entry).pop().expect("it blocks");
            assert!(blocking.at_least <= began.elapsed(), "{blocking}");
        });
    }

    #[test]
    fn what_holds_a_thread_is_named_once_and_main_is_no_worker() {
        let (life, entry) = lifecycle();
        let names = || {
            let workers = workers(&life);
            workers.iter().map(Stuck::tally).collect::<Vec<_>>()
        };
        poll(&life, entry, || {
            assert_eq!(names(), ["consume"], "it runs");
            let said = workers(&life)[0].to_string();
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
