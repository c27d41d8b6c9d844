//! What a worker does when it runs: one future, a future for each run, a closure that blocks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::model::exit::Judged;
use crate::model::outcome::Returned;
use crate::model::policy::Policy;
use crate::work::completion::Completion;
use crate::work::registration::Registration;
use crate::work::span::Span;
use crate::work::supervise::{Judge, Next};
use crate::work::task::Tracked;
use crate::work::{blocking, guarded, supervise};

/// What a [`Worker`](crate::Worker) holds: for functions that take a worker of any kind, `Worker<impl Body<Output = R>>`.
///
/// Implemented by this crate only: no other code can launch one.
pub trait Body: Send + 'static {
    /// What the worker returns.
    type Output: Send + 'static;
    /// What `.await` polls.
    type Future: Future<Output = Self::Output> + Send + 'static;

    /// One run, right here.
    #[doc(hidden)]
    fn inline(self) -> Self::Future;

    /// Whether it runs on a thread of its own, where nothing can abort it once it has begun.
    #[doc(hidden)]
    const BLOCKS: bool = false;

    /// Whether it can be run more than once.
    #[doc(hidden)]
    const REPEATS: bool = false;

    /// [`Self::BLOCKS`], of a body in a box too.
    #[doc(hidden)]
    #[inline]
    fn blocks(&self) -> bool {
        Self::BLOCKS
    }

    /// [`Self::REPEATS`], of a body in a box too.
    #[doc(hidden)]
    #[inline]
    fn repeats(&self) -> bool {
        Self::REPEATS
    }

    /// One run in the background, tracked: the short way.
    #[doc(hidden)]
    fn start(self, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<Self::Output>>;

    /// One tracked task in the background, in a span: runs under this policy, or one under the worker's own.
    #[doc(hidden)]
    fn supervise(
        self,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<Self::Output>>;

    /// The short way, unless the policy asks for more than one run, or a span is wanted: a body that blocks enters that by
    /// itself.
    #[doc(hidden)]
    fn launch(
        self,
        registration: Registration,
        runtime: &Handle,
        supervised: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<Self::Output>>
    where
        Self: Sized,
    {
        if supervised.is_none() && (self.blocks() || !Span::is_wanted()) {
            return self.start(registration, runtime);
        }
        self.supervise(registration, runtime, supervised)
    }
}

/// Spawns runs under a policy, in the worker's span. `next` makes a run, or says that there is no other.
fn supervise<Fut, J>(
    registration: Registration,
    runtime: &Handle,
    policy: Option<Box<Policy>>,
    mut next: impl FnMut() -> Option<Fut> + Send + 'static,
    judge: J,
) -> JoinHandle<Completion<Fut::Output>>
where
    Fut: Future + Send + 'static,
    Fut::Output: Returned,
    J: Fn(&Fut::Output) -> Option<String> + Send + 'static,
{
    let next = move || next().map(guarded::guarded);
    spawn_runs(registration, runtime, policy, Box::new(next), Box::new(judge))
}

/// The part of it that is compiled once for each type of result, not for each worker.
fn spawn_runs<R: Send + 'static>(
    registration: Registration,
    runtime: &Handle,
    policy: Option<Box<Policy>>,
    next: Next<R>,
    judge: Judge<R>,
) -> JoinHandle<Completion<R>> {
    let parts = (Arc::clone(registration.life()), registration.entry, registration.kin.parent.clone());
    let (life, entry, parent) = parts;
    let policy = policy.unwrap_or_else(|| Box::new(life.registry.get(entry).policy()));
    let span = Span::of(&registration);
    let registration = registration.of_supervised();
    let runs = async move { supervise::supervise(&life, entry, parent.as_ref(), &policy, next, judge).await };
    // The supervisor has dealt with its errors, run by run.
    runtime.spawn(Tracked::new(span.around(runs), Judged::from, registration))
}

/// How one run ended, by what it returned.
fn settle<R>(judge: impl Fn(&R) -> Option<String>) -> impl Fn(R) -> Judged<R> {
    move |result| {
        let error = judge(&result);
        Judged::of(result, error)
    }
}

/// Starts one run of a closure that blocks.
fn block<R: Send + 'static>(
    registration: Registration,
    runtime: &Handle,
    run: impl FnOnce() -> R + Send + 'static,
    judge: impl Fn(&R) -> Option<String> + Send + 'static,
) -> JoinHandle<Completion<R>> {
    let span = Span::of(&registration);
    runtime.spawn_blocking(move || {
        let run = || span.within(run);
        blocking::run(registration, run, settle(judge))
    })
}

/// A body that is a future.
#[derive(Debug)]
pub struct Once<F, J> {
    pub(crate) future: F,
    pub(crate) judge: J,
}

