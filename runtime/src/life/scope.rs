//! What one worker, the owner, has started: a count of members, flags, and the scope that the owner belongs to.
//!
//! A worker gets a scope when it first starts another one; its runs get one each. Workers started by main or by an
//! untracked task, and those with a stage of their own, belong to no scope, only to their stage. The owner ends after
//! its members. The owner, the members and code that stops a scope hold it; it is freed with the last of them.
//!
//! The rules that they rely on:
//!
//! 1. The owner's code counts a member before it spawns it; the member leaves once. After the owner's code has ended,
//!    the count only falls.
//! 2. A flag that members check, once set, stays set. It is not copied to the scopes below: a member checks its *line*,
//!    which is its own scope and every scope above it.
//! 3. The owner stores its waker before it reads the count or the failure; a member lowers the count, or leaves its
//!    failure, before it reads the waker. So the owner sees the change, or the member sees the waker.
//! 4. Code that stops or aborts a scope sets the flag before it searches the slots; a member stores its waker in its
//!    slot before it checks its line. So the member sees the flag, or the search finds the waker.

use std::iter::successors;
use std::ptr;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use crate::life::limit::RunLimit;
use crate::model::failure::Failure;
use crate::model::label::EntryId;
use crate::os::loom::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::os::loom::{Mutex, MutexGuard};

/// The members are told to stop.
const STOPPED: u32 = 1;
/// The members end at their next poll.
const ABORTED: u32 = 1 << 1;
/// A member has passed its failure to the owner.
const FAILED: u32 = 1 << 2;
/// The owner is gone: a member can pass no failure to it.
const ORPHANED: u32 = 1 << 3;
/// The owner's own code has ended.
const LINGERING: u32 = 1 << 5;
/// The owner itself was aborted, when only its members were left.
const OWNER_ABORTED: u32 = 1 << 6;
/// The scope was aborted and is empty, and the lifecycle counts it no longer.
const RELEASED: u32 = 1 << 4;

#[derive(Debug)]
pub(crate) struct Scope {
    /// The scope that the owner belongs to.
    parent: Option<Arc<Scope>>,
    owner: EntryId,
    /// The owner's task.
    task: Option<Id>,
    /// The own budget of the owner's run.
    limit: Option<Arc<RunLimit>>,
    members: AtomicUsize,
    flags: AtomicU32,
    state: Mutex<Shared>,
    /// The owner's own token, if it asked for one: the members stop with it.
    token: OnceLock<CancellationToken>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Wakes the owner.
    waker: Option<Waker>,
    /// The first failure passed to the owner, until the owner takes it.
    failure: Option<Failure>,
    /// The task that stops the members when the owner's token is cancelled.
    watcher: Option<AbortHandle>,
}

/// The scopes of one worker: the one that it belongs to, and the one that it owns.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    pub(crate) parent: Option<Arc<Scope>>,
    pub(crate) children: Option<Arc<Scope>>,
}

impl Kin {
    pub(crate) const NONE: Self = Self { parent: None, children: None };

    /// The worker is gone: see [`Scope::orphan`].
    pub(crate) fn orphan(&self) -> Option<Failure> {
        self.children.as_ref().and_then(|children| children.orphan())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(watcher) = self.lock().watcher.take() {
            watcher.abort();
        }
    }
}

impl Scope {
    /// For what this task, a worker of the entry `owner`, starts.
    pub(crate) fn new(
        parent: Option<Arc<Self>>,
        owner: EntryId,
        task: Option<Id>,
        limit: Option<Arc<RunLimit>>,
    ) -> Self {
        let (members, flags) = (AtomicUsize::new(0), AtomicU32::new(0));
        Self { parent, owner, task, limit, members, flags, state: Mutex::default(), token: OnceLock::new() }
    }

