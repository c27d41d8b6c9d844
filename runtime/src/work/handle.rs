//! The handle of a running worker.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use crate::life::function::Function;
use crate::life::local::Local;
use crate::model::box_error::BoxError;
use crate::model::error_source;
use crate::model::exit::Exit;
use crate::model::outcome::Outcome;
use crate::model::state::Stage;
use crate::model::still_running::{Cycle, Wait};
use crate::model::text;
use crate::os::lock::Lock;
use crate::say::lines;
use crate::work::completion::Completion;
use crate::work::current;
use crate::work::parking;

/// A running worker whose function returns `R`. A future of its result.
///
/// Awaiting it gives `Result<T, WorkerError<E>>` for a worker that returns `Result<T, E>`, and
/// `Result<(), WorkerError<Infallible>>` for one that returns `()`. The handle only observes: what the
/// worker's failure means for the process is up to its policy. Dropping it detaches; the lifecycle still waits
/// for the worker.
///
/// A worker's life includes what it has started: the handle resolves when the worker, the workers that it spawned, and
/// those that they spawned have ended. See [parts of a program](crate::parts_of_a_program).
///
/// # Cancel safety
///
/// Awaiting `&mut handle` is cancel safe.
///
/// # Panics
///
/// If it is polled after it gave its result, like tokio's `JoinHandle`.
pub struct WorkerHandle<R> {
    local: Arc<Local>,
    name: Called,
    stage: Stage,
    /// Its task is its code, on a thread of its own.
    blocks: bool,
    /// The warning about a wait that cannot end was written.
    warned: bool,
    /// Whether it has stopped or aborted the worker.
    told: AtomicBool,
    /// `None` for a worker that was refused.
    task: Option<JoinHandle<Completion<R>>>,
}

/// What a worker is called, in two words of memory.
pub(crate) enum Called {
    /// As its function.
    Function(&'static Function),
    /// A name given at run time.
    Given(Box<Cow<'static, str>>),
}

impl Called {
    fn as_str(&self) -> &str {
        match self {
            Self::Function(function) => &function.label().name,
            Self::Given(name) => name,
        }
    }
}

impl<R> WorkerHandle<R> {
    #[inline]
    pub(crate) fn new(
        local: Arc<Local>,
        name: Called,
        stage: Stage,
        blocks: bool,
        task: Option<JoinHandle<Completion<R>>>,
    ) -> Self {
        Self { local, name, stage, blocks, warned: false, told: AtomicBool::new(false), task }
    }

    /// The worker's name, as reports show it.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Tells this worker and the workers below it to stop, and no others. Returns at once.
    ///
    /// Their [`stopping`](crate::stopping) resolves, their [`token`](crate::token) is cancelled; when they end is up to
    /// them. It reaches the workers below also when this worker's own code has returned.
    pub fn stop(&self) {
        if let Some(task) = &self.task {
            self.told.store(true, Ordering::Relaxed);
            parking::stop_worker(&self.local.life, task.abort_handle());
        }
    }

    /// Drops the future of this worker, and of the workers below it, each at its next await. Returns at once.
    ///
    /// The handle resolves when all of them are gone. Code of a blocking worker that has begun cannot be aborted: it goes
    /// on and is waited for, and no other run of it begins.
    pub fn abort(&self) {
        if let Some(task) = &self.task {
            self.told.store(true, Ordering::Relaxed);
            if self.blocks {
                // If it has not begun, it never will.
                task.abort();
            }
            parking::abort_worker(&self.local.life, task.abort_handle(), self.blocks);
        }
    }

    /// There is no result yet.
    #[cold]
    fn wait(&mut self) {
        self.warn_of_a_cycle();
        if self.local.life.diagnostics.waits.is_asked() {
            self.note_waiter();
        }
    }

    /// The handle gives out the worker's failure.
    #[cold]
    fn observe<E>(&self, error: WorkerError<E>) -> WorkerError<E> {
        self.task.iter().for_each(|task| self.local.life.diagnostics.failures.observe(task.id()));
        error
    }

    /// Notes which worker waits here, if the report asks for that.
    fn note_waiter(&self) {
        let Some(waiting) = current::current() else {
            return;
        };
        self.local.life.diagnostics.waits.note(Wait {
            waiter: self.local.life.registry.get(waiting.entry).subject().name(),
            awaited: text::name(self.name()),
            is_later: self.stage.follows(waiting.stage()),
        });
    }

    /// Warns, once, of a wait that cannot end: for the worker itself or one above it, or, after the caller was told to
    /// stop, for a worker of a later stage, which is told to stop only when the caller has ended.
    #[cold]
    fn warn_of_a_cycle(&mut self) {
        let Some(task) = self.task.as_ref().filter(|_| !self.warned) else {
            return;
        };
        let waits_for_itself = tokio::task::try_id() == Some(task.id());
        let waits_for_one_above = || current::is_below(task.id());
        let waits_for_a_later_stage = || {
            let waiting = current::current().map_or(Stage::Main, |current| current.stage());
            let is_told = |stage| self.local.life.phase.is_cancelled(stage);
            // One that this handle has stopped may be about to end: it may have no slot any more.
            let is_told_alone = || self.told.load(Ordering::Relaxed) || self.local.life.slots.is_singled_out(task.id());
            self.stage.follows(waiting) && is_told(waiting) && !is_told(self.stage) && !is_told_alone()
        };
        let cycle = if waits_for_itself {
            Cycle::Itself
        } else if waits_for_one_above() {
            Cycle::Above
        } else if waits_for_a_later_stage() {
            Cycle::LaterStage
        } else {
            return;
        };
        self.warned = true;
        self.local.life.writer.say(lines::waits_in_a_cycle(self.name(), cycle));
    }

    /// Whether the worker, and what it has started, has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<R: Outcome> WorkerHandle<R> {
    /// What it gives where not all was well.
    #[cold]
    fn otherwise(&self, exit: Exit<R>) -> Result<R::Success, WorkerError<R::Error>> {
        let error = match exit {
            Exit::Returned(result) | Exit::Failed(result) => match result.into_result() {
                Ok(success) => return Ok(success),
                Err(error) => WorkerError::Failed(error),
            },
            Exit::Panicked(payload) => WorkerError::Panicked(Panic::new(payload)),
            Exit::ChildFailed(text) => WorkerError::ChildFailed(text.into()),
            Exit::Aborted => WorkerError::Aborted,
        };
        Err(self.observe(error))
    }
}

impl<R: Outcome> Future for WorkerHandle<R> {
    type Output = Result<R::Success, WorkerError<R::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(Err(WorkerError::Refused));
        };
        let Poll::Ready(joined) = Pin::new(task).poll(context) else {
            self.wait();
            return Poll::Pending;
        };
        let exit = match joined.map(Completion::take) {
            Ok(Ok(result)) => match result.into_result() {
                Ok(success) => return Poll::Ready(Ok(success)),
                Err(error) => return Poll::Ready(Err(self.observe(WorkerError::Failed(error)))),
            },
            Ok(Err(exit)) => exit,
            // Its task was dropped, with its runtime.
            Err(error) => error.try_into_panic().map_or(Exit::Aborted, Exit::Panicked),
        };
        Poll::Ready(self.otherwise(exit))
    }
}

