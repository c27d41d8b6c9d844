//! Who is still there, and what they are doing: waiting in an await, or blocking a thread.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hooks::{HookStage, Progress};
use crate::lifecycle::Lifecycle;
use crate::message::{self, listed, span};
use crate::rows::{Label, RowId};
use crate::thread::{Poll, Seen};

/// Two looks less far apart than this say nothing: any poll is the same poll a moment later.
const APART: Duration = Duration::from_millis(5);

/// Workers of one function that are still there, holds of one name, a hook, or main.
#[derive(Clone, Debug)]
pub(crate) struct Stuck {
    pub(crate) what: What,
    pub(crate) count: u64,
    /// For how long the oldest of them is known to run.
    pub(crate) oldest: Option<Duration>,
    /// Those that were inside the same poll in two looks.
    pub(crate) blocking: Vec<Blocking>,
    /// Those inside a poll of which no more is known.
    polled: u64,
    /// Those that have not been polled once.
    pub(crate) not_started: u64,
    /// Those whose stage has not been told to stop.
    pub(crate) untold: u64,
}

/// What is still there.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Main,
    Worker(Label),
    Hook(HookStage, Arc<str>),
}

/// A thread that one of the workers, or main, blocks: it has been inside the same poll all the time.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Blocking {
    /// The thread's name.
    pub thread: String,
    /// For how long, at the least. What was before the first look is known to the second.
    pub at_least: Duration,
}

impl Blocking {
    /// Whether this poll blocks its thread: it was under way in one of these looks.
    pub(crate) fn find<'a>(
        life: &Lifecycle,
        looks: impl IntoIterator<Item = &'a Sample>,
        seen: &Arc<Seen>,
        poll: Poll,
    ) -> Option<Self> {
        let mut looks = looks.into_iter();
        let looked = looks.find_map(|look| look.since(seen, poll))?;
        // It may have begun at the very end of its beat.
        let beat = seen.last_polled(poll.row);
        let counted = beat.map_or(Duration::ZERO, |beat| life.beat.since(beat + 1));
        Some(Self {
            thread: seen.name.clone(),
            at_least: looked.max(counted),
        })
    }
}

/// Which polls were under way at some moment.
#[derive(Debug)]
pub(crate) struct Sample {
    at: Instant,
    polls: Vec<(Arc<Seen>, Poll)>,
}

impl Sample {
    pub(crate) fn take(life: &Lifecycle) -> Self {
        Self {
            at: Instant::now(),
            polls: life.threads.polls(life),
        }
    }

    pub(crate) fn age(&self) -> Duration {
        self.at.elapsed()
    }

    /// Whether one of the polls is still under way.
    pub(crate) fn has_one_still(&self, life: &Lifecycle) -> bool {
        life.threads
            .polls(life)
            .iter()
            .any(|(seen, poll)| self.since(seen, *poll).is_some())
    }

    /// How long ago this poll was under way already, if that is long enough to mean something.
    pub(crate) fn since(&self, seen: &Arc<Seen>, poll: Poll) -> Option<Duration> {
        let ago = self.at.elapsed();
        let is_same =
            |(thread, earlier): &(Arc<Seen>, Poll)| Arc::ptr_eq(thread, seen) && *earlier == poll;
        (ago >= APART && self.polls.iter().any(is_same)).then_some(ago)
    }
}

