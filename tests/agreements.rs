//! The crate's own atomics and locks under every interleaving of threads: the source files themselves, with `loom`'s
//! synchronisation in place of the standard library's.
#![allow(dead_code, unreachable_pub)] // the files are used in part, and elsewhere

mod os {
    pub(crate) mod loom {
        pub(crate) use ::loom::sync::{Mutex, MutexGuard, atomic};
    }

    pub(crate) mod sys {
        pub(crate) fn coarse_millis() -> u64 {
            0
        }
    }
}

mod model {
    pub(crate) mod failure {
        #[derive(Debug)]
        pub(crate) struct Failure;
    }

    pub(crate) mod label {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) struct EntryId;

        impl EntryId {
            pub(crate) const MAIN: Self = Self;
        }
    }

    pub(crate) mod state {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Stage {
            Main,
        }

        impl Stage {
            pub(crate) const fn index(self) -> usize {
                self as usize
            }
        }
    }
}

#[path = "../runtime/src/life/results.rs"]
mod results;
#[path = "../runtime/src/life/orders.rs"]
mod orders;
#[path = "../runtime/src/life/limit.rs"]
mod limit;
#[path = "../runtime/src/life/scope.rs"]
mod scope;
#[path = "../runtime/src/life/shard.rs"]
mod shard;
#[path = "../runtime/src/life/slot_key.rs"]
mod slot_key;
#[path = "../runtime/src/life/slot_tokens.rs"]
mod slot_tokens;
#[path = "../runtime/src/life/by_thread.rs"]
mod by_thread;
mod life {
    pub(crate) use crate::{by_thread, limit, orders, scope, shard, slot_key, slot_tokens};
}
#[path = "../runtime/src/life/slots.rs"]
mod slots;
#[path = "../runtime/src/life/tracker.rs"]
mod tracker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Plain};
use std::task::{Context, Wake, Waker};

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use tokio_util::sync::CancellationToken;

use crate::model::failure::Failure;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::results::Results;
use crate::scope::{Kin, Scope};
use crate::slots::Slots;
use crate::tracker::Tracker;

#[test]
fn whoever_is_let_in_is_waited_for() {
    loom::model(|| {
        let alive = Arc::new(Tracker::<2>::default());
        let newcomer = {
            let alive = Arc::clone(&alive);
            thread::spawn(move || {
                let is_welcome = alive.arrive(1, Stage::Main);
                if !is_welcome {
                    alive.leave(1, Stage::Main);
                }
                is_welcome
            })
        };
        let closed = alive.close_if_empty(Stage::Main);
        let is_welcome = newcomer.join().expect("it ends");
        // Refused if and only if the door was closed before it arrived.
        assert_eq!(alive.count(Stage::Main), usize::from(is_welcome));
        assert_ne!(closed, is_welcome);
    });
}

#[test]
fn the_last_one_to_leave_is_heard_or_seen() {
    loom::model(|| {
        let alive = Arc::new(Tracker::<2>::default());
        let rung = Arc::new(AtomicBool::new(false));
        alive.arrive(0, Stage::Main);
        let leaver = {
            let (alive, rung) = (Arc::clone(&alive), Arc::clone(&rung));
            thread::spawn(move || {
                if alive.leave(0, Stage::Main) {
                    rung.store(true, Ordering::SeqCst);
                }
            })
        };
        alive.watch();
        let seen = alive.close_if_empty(Stage::Main);
        leaver.join().expect("it ends");
        assert!(seen || rung.load(Ordering::SeqCst));
    });
}

#[test]
fn one_that_arrives_before_another_leaves_keeps_a_stage_open() {
    loom::model(|| {
        let alive = Arc::new(Tracker::<2>::default());
        alive.arrive(0, Stage::Main);
        let parent = {
            let alive = Arc::clone(&alive);
            thread::spawn(move || {
                // What it starts is counted in another part.
                if alive.arrive(1, Stage::Main) {
                    alive.leave(0, Stage::Main);
                    true
                } else {
                    alive.leave(1, Stage::Main);
                    false
                }
            })
        };
        let is_empty = alive.close_if_empty(Stage::Main);
        let has_child = parent.join().expect("it ends");
        assert!(!is_empty, "one of the two was always alive");
        assert!(has_child);
        assert_eq!(alive.count(Stage::Main), 1);
        alive.leave(1, Stage::Main);
        assert!(alive.close_if_empty(Stage::Main));
    });
}

