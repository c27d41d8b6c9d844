//! A worker before it runs: what calling an annotated function returns, and how it is started.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ambient::Caller;
use crate::handle::WorkerHandle;
use crate::lifecycle::Lifecycle;
use crate::message;
use crate::policy::{OnFailure, Policy};
use crate::rows::{Function, Label};
use crate::state::{Stage, State};
use crate::supervise::{self, Ran};
use crate::task::{self, Done, Judgement, Ticket, Tracked};
use crate::thread;

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

/// Where a worker's name comes from.
enum Name {
    /// The annotated function.
    Function(&'static Function),
    /// A name given at run time.
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
    pub fn new<F, Fut>(
        name: impl Into<Cow<'static, str>>,
        run: F,
    ) -> Worker<impl Body<Output = Fut::Output>>
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        Worker {
            name: Name::here(name.into()),
            body: Again {
                make: run,
                judge: judge::<Fut::Output>,
            },
        }
    }
}

impl<B> Worker<B> {
    /// The same worker under another name in reports: one function, several roles.
    ///
    /// Give roles (`"consume-eu"`), not identities (`"connection-48151"`).
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.label().name = name.into();
        self
    }

    /// When this one is told to stop: see [`Stage`]. It is nobody's child then.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.policy().stage = Some(stage);
        self
    }

    /// A budget of its own for this one, inside the big one: that long after it was told to stop it is aborted and
    /// named, and the exit code is 124.
    pub fn stop_timeout(mut self, budget: Duration) -> Self {
        self.policy().stop_timeout = Some(budget);
        self
    }

    fn policy(&mut self) -> &mut Policy {
        Arc::make_mut(
            self.label()
                .policy
                .get_or_insert_with(|| Arc::new(Policy::new())),
        )
    }

    fn label(&mut self) -> &mut Label {
        if let Name::Function(function) = self.name {
            let policy = Some(Arc::new(function.policy().clone()));
            self.name = Name::Given(Box::new(Label {
                policy,
                ..function.label().clone()
            }));
        }
        match &mut self.name {
            Name::Given(label) => label,
            Name::Function(_) => unreachable!("it was replaced"),
        }
    }
}

impl<B: Body> Worker<B> {
    /// What a failure of this one means.
    ///
    /// # Panics
    ///
    /// For [`OnFailure::Restart`], if the worker can be run once only: an annotated function runs again when its
    /// attribute says `on_failure = "restart"` or `every`, and so does a worker made by [`Worker::new`].
    #[track_caller]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        assert!(
            B::REPEATS || on_failure != OnFailure::Restart,
            "{}",
            message::NO_RESTART
        );
        self.policy().set_on_failure(on_failure);
        self
    }

    /// Runs the worker in the background: tracked, told to stop with its stage, and waited for at the stop.
    ///
    /// A worker spawned inside a worker is its child: stopping the parent stops the child. Dropping the
    /// handle detaches; the lifecycle still waits. While the lifecycle is stopping a new worker runs with its
    /// token already cancelled; once everybody was joined it is refused, and the handle says so.
    ///
    /// # Panics
    ///
    /// At the caller's line, where no lifecycle is: `main` lacks `#[graceful::main]`.
    #[inline]
    #[track_caller]
    pub fn spawn(self) -> WorkerHandle<B::Output> {
        let policy = self.name.policy();
        let spawner = match thread::spawner() {
            Some((life, false)) => Spawner {
                life,
                stage: policy.stage.unwrap_or_default(),
                parent: None,
            },
            _ => Spawner::find(policy),
        };
        let Spawner {
            life,
            stage,
            parent,
        } = spawner;
        let refused = policy.refuse && life.state() >= State::Stopping;
        let supervised = policy.is_supervised().then(|| policy.clone());
        let essential = policy.essential;
        let (row, name) = match self.name {
            Name::Function(function) => {
                let row = function.row();
                life.rows.get(row).started.fetch_add(1, Ordering::Relaxed);
                (row, function.label().name.clone())
            }
            Name::Given(label) => {
                let name = label.name.clone();
                (life.rows.start_named(*label), name)
            }
        };
        let ticket = if refused {
            None
        } else {
            Ticket::issue(Arc::clone(&life), row, stage, essential, parent)
        };
        let (Some(ticket), Some(runtime)) = (ticket, life.runtime()) else {
            life.rows.get(row).refuse();
            return WorkerHandle::new(life, name, stage, None);
        };
        let task = self.body.launch(Launch {
            ticket,
            runtime,
            supervised,
        });
        WorkerHandle::new(life, name, stage, Some(task))
    }
}

