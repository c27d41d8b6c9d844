//! The own tokens of workers that asked for one.
//!
//! Apart from the slots, whose locks the watch takes. A token's tree has locks of its own, and code that cancels it
//! holds them until the whole tree is cancelled, however large it is: until then, copying a token blocks, and so does
//! checking whether it is cancelled.

use std::num::NonZeroU32;
use std::sync::PoisonError;

use tokio_util::sync::CancellationToken;

use crate::os::loom::{Mutex, MutexGuard};

/// The tokens of the workers in one shard of slots, by index.
#[derive(Debug, Default)]
pub(crate) struct SlotTokens(Mutex<Vec<Held>>);

/// What is known of the worker that has a slot, or had it last.
#[derive(Debug, Default)]
struct Held {
    /// The slot's generation when the worker took it.
    generation: u32,
    /// The worker has left, and was stopped: a future of its that lives on checks this.
    left_stopped: bool,
    token: Option<CancellationToken>,
}

impl SlotTokens {
    /// Whether the worker that has this slot, or had it last, was stopped by its token.
    pub(crate) fn is_stopped(&self, index: u32, generation: NonZeroU32) -> bool {
        let mut tokens = self.lock();
        let held = tokens.at(index);
        if held.generation == generation.get() {
            let token = held.token.as_ref();
            held.left_stopped || token.is_some_and(CancellationToken::is_cancelled)
        } else {
            false
        }
    }

    /// The own token of the worker that has this slot, made now if this is the first time: a child of `stage`'s.
    pub(crate) fn own(&self, index: u32, generation: NonZeroU32, stage: &CancellationToken) -> CancellationToken {
        let mut tokens = self.lock();
        let held = tokens.at(index);
        let before = if held.generation == generation.get() {
            None
        } else {
            std::mem::replace(held, Held { generation: generation.get(), ..Held::default() }).token
        };
        let token = held.token.get_or_insert_with(|| stage.child_token()).clone();
        drop(tokens);
        // A token's last clone takes its tree's locks: not under ours.
        drop(before);
        token
    }

    /// The worker has left its slot. `was_stopped`: by other means than its token.
    pub(crate) fn leave(&self, index: u32, generation: NonZeroU32, was_stopped: bool) {
        let mut tokens = self.lock();
        let held = tokens.at(index);
        let token = held.token.take();
        let is_its_own = held.generation == generation.get();
        let is_cancelled = is_its_own && token.as_ref().is_some_and(CancellationToken::is_cancelled);
        *held = Held { generation: generation.get(), left_stopped: was_stopped || is_cancelled, token: None };
        drop(tokens);
        drop(token);
    }

    fn lock(&self) -> Guard<'_> {
        Guard(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The tokens of a shard, locked.
struct Guard<'a>(MutexGuard<'a, Vec<Held>>);

impl Guard<'_> {
    fn at(&mut self, index: u32) -> &mut Held {
        let index = index as usize;
        if self.0.len() <= index {
            self.0.resize_with(index + 1, Held::default);
        }
        &mut self.0[index]
    }
}