#[test]
fn two_that_wait_for_the_count_both_see_it_whole() {
    loom::model(|| {
        let alive = Arc::new(Tracker::<2>::default());
        alive.arrive(0, Stage::Main);
        let other = {
            let alive = Arc::clone(&alive);
            thread::spawn(move || {
                alive.watch();
                alive.count(Stage::Main)
            })
        };
        alive.watch_each();
        assert_eq!(alive.count(Stage::Main), 1);
        assert_eq!(other.join().expect("it ends"), 1);
    });
}

#[test]
fn a_result_being_dropped_is_waited_for_or_rings() {
    loom::model(|| {
        let results = Arc::new(Results::default());
        let is_stopping = Arc::new(AtomicBool::new(false));
        let rung = Arc::new(AtomicBool::new(false));
        results.leave();
        results.begin_dropping();
        let dropper = {
            let (results, is_stopping, rung) = (Arc::clone(&results), Arc::clone(&is_stopping), Arc::clone(&rung));
            thread::spawn(move || {
                if results.end_dropping() && is_stopping.load(Ordering::SeqCst) {
                    rung.store(true, Ordering::SeqCst);
                }
            })
        };
        is_stopping.store(true, Ordering::SeqCst);
        let must_wait = results.are_dropping();
        dropper.join().expect("it ends");
        assert!(!must_wait || rung.load(Ordering::SeqCst));
        assert!(results.are_gone());
    });
}

/// Counts how often it was called.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Plain::SeqCst);
    }
}

#[test]
fn whoever_sits_down_while_the_stop_comes_is_woken_or_sees_it() {
    loom::model(|| {
        let seats = Arc::new(Slots::default());
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(Calls::default());
        let sitter = {
            let (seats, is_cancelled) = (Arc::clone(&seats), Arc::clone(&is_cancelled));
            let waker = Waker::from(Arc::clone(&calls));
            thread::spawn(move || {
                let seat = seats.take(0, EntryId, Stage::Main, None, &Kin::NONE, None);
                seats.set_waker(seat, &waker);
                is_cancelled.load(Ordering::SeqCst)
            })
        };
        is_cancelled.store(true, Ordering::SeqCst);
        seats.wake_those(&mut |_, stage| stage == Stage::Main);
        let has_seen = sitter.join().expect("it ends");
        assert!(has_seen || calls.0.load(Plain::SeqCst) == 1);
    });
}

#[test]
fn an_owner_that_waits_is_woken_by_the_last_member_or_sees_that_none_is_left() {
    loom::model(|| {
        let scope = Arc::new(Scope::new(None, EntryId, None, None));
        let calls = Arc::new(Calls::default());
        scope.arrive();
        let member = {
            let scope = Arc::clone(&scope);
            thread::spawn(move || scope.leave())
        };
        let waker = Waker::from(Arc::clone(&calls));
        let is_gone = scope.poll_gone(&Context::from_waker(&waker)).is_ready();
        assert!(member.join().expect("it ends"), "it was the last one");
        assert!(is_gone || calls.0.load(Plain::SeqCst) == 1);
    });
}

#[test]
fn an_owner_is_woken_by_a_members_failure_or_sees_it() {
    loom::model(|| {
        let scope = Arc::new(Scope::new(None, EntryId, None, None));
        let calls = Arc::new(Calls::default());
        let member = {
            let scope = Arc::clone(&scope);
            thread::spawn(move || scope.fail(Failure).is_ok())
        };
        scope.set_waker(&Waker::from(Arc::clone(&calls)));
        let seen = scope.take_failure().is_some();
        assert!(member.join().expect("it ends"));
        assert!(seen || calls.0.load(Plain::SeqCst) == 1);
    });
}