/// Where a worker is spawned.
struct Spawner {
    life: Arc<Lifecycle>,
    stage: Stage,
    /// The token of the worker that is spawning, which stops its children.
    parent: Option<CancellationToken>,
}

impl Spawner {
    /// Takes a second look: a thread that is none of the lifecycle's, or a worker that spawns a child. A worker
    /// with a stage of its own is nobody's child.
    #[cold]
    #[track_caller]
    fn find(policy: &Policy) -> Self {
        let caller = Caller::expect("spawning a worker");
        let parent = caller.worker().filter(|_| policy.stage.is_none());
        Self {
            stage: policy
                .stage
                .or(parent.map(|parent| parent.stage))
                .unwrap_or_default(),
            parent: parent.map(|parent| caller.own_token(parent)),
            life: caller.life,
        }
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
    #[track_caller]
    fn here(name: Cow<'static, str>) -> Self {
        Self::Given(Box::new(Label::at(name, Location::caller())))
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
        f.debug_struct("Worker")
            .field("name", name)
            .finish_non_exhaustive()
    }
}

/// Starts `future` as a worker called `name`: [`Worker::spawn`] for an async block.
///
/// # Panics
///
/// As [`Worker::spawn`].
#[track_caller]
pub fn spawn<F>(name: impl Into<Cow<'static, str>>, future: F) -> WorkerHandle<F::Output>
where
    F: Future<Output: Outcome> + Send + 'static,
{
    let name = Name::here(name.into());
    Worker {
        name,
        body: Once {
            future,
            judge: judge::<F::Output>,
        },
    }
    .spawn()
}

/// Starts a closure that blocks, as a worker called `name`, on tokio's pool of blocking threads.
///
/// It is waited for at the stop like any worker. It cannot be aborted: look at
/// [`is_stopping`](crate::is_stopping) between two pieces of work.
///
/// # Panics
///
/// As [`Worker::spawn`].
#[track_caller]
pub fn spawn_blocking<F, R>(name: impl Into<Cow<'static, str>>, run: F) -> WorkerHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Outcome,
{
    let name = Name::here(name.into());
    Worker {
        name,
        body: Blocking {
            run,
            judge: judge::<R>,
        },
    }
    .spawn()
}

/// What a worker may return: `()`, `Result<T, E>` with `E: Debug`, or nothing ever: a loop without end.
///
/// Sealed: nothing else can be one.
#[diagnostic::on_unimplemented(
    message = "a worker returns `()` or `Result<T, E>` with `E: Debug`, not `{Self}`",
    label = "this is not a worker's result"
)]
pub trait Outcome: Sealed + Send + 'static {
    /// What it gives when all went well.
    type Success: Send + 'static;
    /// What it gives when it failed.
    type Error: Send + 'static;

    /// The failure as text, if it is one.
    #[doc(hidden)]
    fn failure(&self) -> Option<String>;

    /// As a plain result.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Success, Self::Error>;
}

/// Keeps [`Outcome`] to the types below.
pub trait Sealed {}

impl Sealed for () {}

impl Sealed for Never {}

impl<T, E> Sealed for Result<T, E> {}

impl Outcome for () {
    type Success = ();
    type Error = Infallible;

    #[inline]
    fn failure(&self) -> Option<String> {
        None
    }

