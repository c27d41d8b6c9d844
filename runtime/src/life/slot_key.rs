//! The key to a slot: which slot, and which of the workers that have had it.

use std::num::{NonZeroU32, NonZeroU64};

/// Each thread prefers one shard, so threads rarely wait for each other.
pub(crate) const SHARDS: u32 = 16;

/// A slot's place, in the upper half, and how often the place was taken, so that an old key never opens a new worker's
/// slot. In one word, for the threads' records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotKey(NonZeroU64);

impl SlotKey {
    pub(crate) fn new(place: u32, taken: NonZeroU32) -> Self {
        Self(NonZeroU64::from(taken) | u64::from(place) << 32)
    }

    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// The inverse of `to_bits`; zero is no slot.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Self)
    }

    pub(crate) const fn place(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    #[allow(clippy::cast_possible_truncation)] // the lower half
    pub(crate) const fn taken(self) -> u32 {
        self.0.get() as u32
    }

    pub(crate) fn generation(self) -> NonZeroU32 {
        NonZeroU32::new(self.taken()).unwrap_or(NonZeroU32::MIN)
    }

    pub(crate) const fn shard(self) -> usize {
        (self.place() % SHARDS) as usize
    }

    pub(crate) const fn index(self) -> u32 {
        self.place() / SHARDS
    }
}
