//! A value in parts, each for some of the threads: two threads that write at the same time write to two cache lines.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::life::slot_key::SHARDS;

/// No thread has used it.
const NOBODY: u32 = u32::MAX;

/// Alone on its cache line, and on the one that a processor fetches beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// A value for each thread: the first one that comes has its part right here. The parts for others are allocated when a
/// second one comes.
#[derive(Debug)]
pub(crate) struct ByThread<T> {
    first: AtomicU32,
    own: Padded<T>,
    /// As many as the slots have shards.
    others: OnceLock<Box<[Padded<T>]>>,
}

impl<T: Default> Default for ByThread<T> {
    fn default() -> Self {
        Self { first: AtomicU32::new(NOBODY), own: Padded::default(), others: OnceLock::new() }
    }
}

impl<T: Default> ByThread<T> {
    /// The part of the thread with this number.
    #[inline]
    pub(crate) fn of(&self, thread: u32) -> &T {
        if self.first.load(Ordering::Relaxed) == thread {
            return &self.own.0;
        }
        match self.others.get() {
            Some(others) => &others[(thread % SHARDS) as usize].0,
            None => self.newcomers(thread),
        }
    }

    #[cold]
    fn newcomers(&self, thread: u32) -> &T {
        match self.first.compare_exchange(NOBODY, thread, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => &self.own.0,
            Err(_) => &self.others.get_or_init(Self::allocate)[(thread % SHARDS) as usize].0,
        }
    }

    fn allocate() -> Box<[Padded<T>]> {
        (0..SHARDS).map(|_| Padded::default()).collect()
    }

    /// Calls `act` with each part that may have been used.
    #[inline]
    pub(crate) fn each(&self, mut act: impl FnMut(&T)) {
        act(&self.own.0);
        for part in self.others.get().into_iter().flatten() {
            act(&part.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn each_thread_has_its_part() {
        let numbers = ByThread::<AtomicU32>::default();
        for thread in 5..5 + SHARDS {
            numbers.of(thread).store(thread, Ordering::Relaxed);
        }
        let mut all = Vec::new();
        numbers.each(|number| all.push(number.load(Ordering::Relaxed)));
        all.sort_unstable();
        // The first one's part is not among those of the others, where one is free.
        assert_eq!(all, [&[0][..], &(5..5 + SHARDS).collect::<Vec<_>>()].concat());
        assert!(ptr::eq(numbers.of(6), numbers.of(6 + SHARDS)));
    }

    #[test]
    fn one_thread_needs_no_allocation() {
        let numbers = ByThread::<AtomicU32>::default();
        for _ in 0..10 {
            numbers.of(3).fetch_add(1, Ordering::Relaxed);
        }
        let mut all = Vec::new();
        numbers.each(|number| all.push(number.load(Ordering::Relaxed)));
        assert_eq!(all, [10]);
    }

    #[test]
    fn no_two_parts_share_a_cache_line() {
        let numbers = ByThread::<AtomicU32>::default();
        let mut places = [1, 2, 3].map(|thread| ptr::from_ref(numbers.of(thread)).addr());
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 128));
    }
}