    fn into_result(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// `!`, which stable Rust lets one reach through the return type of a function pointer only.
type Never = <fn() -> ! as Returns>::Type;

/// A function pointer, seen as what it returns.
pub trait Returns {
    /// What it returns.
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// An endless loop is a worker too.
impl Outcome for Never {
    type Success = Infallible;
    type Error = Infallible;

    fn failure(&self) -> Option<String> {
        *self
    }

    fn into_result(self) -> Result<Infallible, Infallible> {
        self
    }
}

impl<T: Send + 'static, E: fmt::Debug + Send + 'static> Outcome for Result<T, E> {
    type Success = T;
    type Error = E;

    #[inline]
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }

    fn into_result(self) -> Self {
        self
    }
}

/// The failure in a worker's result, as text.
///
/// Not public API. Used by generated code, which puts the one bound on the result at the return type.
#[inline]
pub fn judge<R: Outcome>(result: &R) -> Option<String> {
    result.failure()
}

/// What a [`Worker`] holds. Implemented by this crate only: nobody else can launch one.
pub trait Body: Send + 'static {
    /// What the worker returns.
    type Output: Send + 'static;
    /// What `.await` polls.
    type Future: Future<Output = Self::Output> + Send + 'static;

    /// One run, right here.
    #[doc(hidden)]
    fn inline(self) -> Self::Future;

    /// Whether it can be run more than once.
    #[doc(hidden)]
    const REPEATS: bool = false;

    /// One tracked task in the background.
    #[doc(hidden)]
    fn launch(self, launch: Launch<'_>) -> JoinHandle<Done<Self::Output>>;
}

/// The right to run in the background, and where.
#[derive(Debug)]
pub struct Launch<'a> {
    ticket: Ticket,
    runtime: &'a Handle,
    /// The policy, where it takes more than polling one future to its end.
    supervised: Option<Policy>,
}

impl Launch<'_> {
    /// Spawns runs under the policy. `next` makes a run, or says that there is no other.
    fn supervise<Fut, J>(
        self,
        policy: Policy,
        next: impl FnMut() -> Option<Fut> + Send + 'static,
        judge: J,
    ) -> JoinHandle<Done<Fut::Output>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
        J: FnMut(&Fut::Output) -> Option<String> + Send + 'static,
    {
        let (life, row) = (Arc::clone(&self.ticket.life), self.ticket.row);
        let mut next = next;
        let runs = async move {
            let next = move || next().map(supervise::guarded);
            supervise::supervise(&life, row, &policy, next, judge).await
        };
        let ticket = self.ticket;
        self.runtime.spawn(async move {
            Tracked::new(runs, |ran: &Ran<_>| Judgement::Settled(ran.way), ticket)
                .await
                .flatten()
        })
    }
}

/// A body that is a future.
#[derive(Debug)]
pub struct Once<F, J> {
    future: F,
    judge: J,
}

impl<F, J> Body for Once<F, J>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    J: FnOnce(&F::Output) -> Option<String> + Send + 'static,
{
    type Output = F::Output;
    type Future = F;

    fn inline(self) -> F {
        self.future
    }

    #[inline]
    fn launch(self, mut launch: Launch<'_>) -> JoinHandle<Done<F::Output>> {
        let Self { future, judge } = self;
        let Some(policy) = launch.supervised.take() else {
            return launch.runtime.spawn(Tracked::new(
                future,
                |result: &_| Judgement::of(judge(result)),
                launch.ticket,
            ));
        };
        let (mut future, mut judge) = (Some(future), Some(judge));
        launch.supervise(
            policy,
            move || future.take(),
            move |result: &_| judge.take().and_then(|judge| judge(result)),
        )
    }
}

/// A body that makes a future for each run.
#[derive(Debug)]
pub struct Again<M, J> {
    make: M,
    judge: J,
}

