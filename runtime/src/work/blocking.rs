//! Workers that block their thread: a worker that is one closure, and a run of a supervised one.

use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::life::lifecycle::Lifecycle;
use crate::life::local::Local;
use crate::life::scope::{Kin, Scope};
use crate::model::exit::{Exit, Judged};
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::lock::Lock;
use crate::work::completion::Completion;
use crate::work::polled::{Current, WakerId};
use crate::work::registration::Registration;
use crate::work::{current, parking};

/// Runs a blocking worker on the thread tokio gave it.
pub(crate) fn run<T>(
    mut registration: Registration,
    code: impl FnOnce() -> T,
    settle: impl FnOnce(T) -> Judged<T>,
) -> Completion<T> {
    let interest = registration.interest();
    if registration.is_aborted(interest) {
        return Completion::of_exit(Exit::Aborted, registration.life(), registration.entry);
    }
    registration.take_slot_now();
    let completion = match registration.run(interest, WakerId::NONE, || settle(code())) {
        Ok(judged) => registration.ended(judged),
        Err(payload) => registration.panicked(payload, false),
    };
    if let Some(mut wait) = registration.lingers() {
        let wait = poll_fn(|context| registration.poll_children_gone(&mut wait, context));
        if let Some(runtime) = registration.life().runtime.get() {
            runtime.block_on(wait);
        }
    }
    completion
}

/// One run of a blocking body inside a supervised worker, or of a hook that blocks: on tokio's pool, in the worker's name,
/// and within the hook's time.
pub(crate) async fn on_the_pool<R: Send + 'static>(code: impl FnOnce() -> R + Send + 'static) -> R {
    // The worker takes its slot first: the code on the other thread uses that one, and takes none of its own. It may
    // ask for the worker's token there.
    let worker = current::caller().and_then(|(life, current)| {
        let current = current?;
        let (slot, interest) = (Some(current::slot(&life, current)), current.interest.scoped());
        Some((life, Current { slot, interest, ..current }, current::share_kin()))
    });
    let limit = current::limit();
    let (running, ends) = Running::new(worker.as_ref());
    let run = move || {
        let _ends = ends;
        match worker {
            Some((life, current, mut kin)) => {
                // Caught in here, so that `polling` restores the thread's record.
                let guarded = || current::limited(limit, || catch_unwind(AssertUnwindSafe(code)));
                let (ran, _) = current::polling(&life, current, &mut kin, WakerId::NONE, guarded);
                ran.unwrap_or_else(|payload| resume_unwind(payload))
            }
            None => current::limited(limit, code),
        }
    };
    let mut task = tokio::task::spawn_blocking(run);
    let _running = running.aborting(task.abort_handle());
    let ran = (&mut task).await;
    current::maybe_scoped();
    match ran {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => resume_unwind(payload),
            // The runtime is shutting down, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// A closure that blocks, as its run sees it. If the run is dropped first, the closure goes on, and the worker waits
/// for it: nothing can abort it.
struct Running {
    state: Arc<Lock<Blocked>>,
    worker: Option<Place>,
    task: Option<AbortHandle>,
}

/// How far the closure has come.
enum Blocked {
    /// It has not ended, and its run waits for it.
    Runs,
    /// It has not ended, and its run was dropped.
    Outlives(#[allow(dead_code)] Option<Outliving>), // for its destructor
    Ended,
}

impl Running {
    /// For this worker; and what the closure keeps until it ends.
    fn new(worker: Option<&(Arc<Lifecycle>, Current, Kin)>) -> (Self, Ends) {
        let state = Arc::new(Lock::new(Blocked::Runs));
        let running = Self {
            state: Arc::clone(&state),
            worker: worker.map(|(life, current, kin)| Place {
                local: current::local(life),
                entry: current.entry,
                stage: current.stage(),
                scope: kin.children.clone(),
            }),
            task: None,
        };
        (running, Ends(state))
    }

    /// The same, which aborts the closure when dropped, if it has not begun.
    fn aborting(mut self, task: AbortHandle) -> Self {
        self.task = Some(task);
        self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        let mut state = self.state.lock();
        if matches!(*state, Blocked::Runs) {
            let worker = self.worker.take();
            let outlives = worker.and_then(Outliving::new);
            *state = Blocked::Outlives(outlives);
        }
    }
}

/// Dropped with the closure: when it has run, or was aborted before it began.
struct Ends(Arc<Lock<Blocked>>);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let before = mem::replace(&mut *state, Blocked::Ended);
        drop(state);
        drop(before);
    }
}

/// Where a worker is counted, and the scope of what it has started.
struct Place {
    local: Arc<Local>,
    entry: EntryId,
    stage: Stage,
    scope: Option<Arc<Scope>>,
}

/// Counts a closure whose run was dropped as alive in its stage, and as a member of the run's scope: the worker ends
/// after the closure.
struct Outliving(Place);

impl Outliving {
    fn new(place: Place) -> Option<Self> {
        let Local { life, thread } = &*place.local;
        let is_open = life.arrive(*thread, place.stage);
        if is_open {
            life.registry.get(place.entry).start(*thread);
            if let Some(scope) = &place.scope {
                scope.arrive();
            }
        }
        is_open.then(|| Self(place))
    }
}

impl Drop for Outliving {
    fn drop(&mut self) {
        let Place { local, entry, stage, scope } = &self.0;
        let Local { life, thread } = &**local;
        // Takes the start back: the worker counts its own end.
        life.registry.get(*entry).take_start_back(*thread);
        if let Some(scope) = scope {
            parking::leave(life, scope);
        }
        life.leave(*thread, *stage);
    }
}
