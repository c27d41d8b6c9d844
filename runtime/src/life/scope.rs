//! What one worker has started: a count that can be waited for, two flags, and the scope the worker itself belongs to.
//!
//! A worker gets a scope when it first starts another one; its runs get one each. Workers started by main or by an
//! untracked task belong to no scope, only to their stage. The owner of a scope ends after its members, so a scope is
//! held by its owner, by its members and by code that stops it, and nothing keeps it beyond them.
//!
//! The rules that its owner, its members and code that stops it rely on:
//!
//! 1. A member is counted before it is spawned, by code of the owner, and leaves once. After the owner's code has
//!    returned, the count only falls.
//! 2. A flag is set once and stays. It is not copied to scopes below: a member asks along its line, from its own scope
//!    upwards.
//! 3. The owner leaves its waker before it reads the count; a member lowers the count before it takes the waker. One of
//!    the two sees what the other has written.
//! 4. Code that stops a scope sets the flag before it searches the slots; a member leaves its waker in its slot before it
//!    asks along its line. A member is woken, or it has seen the flag.

use std::iter::successors;
use std::ptr;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::task::{AbortHandle, Id};
use tokio_util::sync::CancellationToken;

use crate::model::failure::Failure;
use crate::model::label::EntryId;
use crate::os::loom::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::os::loom::{Mutex, MutexGuard};

/// The members are told to stop.
const STOPPED: u32 = 1;
/// The members end at their next poll.
const ABORTED: u32 = 1 << 1;
/// A member has failed, and its failure is the owner's.
const FAILED: u32 = 1 << 2;
/// No owner is there any more to whom a failure could be passed.
const ORPHANED: u32 = 1 << 3;
/// The owner's own code has ended.
const LINGERING: u32 = 1 << 5;
/// The lifecycle knows that no member is left of a scope that was aborted.
const RELEASED: u32 = 1 << 4;

#[derive(Debug)]
pub(crate) struct Scope {
    /// The scope that the owner belongs to.
    parent: Option<Arc<Scope>>,
    owner: EntryId,
    /// The owner's task.
    task: Option<Id>,
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
    /// The first failure that is the owner's.
    failure: Option<Failure>,
    /// The task that waits for the owner's token.
    watcher: Option<AbortHandle>,
}

/// The scopes of one worker: the one that it belongs to, and the one of what it has started.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    pub(crate) parent: Option<Arc<Scope>>,
    pub(crate) children: Option<Arc<Scope>>,
}

impl Kin {
    pub(crate) const NONE: Self = Self { parent: None, children: None };

    /// Code of the worker whose these are has ended, and nothing waits for what it has started.
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
    /// Of what this task, a worker of `owner`, starts.
    pub(crate) fn new(parent: Option<Arc<Self>>, owner: EntryId, task: Option<Id>) -> Self {
        let (members, flags) = (AtomicUsize::new(0), AtomicU32::new(0));
        Self { parent, owner, task, members, flags, state: Mutex::default(), token: OnceLock::new() }
    }

    #[inline]
    pub(crate) fn arrive(&self) {
        self.members.fetch_add(1, Ordering::Relaxed);
    }

    /// One member less. Says whether it was the last.
    #[inline]
    pub(crate) fn leave(&self) -> bool {
        let was_last = self.members.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last {
            self.wake_owner();
        }
        was_last
    }

    pub(crate) fn count(&self) -> usize {
        self.members.load(Ordering::SeqCst)
    }

    pub(crate) fn owner(&self) -> EntryId {
        self.owner
    }

    pub(crate) fn stop(&self) {
        self.flags.fetch_or(STOPPED, Ordering::SeqCst);
    }

    /// Says whether this was the first time.
    pub(crate) fn abort(&self) -> bool {
        self.flags.fetch_or(STOPPED | ABORTED, Ordering::SeqCst) & ABORTED == 0
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.has(STOPPED) || self.token.get().is_some_and(CancellationToken::is_cancelled)
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.has(ABORTED)
    }

    /// Whether members are told to stop: of this scope, or of one that it belongs to.
    pub(crate) fn is_line_stopped(self: &Arc<Self>) -> bool {
        self.line().any(|scope| scope.is_stopped())
    }

    pub(crate) fn is_line_aborted(self: &Arc<Self>) -> bool {
        self.line().any(|scope| scope.is_aborted())
    }

    /// Whether its members belong to `other` as well.
    pub(crate) fn is_below(self: &Arc<Self>, other: &Self) -> bool {
        self.line().any(|scope| ptr::eq(&raw const **scope, other))
    }

    /// Whether this task is among the owners, from this scope upwards.
    pub(crate) fn is_owned_by(self: &Arc<Self>, task: Id) -> bool {
        self.line().any(|scope| scope.task == Some(task))
    }

    /// This scope, the one that it belongs to, and so on.
    pub(crate) fn line(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        successors(Some(self), |scope| scope.parent.as_ref())
    }

    /// A member's failure is the owner's. The first one counts. Gives it back where there is no owner any more.
    pub(crate) fn fail(&self, failure: Failure) -> Result<(), Failure> {
        let mut state = self.lock();
        if self.has(ORPHANED) {
            return Err(failure);
        }
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

    /// Its owner is gone. Returns a failure that had been left for it.
    pub(crate) fn orphan(&self) -> Option<Failure> {
        let mut state = self.lock();
        self.flags.fetch_or(ORPHANED, Ordering::SeqCst);
        state.failure.take()
    }

    /// Whether this is the first time that the scope is known to be aborted and empty.
    pub(crate) fn release(&self) -> bool {
        self.flags.fetch_or(RELEASED, Ordering::SeqCst) & RELEASED == 0
    }

    /// The members stop with this token of the owner's. Has a task started that waits for it, unless there is one.
    pub(crate) fn watch(&self, token: &CancellationToken, start: impl FnOnce() -> AbortHandle) {
        self.token.get_or_init(|| token.clone());
        let mut state = self.lock();
        if state.watcher.is_none() {
            state.watcher = Some(start());
        }
    }

    /// The failure that has become the owner's, once.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        if !self.has(FAILED) {
            return None;
        }
        self.lock().failure.take()
    }

    /// From now on this wakes the owner: when the last member has left, and when one has failed.
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