    #[inline]
    pub(crate) fn arrive(&self) {
        // Rule 1: relaxed, since the owner's own code adds, and reads the count afterwards.
        self.members.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one member less. Returns whether it was the last.
    #[inline]
    pub(crate) fn leave(&self) -> bool {
        // Rule 3: the count, then the waker.
        let was_last = self.members.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last {
            self.wake_owner();
        }
        was_last
    }

    pub(crate) fn count(&self) -> usize {
        self.members.load(Ordering::SeqCst)
    }

    /// The scope that the owner belongs to.
    pub(crate) fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    /// The own budget of the owner's run, which bounds the members as well.
    pub(crate) fn limit(&self) -> Option<&RunLimit> {
        self.limit.as_deref()
    }

    pub(crate) fn owner(&self) -> EntryId {
        self.owner
    }

    pub(crate) fn stop(&self) {
        self.flags.fetch_or(STOPPED, Ordering::SeqCst);
    }

    /// Returns whether this was the first time.
    pub(crate) fn abort(&self) -> bool {
        self.flags.fetch_or(STOPPED | ABORTED, Ordering::SeqCst) & ABORTED == 0
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.has(STOPPED) || self.token.get().is_some_and(CancellationToken::is_cancelled)
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.has(ABORTED)
    }

    /// Rule 2: whether this scope or one above it is stopped.
    pub(crate) fn is_line_stopped(self: &Arc<Self>) -> bool {
        self.line().any(|scope| scope.is_stopped())
    }

    pub(crate) fn is_line_aborted(self: &Arc<Self>) -> bool {
        self.line().any(|scope| scope.is_aborted())
    }

    /// Whether this is `other`, or a scope below it.
    pub(crate) fn is_below(self: &Arc<Self>, other: &Self) -> bool {
        self.line().any(|scope| ptr::eq(&raw const **scope, other))
    }

    /// Whether this task owns this scope or one above it.
    pub(crate) fn is_owned_by(self: &Arc<Self>, task: Id) -> bool {
        self.line().any(|scope| scope.task == Some(task))
    }

    /// This scope, then the scopes above it.
    pub(crate) fn line(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        successors(Some(self), |scope| scope.parent())
    }

    /// Passes a member's failure to the owner, which gets the first one. Gives it back if the owner is gone.
    pub(crate) fn fail(&self, failure: Failure) -> Result<(), Failure> {
        let mut state = self.lock();
        if self.has(ORPHANED) {
            return Err(failure);
        }
        // Rule 3: the failure, then the waker.
        state.failure.get_or_insert(failure);
        self.flags.fetch_or(FAILED, Ordering::SeqCst);
        drop(state);
        self.wake_owner();
        Ok(())
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has(FAILED)
    }

    /// The owner's own code has ended: it only waits for the members.
    pub(crate) fn linger(&self) {
        self.flags.fetch_or(LINGERING, Ordering::SeqCst);
    }

    pub(crate) fn is_lingering(&self) -> bool {
        self.has(LINGERING)
    }

    /// The owner itself is aborted: its members are, and nothing follows when they have ended.
    pub(crate) fn note_abort_of_owner(&self) {
        self.flags.fetch_or(OWNER_ABORTED, Ordering::SeqCst);
    }

    pub(crate) fn is_owner_aborted(&self) -> bool {
        self.has(OWNER_ABORTED)
    }

    /// The owner is gone. Returns a failure that it has not taken.
    pub(crate) fn orphan(&self) -> Option<Failure> {
        let mut state = self.lock();
        self.flags.fetch_or(ORPHANED, Ordering::SeqCst);
        state.failure.take()
    }

    /// The scope is aborted and empty. Returns whether this was the first time.
    pub(crate) fn release(&self) -> bool {
        self.flags.fetch_or(RELEASED, Ordering::SeqCst) & RELEASED == 0
    }

    pub(crate) fn is_released(&self) -> bool {
        self.has(RELEASED)
    }

    /// Code that blocks may have added members since then. Says whether it had been released.
    pub(crate) fn hold_again(&self) -> bool {
        self.flags.fetch_and(!RELEASED, Ordering::SeqCst) & RELEASED != 0
    }

    /// The members stop with this token of the owner's. Starts a task that waits for it, unless one does already.
    pub(crate) fn watch(&self, token: &CancellationToken, start: impl FnOnce() -> AbortHandle) {
        self.token.get_or_init(|| token.clone());
        let mut state = self.lock();
        if state.watcher.is_none() {
            state.watcher = Some(start());
        }
    }

    /// A failure that a member has passed to the owner: once.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        if !self.has(FAILED) {
            return None;
        }
        let mut state = self.lock();
        self.flags.fetch_and(!FAILED, Ordering::SeqCst);
        state.failure.take()
    }

    /// Stores the owner's waker, which is called when the last member leaves and when one passes a failure.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut state = self.lock();
        if state.waker.as_ref().is_some_and(|own| own.will_wake(waker)) {
            return;
        }
        let before = state.waker.replace(waker.clone());
        drop(state);
        // A waker's last clone may free a task: not under our lock.
        drop(before);
    }

    /// Whether no member is left.
    pub(crate) fn poll_gone(&self, context: &Context<'_>) -> Poll<()> {
        // Rule 3: the waker, then the count.
        self.set_waker(context.waker());
        if self.count() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has(&self, flag: u32) -> bool {
        self.flags.load(Ordering::SeqCst) & flag != 0
    }

    fn wake_owner(&self) {
        let waker = self.lock().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