impl<R> fmt::Debug for WorkerHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_finished = self.is_finished();
        f.debug_struct("WorkerHandle")
            .field("name", &self.name())
            .field("is_finished", &is_finished)
            .finish_non_exhaustive()
    }
}

/// Why a worker gave no result.
///
/// # As an error
///
/// It is an [`Error`](std::error::Error) whenever the worker's own error can be shown, `anyhow::Error`, `eyre::Report` and
/// `String` included. So `handle.await?` works in functions that return `Box<dyn Error>`, `anyhow::Result` or
/// `eyre::Result`, and with the feature `miette` in those that return `miette::Result`.
///
/// It reads like the worker's own error. For annotated functions it has that one's source as well. For [`spawn`],
/// [`spawn_blocking`] and [`Worker::new`] the source may be `None`: these are generic, and there Rust cannot ask whether an error
/// that is only `Debug` has a source. [`boxed`](WorkerError::boxed) can, and keeps the source of any worker's error:
///
/// ```
/// # use std::error::Error;
/// # #[graceful::main] async fn main() -> Result<(), Box<dyn Error>> {
/// let port = graceful::spawn("read the port", async { "8080".parse::<u16>() });
/// let port = port.await.map_err(graceful::WorkerError::boxed)?;
/// # assert_eq!(port, 8080);
/// # Ok(())
/// # }
/// ```
///
/// [`spawn`]: crate::spawn()
/// [`spawn_blocking`]: crate::spawn_blocking
/// [`Worker::new`]: crate::Worker::new
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkerError<E> {
    /// It returned this error.
    Failed(E),
    /// It panicked.
    Panicked(Panic),
    /// A worker that it had started failed, with `on_failure = "parent"`: the text says which, and how.
    ChildFailed(String),
    /// It was aborted: through its handle, with a worker above it, or because its own time or the stop's ran out.
    Aborted,
    /// It never ran: when it was spawned its stage had ended, or its policy refused a start in the stop.
    Refused,
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> WorkerError<E> {
    /// The same with the worker's own error in a box, whatever type it has: for one list of errors of many workers, where the
    /// source of the error has to be kept (see [above](WorkerError#as-an-error)), and for an error that is only
    /// `Into<Box<dyn Error + Send + Sync>>`.
    pub fn boxed(self) -> WorkerError<BoxError> {
        match self {
            Self::Failed(error) => WorkerError::Failed(BoxError(error.into())),
            Self::Panicked(panic) => WorkerError::Panicked(panic),
            Self::ChildFailed(text) => WorkerError::ChildFailed(text),
            Self::Aborted => WorkerError::Aborted,
            Self::Refused => WorkerError::Refused,
        }
    }
}

impl<E> WorkerError<E> {
    /// What can be said without the worker's own error.
    fn to_text(&self) -> String {
        match self {
            Self::Failed(_) => "the worker failed".to_owned(),
            Self::Panicked(panic) => format!("the worker panicked: {}", panic.message()),
            Self::ChildFailed(text) => text.clone(),
            Self::Aborted => "the worker was aborted".to_owned(),
            Self::Refused => "the worker was refused: the lifecycle is over".to_owned(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for WorkerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            other => f.write_str(&other.to_text()),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> std::error::Error for WorkerError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => error_source::of(error),
            _ => None,
        }
    }
}

/// What a worker panicked with.
pub struct Panic(Box<Panicked>);

struct Panicked {
    message: String,
    // The payload need not be `Sync`; behind a lock the error is.
    payload: Lock<Box<dyn Any + Send>>,
}

impl Panic {
    #[cold]
    fn new(payload: Box<dyn Any + Send>) -> Self {
        Self(Box::new(Panicked { message: text::of_panic(payload.as_ref()).to_owned(), payload: Lock::new(payload) }))
    }

    /// The text given to `panic!`, or a stand-in where the payload is not text.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The payload, for [`resume_unwind`](std::panic::resume_unwind).
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0.payload.into_inner()
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}
