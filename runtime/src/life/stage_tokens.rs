//! The token of each stage: the parent of all tokens that are handed out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;

use crate::life::phase::Phase;
use crate::model::state::Stage;

#[derive(Debug, Default)]
pub(crate) struct StageTokens {
    tokens: [CancellationToken; 4],
    /// A token was taken: there is something to cancel.
    are_taken: AtomicBool,
    /// The user's code was given a token, and may wait for it with a waker of its own.
    are_given: AtomicBool,
    /// How many tasks of ours wait for a worker's own token.
    watchers: Arc<AtomicUsize>,
}

/// Counts a task of ours while it lives.
pub(crate) struct Watcher(Arc<AtomicUsize>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl StageTokens {
    /// Hands one out. A stage's flag is set before its token is cancelled, if any was taken; a token that is handed out
    /// in between is cancelled here, so that it agrees with the flag.
    pub(crate) fn take(
        &self,
        phase: &Phase,
        stage: Stage,
        make: impl FnOnce(&CancellationToken) -> CancellationToken,
    ) -> CancellationToken {
        if !self.are_taken.load(Ordering::Relaxed) {
            self.note_taken();
        }
        let token = make(&self.tokens[stage.index()]);
        if phase.is_cancelled(stage) {
            token.cancel();
        }
        token
    }

    pub(crate) fn note_taken(&self) {
        self.are_taken.store(true, Ordering::SeqCst);
    }

    /// From now on wakers of the user's may wait for a token.
    pub(crate) fn note_given(&self) {
        if !self.are_given.load(Ordering::Relaxed) {
            self.are_given.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn are_taken(&self) -> bool {
        self.are_taken.load(Ordering::SeqCst)
    }

    pub(crate) fn are_given(&self) -> bool {
        self.are_given.load(Ordering::SeqCst)
    }

    /// One more task of ours.
    pub(crate) fn count_watcher(&self) -> Watcher {
        self.watchers.fetch_add(1, Ordering::AcqRel);
        Watcher(Arc::clone(&self.watchers))
    }

    pub(crate) fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Acquire)
    }

    pub(crate) fn all(&self) -> &[CancellationToken; 4] {
        &self.tokens
    }

    pub(crate) fn cancel(&self, stage: Stage) {
        self.tokens[stage.index()].cancel();
    }
}
