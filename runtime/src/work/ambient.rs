//! The lifecycle and the worker of the calling code, found without passing a handle around.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use tokio::runtime::{self, Handle};
use tokio_util::sync::CancellationToken;

use crate::life::lifecycle::Lifecycle;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::lock::Lock;
use crate::work::current;
use crate::work::parking;
use crate::work::polled::Current;

/// The lifecycle of the process, which any thread may ask. Tests have none.
static PROCESS: RwLock<Option<Arc<Lifecycle>>> = RwLock::new(None);

/// Lifecycles by the runtime they run on, for tasks on threads that no lifecycle has marked yet.
static RUNTIMES: Lock<Vec<(runtime::Id, Weak<Lifecycle>)>> = Lock::new(Vec::new());

/// The calling code.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) life: Arc<Lifecycle>,
    /// The worker being polled on this thread, or main; `None` for an untracked task or a foreign thread.
    pub(crate) current: Option<Current>,
}

impl Caller {
    /// The calling code's lifecycle: its thread's, else its runtime's, else the process's.
    #[inline]
    pub(crate) fn find() -> Option<Self> {
        let (life, current) = current::caller().or_else(elsewhere)?;
        Some(Self { life, current })
    }

    /// As `find`, for calls that make no sense without a lifecycle.
    #[inline]
    #[track_caller]
    pub(crate) fn expect(what: &str) -> Self {
        match Self::find() {
            Some(caller) => caller,
            None => panic!("{}", crate::say::refusals::outside(what)),
        }
    }

    /// The own token of the worker, or of main, that is being polled here.
    pub(crate) fn own_token(&self, current: Current) -> CancellationToken {
        let token = parking::own_token(&self.life, current.stage(), current::slot(&self.life, current));
        current::scoped(&self.life, &token);
        token
    }

    /// The stage the caller's token belongs to.
    #[inline]
    pub(crate) fn stage(&self) -> Stage {
        self.current.map_or(Stage::Main, |current| current.stage())
    }

    /// The worker, unless the caller is main or none.
    #[inline]
    pub(crate) fn worker(&self) -> Option<Current> {
        self.current.filter(|current| current.entry != EntryId::MAIN)
    }
}

/// The calling code's lifecycle.
pub(crate) fn lifecycle() -> Option<Arc<Lifecycle>> {
    current::caller().or_else(elsewhere).map(|(life, _)| life)
}

#[cold]
fn elsewhere() -> Option<(Arc<Lifecycle>, Option<Current>)> {
    of_runtime().or_else(of_process).map(|life| (life, None))
}

fn of_runtime() -> Option<Arc<Lifecycle>> {
    let id = Handle::try_current().ok()?.id();
    let runtimes = RUNTIMES.lock();
    runtimes.iter().find(|(runtime, _)| *runtime == id).and_then(|(_, life)| life.upgrade())
}

/// The lifecycle of the process.
pub(crate) fn of_process() -> Option<Arc<Lifecycle>> {
    PROCESS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes a lifecycle the process's own while the guard lives.
///
/// # Panics
///
/// If there is one already.
#[track_caller]
pub(crate) fn claim_process(life: &Arc<Lifecycle>) -> Claim {
    let mut process = PROCESS.write().unwrap_or_else(PoisonError::into_inner);
    let is_free = process.is_none();
    if is_free {
        *process = Some(Arc::clone(life));
    }
    drop(process);
    assert!(is_free, "{}", crate::say::refusals::RUNS_ALREADY);
    Claim(())
}

/// The process has this lifecycle until the guard is dropped.
pub(crate) struct Claim(());

impl Drop for Claim {
    fn drop(&mut self) {
        *PROCESS.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Lets tasks of `handle`'s runtime find `life`, while the guard lives.
pub(crate) fn enlist_runtime(handle: &Handle, life: &Arc<Lifecycle>) -> Enlisted {
    let id = handle.id();
    RUNTIMES.lock().push((id, Arc::downgrade(life)));
    Enlisted(id)
}

/// A runtime's tasks find their lifecycle until the guard is dropped.
pub(crate) struct Enlisted(runtime::Id);

impl Drop for Enlisted {
    fn drop(&mut self) {
        RUNTIMES.lock().retain(|(id, _)| *id != self.0);
    }
}
