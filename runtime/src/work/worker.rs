//! A worker before it runs: what calling an annotated function returns, and how it is started.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::sync::Arc;

use crate::life::function::Function;
use crate::life::local::Local;
use crate::model::label::Label;
use crate::model::name::ToName;
use crate::model::outcome::{Outcome, Verdict};
use crate::model::policy::Policy;
use crate::model::state::{Stage, State};
use crate::work::ambient::Caller;
use crate::work::body::{Again, Blocking, BlockingAgain, Body, Once};
use crate::work::boxed::Boxed;
use crate::work::current;
use crate::work::handle::{Called, WorkerHandle};
use crate::work::registration::Registration;
use crate::work::span::Span;

mod per_call;

/// A worker that has not been started: a body with its arguments.
///
/// Calling a function annotated with [`#[graceful::worker]`](macro@crate::worker) returns one, as does
/// [`Worker::new`]. [`spawn`](Worker::spawn) runs it in the background; `.await` runs it right here, as part
/// of the caller, unsupervised: that is how its body is unit-tested, with or without a lifecycle.
#[must_use = "a worker does nothing until you `.spawn()` it (in the background) or `.await` it (right here)"]
pub struct Worker<B> {
    name: Name,
    body: B,
}

/// A worker of any kind that returns `R`, made by [`Worker::boxed`]. It can do all that a worker can.
pub type BoxWorker<R> = Worker<Boxed<R>>;

/// Where a worker's name comes from.
enum Name {
    /// The annotated function, or a call whose name is a literal.
    Function(&'static Function),
    /// A name made at run time, or a worker that a method has changed.
    Given(Box<Label>),
}

impl Worker<()> {
    /// A worker made of a closure that returns a future, called `name` in reports.
    ///
    /// The same as an annotated function, for bodies that are not functions. For a future that is at hand
    /// there is [`spawn`](crate::spawn()).
    ///
    /// ```
    /// # #[graceful::main] async fn main() {
    /// let sweep = graceful::Worker::new("sweep", || async { /* ... */ });
    /// sweep.spawn();
    /// # }
    /// ```
    #[track_caller]
    #[allow(clippy::new_ret_no_self)] // `Self` here has no body yet
    pub fn new<'a, N, F, Fut>(name: &'a N, run: F) -> Worker<impl Body<Output = Fut::Output> + use<N, F, Fut>>
    where
        N: ToName<'a> + ?Sized,
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        Worker { name: Name::here(name.to_name()), body: Again { make: run, judge: Verdict::failure } }
    }
}

impl<B: Body> Worker<B> {
    /// The same worker as a type that has a name: for a field of a struct, a list of workers, a method of a trait.
    ///
    /// ```
    /// use graceful::BoxWorker;
    ///
    /// #[graceful::worker]
    /// async fn poll(feed: &'static str) -> Result<(), String> { Ok(()) }
    ///
    /// #[graceful::worker(blocking)]
    /// fn scan(folder: String) -> Result<(), String> { Ok(()) }
    ///
    /// # #[graceful::main] async fn main() {
    /// let workers: Vec<BoxWorker<Result<(), String>>> = vec![poll("news").boxed(), scan("/tmp".to_owned()).boxed()];
    /// for worker in workers {
    ///     worker.spawn();
    /// }
    /// # }
    /// ```
    pub fn boxed(self) -> BoxWorker<B::Output> {
        Worker { name: self.name, body: Boxed::new(self.body) }
    }

    /// Runs the worker in the background: tracked, told to stop with its stage, and waited for at the stop.
    ///
    /// A worker spawned inside a worker is its child, and the parent ends after its children: see
    /// [parts of a program](crate::parts_of_a_program). Dropping the handle detaches; the lifecycle still waits. While
    /// the lifecycle is stopping a new worker runs with its token already cancelled; once its stage has ended it is
    /// refused, and the handle says so.
    ///
    /// # Panics
    ///
    /// At the caller's line, outside any lifecycle: `main` lacks `#[graceful::main]`.
    #[inline]
    #[track_caller]
    pub fn spawn(self) -> WorkerHandle<B::Output> {
        let blocks = self.body.blocks();
        if let Name::Function(function) = self.name
            && function.is_plain()
            && !Span::is_wanted()
            && let Some((local, stage, scope)) = current::spawner()
            && let Some(runtime) = local.life.runtime.wait()
        {
            // The short way: a function that nothing was set for, and no span.
            let (id, entry) = local.life.registry.start(local.thread, function);
            if local.life.arrive(local.thread, stage) {
                entry.note_parent(scope.as_ref());
                let registration = Registration::new(Arc::clone(&local), id, stage, scope);
                let task = self.body.start(registration, runtime);
                return WorkerHandle::new(local, Called::Function(function), stage, blocks, Some(task));
            }
            entry.refuse(local.thread);
            return WorkerHandle::new(local, Called::Function(function), stage, blocks, None);
        }
        self.spawn_with_care()
    }

    #[cold]
    #[track_caller]
    fn spawn_with_care(self) -> WorkerHandle<B::Output> {
        let start = Start::new(self.name, self.body.blocks());
        let task = match (start.registration, start.local.life.runtime.get()) {
            (Some(registration), Some(runtime)) => Some(self.body.launch(registration, runtime, start.supervised)),
            _ => None,
        };
        WorkerHandle::new(start.local, start.name, start.stage, start.blocks, task)
    }
}