impl Stuck {
    /// Who is there now: workers by function, main last. `earlier` looks, the earliest first, tell a poll that
    /// blocks from one that happens to be under way.
    pub(crate) fn find(life: &Lifecycle, earlier: &[&Sample]) -> Vec<Self> {
        let mut found = Self::workers(life, earlier);
        for hook in life.hooks.seen(life.now()) {
            if hook.progress == Progress::Running {
                found.push(Self {
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
        if life.is_main_alive() {
            let scene = Scene::now(life, earlier);
            found.push(scene.describe(RowId::MAIN, What::Main, 1));
        }
        found
    }

    /// Which workers are there now.
    pub(crate) fn workers(life: &Lifecycle, earlier: &[&Sample]) -> Vec<Self> {
        let scene = Scene::now(life, earlier);
        let mut rows = life.rows.live();
        // A function nobody runs any more can still hold a thread: with the destructor of a result.
        for (_, poll) in &scene.polls {
            if poll.row != RowId::MAIN && rows.iter().all(|(row, ..)| *row != poll.row) {
                rows.extend(life.rows.label(poll.row).map(|label| (poll.row, label, 1)));
            }
        }
        let mut found = Vec::new();
        for (row, label, count) in rows {
            found.push(scene.describe(row, What::Worker(label), count));
        }
        found
    }

    /// Whether the stop has not come to them: it waits for others.
    pub(crate) fn is_untold(&self) -> bool {
        self.untold == self.count
    }

    pub(crate) fn is_main(&self) -> bool {
        matches!(self.what, What::Main)
    }

    pub(crate) fn name(&self) -> String {
        message::name(match &self.what {
            What::Main => "main",
            What::Worker(label) => &label.name,
            What::Hook(_, name) => name,
        })
    }

    /// Its name and place, where it is a worker or a hold.
    pub(crate) fn label(&self) -> Option<&Label> {
        match &self.what {
            What::Worker(label) => Some(label),
            What::Main | What::Hook(..) => None,
        }
    }

    /// `consume ×3`.
    pub(crate) fn tally(&self) -> String {
        let name = self.name();
        if self.count == 1 {
            name
        } else {
            format!("{name} ×{}", self.count)
        }
    }
}

/// What can be seen of a lifecycle at one moment.
struct Scene<'a> {
    life: &'a Lifecycle,
    polls: Vec<(Arc<Seen>, Poll)>,
    seats: std::collections::HashMap<RowId, crate::seats::Sitting>,
    earlier: &'a [&'a Sample],
}

impl<'a> Scene<'a> {
    fn now(life: &'a Lifecycle, earlier: &'a [&'a Sample]) -> Self {
        Self {
            life,
            polls: life.threads.polls(life),
            seats: life.tally(),
            earlier,
        }
    }

    fn describe(&self, row: RowId, what: What, count: u64) -> Stuck {
        let mut blocking = Vec::new();
        let (mut polled, mut first_polls) = (0, 0);
        for (seen, poll) in self.polls.iter().filter(|(_, poll)| poll.row == row) {
            first_polls += u64::from(poll.seat.is_none());
            match Blocking::find(self.life, self.earlier.iter().copied(), seen, *poll) {
                Some(found) => blocking.push(found),
                None => polled += 1,
            }
        }
        let seats = self.seats.get(&row);
        let is_hold = matches!(&what, What::Worker(label) if label.is_hold);
        Stuck {
            what,
            count,
            oldest: seats.map(|seats| seats.oldest),
            // A hold is nothing that is polled.
            polled: if is_hold { count } else { polled },
            not_started: if is_hold {
                0
            } else {
                count.saturating_sub(seats.map_or(0, |seats| seats.count) + first_polls)
            },
            untold: seats.map_or(0, |seats| seats.untold),
            blocking,
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Main => f.write_str("main: ")?,
            What::Worker(label) => write!(f, "{label}: ")?,
            What::Hook(stage, name) => write!(f, "{stage} hook `{}`: ", message::name(name))?,
        }
        if self.count > 1 {
            write!(f, "{} ", self.count)?;
        }
        f.write_str(match &self.what {
            What::Worker(label) if label.is_hold => "still held",
            _ => "still running",
        })?;
        if let Some(oldest) = self.oldest {
            write!(f, " after {}", span(oldest))?;
        }
        let blocking = self.blocking.len() as u64;
        let waiting = self
            .count
            .saturating_sub(blocking + self.polled + self.not_started + self.untold);
        let threads = listed(self.blocking.iter().map(Blocking::to_string));
        let kinds = [
            (blocking, &*format!("blocking its thread ({threads})")),
            (waiting, "waiting in an await"),
            (self.not_started, "never polled: no thread was free"),
            (self.untold, "not told to stop: its stage had not come"),
        ];
        for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            if count == self.count {
                write!(f, ", {kind}")?;
            } else {
                write!(f, ", {count} of them {kind}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} at least", self.thread, span(self.at_least))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::rows::Way;
    use crate::testing::unit::{self, poll};

    #[test]
    fn workers_are_told_apart_by_what_they_do() {
        let label = Label {
            name: "consume".into(),
            file: "src/main.rs",
            line: 7,
            is_hold: false,
            policy: None,
        };
        let blocking = Blocking {
            thread: "tokio-rt-worker".to_owned(),
            at_least: Duration::from_millis(900),
        };
        let stuck = Stuck {
            what: What::Worker(label),
            count: 3,
            oldest: Some(Duration::from_secs(12)),
            blocking: vec![blocking],
            polled: 0,
            not_started: 0,
            untold: 0,
        };
        assert_eq!(
            stuck.to_string(),
            "consume (src/main.rs:7): 3 still running after 12 s, 1 of them blocking its thread (tokio-rt-worker \
             for 900 ms at least), 2 of them waiting in an await"
        );
    }

    /// The row of a worker that runs.
    fn lifecycle() -> (Arc<Lifecycle>, RowId) {
        let life = unit::lifecycle();
        let label = Label::at("consume".into(), std::panic::Location::caller());
        let row = life.rows.start_named(label);
        (life, row)
    }

    #[test]
    fn only_a_poll_that_goes_on_from_an_earlier_look_blocks() {
        let (life, row) = lifecycle();
        let mut before = None;
        poll(&life, row, || {
            let look = Sample::take(&life);
            let [(seen, poll)] = &look.polls[..] else {
                panic!("not one poll: {look:?}");
            };
            let since = look.since(seen, *poll);
            if look.age() < APART {
                assert_eq!(since, None, "it has only begun");
            }
            std::thread::sleep(APART);
            assert!(look.since(seen, *poll).is_some_and(|ago| ago >= APART));
            before = Some(look);
        });
        let before = before.expect("it has run");
        poll(&life, row, || {
            let now = Sample::take(&life);
            let (seen, poll) = &now.polls[0];
            assert_eq!(before.since(seen, *poll), None, "it is the next poll");
            assert!(!before.has_one_still(&life));
        });
    }

    #[test]
    fn a_poll_is_not_said_to_have_taken_longer_than_it_did() {
        let (life, row) = lifecycle();
        // Late in a beat, and on into the next one.
        std::thread::sleep(Duration::from_millis(600));
        let began = Instant::now();
        poll(&life, row, || {
            std::thread::sleep(Duration::from_millis(500));
            let look = Sample::take(&life);
            std::thread::sleep(APART);
            let (seen, poll) = &look.polls[0];
            let blocking = Blocking::find(&life, [&look], seen, *poll).expect("it blocks");
            assert!(blocking.at_least <= began.elapsed(), "{blocking}");
        });
    }

    #[test]
    fn who_holds_a_thread_is_named_once_and_main_is_no_worker() {
        let (life, row) = lifecycle();
        let names = || {
            let workers = Stuck::workers(&life, &[]);
            workers.iter().map(Stuck::tally).collect::<Vec<_>>()
        };
        poll(&life, row, || {
            assert_eq!(names(), ["consume"], "it runs");
            let said = Stuck::workers(&life, &[])[0].to_string();
            assert!(
                said.ends_with("still running"),
                "nothing is known of its poll: {said}"
            );
        });
        let ended = life.rows.get(row).end(Way::Finished);
        ended.fetch_add(1, Ordering::Release);
        poll(&life, row, || {
            assert_eq!(names(), ["consume"], "its result is dropped");
        });
        poll(&life, RowId::MAIN, || assert!(names().is_empty()));
        assert!(names().is_empty());
    }
}
