//! A worker while it runs: the future tokio polls.
//!
//! This is the hot path. A worker that never waits costs two counters, and two stores around its poll; one
//! that waits takes a slot on top. Nothing is allocated beside tokio's own task.

use std::future::Future;
use std::mem::{self, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::AbortHandle;

use crate::life::lifecycle::Lifecycle;
use crate::model::exit::{Exit, Judged};
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::os::lock::Lock;
use crate::work::completion::Completion;
use crate::work::current;
use crate::work::parking;
use crate::work::polled::Current;
use crate::work::polled::WakerId;
use crate::work::probe;
use crate::work::registration::Registration;

pin_project! {
    /// A worker's future, tracked. Resolves early, to `Aborted`, when the stop has run out of time.
    pub(crate) struct Tracked<F, S> {
        // Dropped as soon as it is done with, in the worker's name.
        #[pin]
        future: Option<F>,
        settle: S,
        // Last, so that the worker counts as alive until its future is dropped.
        registration: Registration,
    }

    impl<F, S> PinnedDrop for Tracked<F, S> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // Dropped from outside, by its task's abort or with its runtime.
            if needs_drop::<F>() && this.future.is_some() {
                this.registration.drop_early(this.future);
            }
        }
    }
}

impl<F, S> Tracked<F, S> {
    /// `settle` says how the worker ended, by what the future gave.
    #[inline]
    pub(crate) fn new(future: F, settle: S, registration: Registration) -> Self {
        Self { future: Some(future), settle, registration }
    }
}

impl<F, S, R> Future for Tracked<F, S>
where
    F: Future,
    S: Fn(F::Output) -> Judged<R>,
{
    type Output = Completion<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Completion<R>> {
        let this = self.project();
        let (mut future, registration) = (this.future, this.registration);
        if registration.life.phase.is_aborting(registration.stage) {
            registration.drop_early(future);
            return Poll::Ready(registration.aborted());
        }
        let was_scoped = registration.is_scoped();
        let waker = registration.waker_id(context);
        let asked = probe::asked(&registration.life, registration.entry, registration.waits());
        let mut returned = false;
        let run = || {
            let polled = match future.as_mut().as_pin_mut() {
                Some(running) => asked.poll(running, context),
                None => Poll::Pending,
            };
            polled.map(|result| {
                returned = true;
                future.set(None);
                // An error's `Debug` is code of the worker's as well.
                (this.settle)(result)
            })
        };
        match registration.run(waker, run) {
            Ok(Poll::Ready(judged)) => Poll::Ready(registration.ended(judged)),
            Ok(Poll::Pending) => {
                if !registration.waits() {
                    registration.park(context);
                }
                if registration.is_scoped() && !was_scoped {
                    // It has a token since this poll. What waits by the slot alone goes to the token.
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Err(payload) => {
                let completion = registration.panicked(payload, returned);
                registration.drop_early(future);
                Poll::Ready(completion)
            }
        }
    }
}

/// Runs a blocking worker on the thread tokio gave it.
pub(crate) fn run_blocking<T>(
    mut registration: Registration,
    code: impl FnOnce() -> T,
    settle: impl FnOnce(T) -> Judged<T>,
) -> Completion<T> {
    if registration.life.phase.is_aborting(registration.stage) {
        return Completion::new(Exit::Aborted, &registration.life, registration.entry);
    }
    if registration.slot.is_none() {
        // It will be there for a while: its slot says since when.
        registration.slot =
            Some(parking::take_slot(&registration.life, current::shard(), registration.entry, registration.stage));
    }
    match registration.run(WakerId::NONE, || settle(code())) {
        Ok(judged) => registration.ended(judged),
        Err(payload) => registration.panicked(payload, false),
    }
}

/// One run of a blocking body inside a supervised worker: on tokio's pool, in the worker's name.
pub(crate) async fn blocking_run<R: Send + 'static>(code: impl FnOnce() -> R + Send + 'static) -> R {
    // The worker sits down first: on the other thread the code finds it by its slot, and takes none of its own. It may
    // ask for the worker's token there.
    let worker = current::caller().and_then(|(life, current)| {
        let (current, scoped) = (current?, true);
        let slot = Some(current::slot(&life, current));
        Some((life, Current { slot, scoped, ..current }))
    });
    let (running, ends) = Running::new(worker.as_ref());
    let run = move || {
        let _ends = ends;
        match worker {
            Some((life, current)) => {
                // Caught in here, so that the thread's record is put back.
                let guarded = || catch_unwind(AssertUnwindSafe(code));
                let (ran, _) = current::polling(&life, current, WakerId::NONE, guarded);
                ran.unwrap_or_else(|payload| resume_unwind(payload))
            }
            None => code(),
        }
    };
    let mut task = tokio::task::spawn_blocking(run);
    let _running = running.aborting(task.abort_handle());
    let ran = (&mut task).await;
    current::scoped();
    match ran {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => resume_unwind(payload),
            // The runtime is shutting down, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// A closure that blocks, as its worker sees it. Where the worker is dropped first, the closure goes on, and is waited
/// for: nothing can abort it.
struct Running {
    state: Arc<Lock<Blocked>>,
    worker: Option<(Arc<Lifecycle>, EntryId, Stage)>,
    task: Option<AbortHandle>,
}

/// How far the closure has come.
enum Blocked {
    /// It has not ended, and its worker waits for it.
    Runs,
    /// It has not ended, and its worker is gone.
    Outlives(#[allow(dead_code)] Option<Outliving>), // for its destructor
    Ended,
}

impl Running {
    /// For this worker; and what the closure keeps until it ends.
    fn new(worker: Option<&(Arc<Lifecycle>, Current)>) -> (Self, Ends) {
        let state = Arc::new(Lock::new(Blocked::Runs));
        let running = Self {
            state: Arc::clone(&state),
            worker: worker.map(|(life, current)| (Arc::clone(life), current.entry, current.stage)),
            task: None,
        };
        (running, Ends(state))
    }

    /// Where it has not begun by then, this takes it back.
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
            let outlives = worker.and_then(|(life, entry, stage)| Outliving::new(life, entry, stage));
            *state = Blocked::Outlives(outlives);
        }
    }
}

/// Dropped with the closure: when it has run, or when it is not to run any more.
struct Ends(Arc<Lock<Blocked>>);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let before = mem::replace(&mut *state, Blocked::Ended);
        drop(state);
        drop(before);
    }
}

/// Counts a closure whose worker is gone among those that are alive.
struct Outliving {
    life: Arc<Lifecycle>,
    entry: EntryId,
    stage: Stage,
}

impl Outliving {
    fn new(life: Arc<Lifecycle>, entry: EntryId, stage: Stage) -> Option<Self> {
        life.arrive(stage).then(|| {
            life.registry.get(entry).start();
            Self { life, entry, stage }
        })
    }
}

impl Drop for Outliving {
    fn drop(&mut self) {
        // Its worker has ended already, as far as the counters go.
        let started = &self.life.registry.get(self.entry).started;
        started.fetch_sub(1, Ordering::Release);
        self.life.leave(self.stage);
    }
}