/// A worker that is about to start. What is here does not depend on its body, and is compiled once.
struct Start {
    local: Arc<Local>,
    name: Called,
    stage: Stage,
    blocks: bool,
    /// `None` for a worker that is refused.
    registration: Option<Registration>,
    supervised: Option<Box<Policy>>,
}

impl Start {
    #[track_caller]
    fn new(name: Name, blocks: bool) -> Self {
        let policy = name.policy();
        let caller = Caller::expect("spawning a worker");
        // A worker that is spawned by a worker is its child, unless it has a stage of its own.
        let parent = caller.worker().filter(|_| policy.stage.is_none());
        let stage = policy.stage.or(parent.map(|parent| parent.stage())).unwrap_or_default();
        let scope = parent.and_then(|_| current::children());
        let local = current::local(&caller.life);
        let (life, thread) = (&local.life, local.thread);
        let is_at = |state| life.phase.state() >= state;
        let refused = policy.refuse && is_at(State::Stopping) || policy.every.is_some() && is_at(State::Draining);
        let supervised = policy.is_supervised().then(|| Box::new(policy.clone()));
        let blocks = blocks && supervised.is_none();
        let essential = policy.essential;
        let (entry, name) = match name {
            Name::Function(function) => (life.registry.start(thread, function).0, Called::Function(function)),
            Name::Given(label) => {
                let name = Called::Given(Box::new(label.name.clone()));
                (life.registry.start_named(thread, *label), name)
            }
        };
        let is_admitted = life.runtime.wait().is_some() && !refused && life.arrive(thread, stage);
        let registration = if is_admitted {
            life.registry.get(entry).note_parent(scope.as_ref());
            let registration = Registration::new(Arc::clone(&local), entry, stage, scope);
            Some(if essential { registration.of_essential() } else { registration })
        } else {
            life.registry.get(entry).refuse(thread);
            None
        };
        Self { local, name, stage, blocks, registration, supervised }
    }
}

impl Name {
    #[inline]
    fn policy(&self) -> &Policy {
        static PLAIN: Policy = Policy::new();
        match self {
            Self::Function(function) => function.policy(),
            Self::Given(label) => label.policy.as_deref().unwrap_or(&PLAIN),
        }
    }

    /// A name given by the caller's code.
    #[inline]
    #[track_caller]
    fn here(name: Cow<'static, str>) -> Self {
        let place = Location::caller();
        if let Cow::Borrowed(name) = name
            && let Some(function) = Function::of_call(name, place)
        {
            return Self::Function(function);
        }
        Self::Given(Box::new(Label::at(name, place)))
    }
}

impl<B: Body> IntoFuture for Worker<B> {
    type Output = B::Output;
    type IntoFuture = B::Future;

    fn into_future(self) -> B::Future {
        self.body.inline()
    }
}

impl<B> fmt::Debug for Worker<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.name {
            Name::Function(function) => &function.label().name,
            Name::Given(label) => &label.name,
        };
        f.debug_struct("Worker").field("name", name).finish_non_exhaustive()
    }
}

/// Starts `future` as a worker called `name`: [`Worker::spawn`] for an async block.
///
/// # Panics
///
/// As [`Worker::spawn`].
#[inline]
#[track_caller]
pub fn spawn<'a, F, R>(name: &'a (impl ToName<'a> + ?Sized), future: F) -> WorkerHandle<R>
where
    F: Future<Output = R> + Send + 'static, // a worker is no future: it has a `.spawn()` of its own
    R: Outcome,
{
    let name = Name::here(name.to_name());
    Worker { name, body: Once { future, judge: Verdict::failure } }.spawn()
}

/// Starts a closure that blocks, as a worker called `name`, on tokio's pool of blocking threads.
///
/// The stop waits for it as for any worker. It cannot be aborted: check
/// [`is_stopping`](crate::is_stopping) between two pieces of work.
///
/// # Panics
///
/// As [`Worker::spawn`].
#[track_caller]
pub fn spawn_blocking<'a, F, R>(name: &'a (impl ToName<'a> + ?Sized), run: F) -> WorkerHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Outcome,
{
    let name = Name::here(name.to_name());
    Worker { name, body: Blocking { run, judge: Verdict::failure } }.spawn()
}

/// A worker that is one future. Without bounds on purpose: the compiler then reports a wrong future or result
/// once, where the attribute names its type.
///
/// Not public API. Used by generated code.
pub fn once<F, J>(function: &'static Function, future: F, judge: J) -> Worker<Once<F, J>> {
    Worker { name: Name::Function(function), body: Once { future, judge } }
}

/// A worker that can be run again. Without bounds on purpose, as [`once`].
///
/// Not public API. Used by generated code.
pub fn again<M, J>(function: &'static Function, make: M, judge: J) -> Worker<Again<M, J>> {
    Worker { name: Name::Function(function), body: Again { make, judge } }
}

/// A worker that blocks its thread and can be run again. Without bounds on purpose, as [`once`].
///
/// Not public API. Used by generated code.
pub fn blocking_again<M, J>(function: &'static Function, make: M, judge: J) -> Worker<BlockingAgain<M, J>> {
    Worker { name: Name::Function(function), body: BlockingAgain { make, judge } }
}

/// A worker that blocks its thread. Without bounds on purpose, as [`once`].
///
/// Not public API. Used by generated code.
pub fn blocking<F, J>(function: &'static Function, run: F, judge: J) -> Worker<Blocking<F, J>> {
    Worker { name: Name::Function(function), body: Blocking { run, judge } }
}