impl<F, J> Body for Once<F, J>
where
    // Not `Send`? Keep it in a block that ends before the `.await`, or use an `Arc` or a `Mutex` of tokio's.
    F: Future + Send + 'static,
    F::Output: Returned,
    J: Fn(&F::Output) -> Option<String> + Send + 'static,
{
    type Output = F::Output;
    type Future = F;

    fn inline(self) -> F {
        self.future
    }

    #[inline]
    fn start(self, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<F::Output>> {
        runtime.spawn(Tracked::new(self.future, settle(self.judge), registration))
    }

    fn supervise(
        self,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<F::Output>> {
        let Self { future, judge } = self;
        let mut future = Some(future);
        supervise(registration, runtime, policy, move || future.take(), judge)
    }
}

/// A body that makes a future for each run.
#[derive(Debug)]
pub struct Again<M, J> {
    pub(crate) make: M,
    pub(crate) judge: J,
}

impl<M, Fut, J> Body for Again<M, J>
where
    // Not `Send`? Keep it in a block that ends before the `.await`, or use an `Arc` or a `Mutex` of tokio's.
    M: FnMut() -> Fut + Send + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Returned,
    J: Fn(&Fut::Output) -> Option<String> + Send + 'static,
{
    type Output = Fut::Output;
    type Future = Fut;

    const REPEATS: bool = true;

    fn inline(mut self) -> Fut {
        (self.make)()
    }

    #[inline]
    fn start(self, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<Fut::Output>> {
        let Self { mut make, judge } = self;
        runtime.spawn(Tracked::new(async move { make().await }, settle(judge), registration))
    }

    fn supervise(
        self,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<Fut::Output>> {
        let Self { mut make, judge } = self;
        supervise(registration, runtime, policy, move || Some(make()), judge)
    }
}

/// A body that blocks its thread.
#[derive(Debug)]
pub struct Blocking<F, J> {
    pub(crate) run: F,
    pub(crate) judge: J,
}

impl<F, J, R> Body for Blocking<F, J>
where
    F: FnOnce() -> R + Send + 'static,
    R: Returned,
    J: Fn(&R) -> Option<String> + Send + 'static,
{
    type Output = R;
    type Future = Unsupervised<F, R>;

    const BLOCKS: bool = true;

    fn inline(self) -> Unsupervised<F, R> {
        Unsupervised::NotStarted(Some(self.run))
    }

    fn start(self, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<R>> {
        block(registration, runtime, self.run, self.judge)
    }

    fn supervise(
        self,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<R>> {
        let Self { run, judge } = self;
        let mut run = Some(run);
        let next = move || run.take().map(blocking::on_the_pool);
        supervise(registration, runtime, policy, next, judge)
    }
}

/// A body that blocks its thread in each run.
#[derive(Debug)]
pub struct BlockingAgain<M, J> {
    pub(crate) make: M,
    pub(crate) judge: J,
}

impl<M, R, J> Body for BlockingAgain<M, J>
where
    M: FnMut() -> R + Clone + Send + 'static,
    R: Returned,
    J: Fn(&R) -> Option<String> + Send + 'static,
{
    type Output = R;
    type Future = Unsupervised<M, R>;

    const REPEATS: bool = true;
    const BLOCKS: bool = true;

    fn inline(self) -> Unsupervised<M, R> {
        Unsupervised::NotStarted(Some(self.make))
    }

    fn start(self, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<R>> {
        block(registration, runtime, self.make, self.judge)
    }

    fn supervise(
        self,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<R>> {
        let Self { make, judge } = self;
        let next = move || Some(blocking::on_the_pool(make.clone()));
        supervise(registration, runtime, policy, next, judge)
    }
}

/// A blocking body awaited in place: it runs on tokio's pool of blocking threads from the first poll on.
#[derive(Debug)]
pub enum Unsupervised<F, R> {
    /// The closure, until the first poll.
    NotStarted(Option<F>),
    /// The running closure.
    Running(JoinHandle<R>),
}

// The closure is never pinned: it is moved out before it is called.
impl<F, R> Unpin for Unsupervised<F, R> {}

impl<F, R> Future for Unsupervised<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        if let Self::NotStarted(run) = &mut *self {
            let run = run.take().expect("it is replaced in the same poll");
            *self = Self::Running(tokio::task::spawn_blocking(run));
        }
        let Self::Running(task) = &mut *self else {
            return Poll::Pending;
        };
        match ready!(Pin::new(task).poll(context)) {
            Ok(result) => Poll::Ready(result),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => std::panic::resume_unwind(payload),
                // The runtime is shutting down, and this future with it.
                Err(_) => Poll::Pending,
            },
        }
    }
}