impl<M, Fut, J> Body for Again<M, J>
where
    M: FnMut() -> Fut + Send + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Send + 'static,
    J: FnMut(&Fut::Output) -> Option<String> + Send + 'static,
{
    type Output = Fut::Output;
    type Future = Fut;

    const REPEATS: bool = true;

    fn inline(mut self) -> Fut {
        (self.make)()
    }

    fn launch(self, mut launch: Launch<'_>) -> JoinHandle<Done<Fut::Output>> {
        let Self {
            mut make,
            mut judge,
        } = self;
        match launch.supervised.take() {
            None => launch.runtime.spawn(Tracked::new(
                async move { make().await },
                move |result: &_| Judgement::of(judge(result)),
                launch.ticket,
            )),
            Some(policy) => launch.supervise(policy, move || Some(make()), judge),
        }
    }
}

/// A body that blocks its thread.
#[derive(Debug)]
pub struct Blocking<F, J> {
    run: F,
    judge: J,
}

impl<F, J, R> Body for Blocking<F, J>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
    J: FnOnce(&R) -> Option<String> + Send + 'static,
{
    type Output = R;
    type Future = Unsupervised<F, R>;

    fn inline(self) -> Unsupervised<F, R> {
        Unsupervised::NotStarted(Some(self.run))
    }

    fn launch(self, mut launch: Launch<'_>) -> JoinHandle<Done<R>> {
        let Self { run, judge } = self;
        let Some(policy) = launch.supervised.take() else {
            return launch.runtime.spawn_blocking(move || {
                task::run_blocking(launch.ticket, run, |result| Judgement::of(judge(result)))
            });
        };
        let (mut run, mut judge) = (Some(run), Some(judge));
        let next = move || run.take().map(task::blocking_run);
        launch.supervise(policy, next, move |result: &_| {
            judge.take().and_then(|judge| judge(result))
        })
    }
}

/// A body that blocks its thread in each run.
#[derive(Debug)]
pub struct BlockingAgain<M, J> {
    make: M,
    judge: J,
}

impl<M, R, J> Body for BlockingAgain<M, J>
where
    M: FnMut() -> R + Clone + Send + 'static,
    R: Send + 'static,
    J: FnMut(&R) -> Option<String> + Send + 'static,
{
    type Output = R;
    type Future = Unsupervised<M, R>;

    const REPEATS: bool = true;

    fn inline(self) -> Unsupervised<M, R> {
        Unsupervised::NotStarted(Some(self.make))
    }

    fn launch(self, mut launch: Launch<'_>) -> JoinHandle<Done<R>> {
        let Self { make, mut judge } = self;
        match launch.supervised.take() {
            None => launch.runtime.spawn_blocking(move || {
                task::run_blocking(launch.ticket, make, |result| Judgement::of(judge(result)))
            }),
            Some(policy) => launch.supervise(
                policy,
                move || Some(task::blocking_run(make.clone())),
                judge,
            ),
        }
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

/// A worker that is one future. Unbounded on purpose: what is wrong with the future or its result is said
/// once, where the attribute names its type.
///
/// Not public API. Used by generated code.
pub fn once<F, J>(function: &'static Function, future: F, judge: J) -> Worker<Once<F, J>> {
    Worker {
        name: Name::Function(function),
        body: Once { future, judge },
    }
}

/// A worker that can be run again. Unbounded on purpose, as [`once`].
///
/// Not public API. Used by generated code.
pub fn again<M, J>(function: &'static Function, make: M, judge: J) -> Worker<Again<M, J>> {
    Worker {
        name: Name::Function(function),
        body: Again { make, judge },
    }
}

/// A worker that blocks its thread and can be run again. Unbounded on purpose, as [`once`].
///
/// Not public API. Used by generated code.
pub fn blocking_again<M, J>(
    function: &'static Function,
    make: M,
    judge: J,
) -> Worker<BlockingAgain<M, J>> {
    Worker {
        name: Name::Function(function),
        body: BlockingAgain { make, judge },
    }
}

/// A worker that blocks its thread. Unbounded on purpose, as [`once`].
///
/// Not public API. Used by generated code.
pub fn blocking<F, J>(function: &'static Function, run: F, judge: J) -> Worker<Blocking<F, J>> {
    Worker {
        name: Name::Function(function),
        body: Blocking { run, judge },
    }
}