#[test]
fn a_failure_is_left_for_the_owner_or_given_back() {
    loom::model(|| {
        let scope = Arc::new(Scope::new(None, EntryId, None, None));
        let member = {
            let scope = Arc::clone(&scope);
            thread::spawn(move || scope.fail(Failure).is_err())
        };
        let found = scope.orphan().is_some();
        let is_given_back = member.join().expect("it ends");
        assert!(found != is_given_back);
    });
}

#[test]
fn a_member_that_comes_to_wait_while_its_scope_is_stopped_is_woken_or_sees_it() {
    loom::model(|| {
        let slots = Arc::new(Slots::default());
        let top = Arc::new(Scope::new(None, EntryId, None, None));
        let scope = Arc::new(Scope::new(Some(Arc::clone(&top)), EntryId, None, None));
        let calls = Arc::new(Calls::default());
        let member = {
            let slots = Arc::clone(&slots);
            let waker = Waker::from(Arc::clone(&calls));
            thread::spawn(move || {
                let kin = Kin { parent: Some(scope), children: None };
                let slot = slots.take(0, EntryId, Stage::Main, None, &kin, Some(&waker));
                slots.is_stopped(slot)
            })
        };
        let tokens: [CancellationToken; 4] = Default::default();
        slots.stop_scope(&top, &tokens);
        let has_seen = member.join().expect("it ends");
        assert!(has_seen || calls.0.load(Plain::SeqCst) == 1);
    });
}

#[test]
fn whoever_has_left_is_not_woken_for_the_next_in_its_place() {
    loom::model(|| {
        let seats = Arc::new(Slots::default());
        let (old, new) = (Arc::new(Calls::default()), Arc::new(Calls::default()));
        let first = seats.take(0, EntryId, Stage::Main, None, &Kin::NONE, None);
        seats.set_waker(first, &Waker::from(Arc::clone(&old)));
        let mover = {
            let seats = Arc::clone(&seats);
            let waker = Waker::from(Arc::clone(&new));
            thread::spawn(move || {
                seats.leave(first, false);
                let second = seats.take(0, EntryId, Stage::Main, None, &Kin::NONE, None);
                // The old key is no longer valid.
                seats.set_waker(first, &waker);
                second
            })
        };
        seats.wake_those(&mut |_, stage| stage == Stage::Main);
        let second = mover.join().expect("it ends");
        assert_ne!(first, second);
        assert_eq!(new.0.load(Plain::SeqCst), 0);
        assert!(old.0.load(Plain::SeqCst) <= 1);
    });
}

#[test]
fn whoever_asks_at_once_for_a_workers_token_gets_the_same() {
    loom::model(|| {
        let seats = Arc::new(Slots::default());
        let stage = CancellationToken::new();
        let seat = seats.take(0, EntryId, Stage::Main, None, &Kin::NONE, None);
        let other = {
            let (seats, stage) = (Arc::clone(&seats), stage.clone());
            thread::spawn(move || seats.own_token(seat, &stage))
        };
        let token = seats.own_token(seat, &stage);
        let others = other.join().expect("it ends");
        token.cancel();
        assert!(others.is_cancelled());
        assert!(seats.is_stopped(seat));
        assert!(!stage.is_cancelled());
    });
}

#[test]
fn an_old_key_says_how_it_was_left_until_the_place_is_anothers() {
    // One thread, so nothing interleaves; but loom's locks only work inside a model.
    loom::model(|| {
        let seats = Slots::default();
        let stage = CancellationToken::new();
        let take = || seats.take(0, EntryId, Stage::Main, None, &Kin::NONE, None);
        let first = take();
        seats.leave(first, false);
        assert!(!seats.is_stopped(first));

        let second = take();
        seats.own_token(second, &stage).cancel();
        seats.leave(second, false);
        assert!(seats.is_stopped(second));
        assert!(!seats.is_stopped(first));
    });
}
