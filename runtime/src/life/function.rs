//! Annotated functions: what the attribute says of each, numbered once per process. A name written in the code is
//! treated like a function.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::model::label::{EntryId, Label, NAMED};
use crate::model::policy::{OnFailure, OnTimeout, Policy};
use crate::model::state::Stage;
use crate::os::lock::Lock;

/// What the attribute says of a function: its name, its place and its policy.
///
/// Not public API. Used by generated code.
#[derive(Debug)]
pub struct Function {
    /// Its number in this process, from 1; 0 until it is first used.
    number: AtomicU32,
    label: Label,
    policy: Policy,
    /// What the policy says of that: each spawn asks.
    is_plain: bool,
}

/// A name, and the place of a call with it.
type CallKey = (&'static str, &'static str, u32);

/// The functions that stand for calls with a name written in the code.
static CALLS: Lock<Option<HashMap<CallKey, &'static Function>>> = Lock::new(None);

/// Names beyond so many are assumed to be made at run time.
const MOST_CALLS: usize = 1024;

/// How many calls a thread caches.
const RECENT_CALLS: usize = 16;

thread_local! {
    static RECENT: [Cell<Option<Call>>; RECENT_CALLS] =
        const { [const { Cell::new(None) }; RECENT_CALLS] };
}

/// A call that was looked up, found again by the addresses of its parts.
#[derive(Clone, Copy)]
struct Call {
    name: &'static str,
    place: &'static Location<'static>,
    function: &'static Function,
}

impl Call {
    #[inline]
    fn is(&self, name: &'static str, place: &'static Location<'static>) -> bool {
        ptr::eq(self.name, name) && ptr::eq(self.place, place)
    }
}

#[inline]
fn slot(place: &'static Location<'static>) -> usize {
    ptr::from_ref(place).addr() / size_of::<Location<'_>>() % RECENT_CALLS
}

impl Function {
    /// A worker function called `name`, in this file, at this line.
    pub const fn new(name: &'static str, _module: &'static str, file: &'static str, line: u32) -> Self {
        Self {
            number: AtomicU32::new(0),
            label: Label { name: Cow::Borrowed(name), file, line, is_hold: false, policy: None },
            policy: Policy::new(),
            is_plain: true,
        }
    }

    /// What a failure leads to.
    #[must_use]
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.policy.on_failure = Some(on_failure);
        self.settled()
    }

    /// How many restarts are allowed within how long.
    #[must_use]
    pub const fn max_restarts(mut self, restarts: u32, within: Duration) -> Self {
        self.policy.max_restarts = Some((restarts, within));
        self
    }

    /// The pauses before a restart.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.policy.backoff = (first, longest);
        self
    }

    /// Its end is the process's stop.
    #[must_use]
    pub const fn essential(mut self) -> Self {
        self.policy.essential = true;
        self.settled()
    }

    /// Runs again and again.
    #[must_use]
    pub const fn every(mut self, period: Duration) -> Self {
        self.policy.every = Some(period);
        self.settled()
    }

    /// How long after it was spawned the first of these runs begins.
    #[must_use]
    pub const fn initial_delay(mut self, delay: Duration) -> Self {
        self.policy.initial_delay = Some(delay);
        self
    }

    /// A budget of its own.
    #[must_use]
    pub const fn stop_timeout(mut self, budget: Duration) -> Self {
        self.policy.stop_timeout = Some(budget);
        self.settled()
    }

    /// What it means that it does not end within that.
    #[must_use]
    pub const fn on_timeout(mut self, on_timeout: OnTimeout) -> Self {
        self.policy.on_timeout = on_timeout;
        self
    }

    /// In which stage it is told to stop.
    #[must_use]
    pub const fn stage(mut self, stage: Stage) -> Self {
        self.policy.stage = Some(stage);
        self.settled()
    }

    /// Not started any more once the stop has begun.
    #[must_use]
    pub const fn refuse_when_stopping(mut self) -> Self {
        self.policy.refuse = true;
        self.settled()
    }

    const fn settled(mut self) -> Self {
        self.is_plain = self.policy.is_plain();
        self
    }

    /// The function that stands for a call with this name at this place: the same each time. `None` beyond the names
    /// that a program has in its code: those are made at run time.
    #[inline]
    pub(crate) fn of_call(name: &'static str, place: &'static Location<'static>) -> Option<&'static Self> {
        let recent = RECENT.with(|recent| recent[slot(place)].get());
        match recent {
            Some(call) if call.is(name, place) => Some(call.function),
            _ => Self::look_up(name, place),
        }
    }

    #[cold]
    fn look_up(name: &'static str, place: &'static Location<'static>) -> Option<&'static Self> {
        let mut calls = CALLS.lock();
        let calls = calls.get_or_insert_default();
        let key = (name, place.file(), place.line());
        let function = match calls.get(&key) {
            Some(function) => *function,
            None if calls.len() >= MOST_CALLS => return None,
            None => {
                let new = Self::new(name, "", place.file(), place.line());
                let new: &Self = Box::leak(Box::new(new));
                calls.insert(key, new);
                new
            }
        };
        let call = Call { name, place, function };
        RECENT.with(|recent| recent[slot(place)].set(Some(call)));
        Some(function)
    }

    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    #[inline]
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    /// Its entry in any lifecycle.
    #[inline]
    pub(crate) fn id(&self) -> EntryId {
        match self.number.load(Ordering::Relaxed) {
            0 => self.enrol(),
            number => EntryId::from_bits(number),
        }
    }

    #[cold]
    fn enrol(&self) -> EntryId {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let next = (LAST.fetch_add(1, Ordering::Relaxed) + 1).min(NAMED - 1);
        // Another thread may have been first: then this number stays unused.
        let number = self.number.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed);
        EntryId::from_bits(number.map_or_else(|first| first, |_| next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_the_same_function_each_time_and_there_is_an_end_to_them() {
        fn of(name: &'static str) -> Option<&'static Function> {
            Function::of_call(name, Location::caller())
        }
        fn made(number: usize) -> &'static str {
            Box::leak(number.to_string().into_boxed_str())
        }
        let fetch = of("fetch").expect("there is room");
        let store = of("store").expect("there is room");
        assert!(!ptr::eq(fetch, store), "two names");
        assert!(of("fetch").is_some_and(|again| ptr::eq(again, fetch)));

        let kept = (0..2 * MOST_CALLS).filter(|&number| of(made(number)).is_some());
        let kept = kept.count();
        assert!((1..=MOST_CALLS).contains(&kept), "{kept}");
        assert!(of(made(3 * MOST_CALLS)).is_none());
        assert!(of("store").is_some_and(|again| ptr::eq(again, store)));
    }
}
