//! What caused a worker's error.
//!
//! [`WorkerError`](crate::WorkerError) is an `Error` whenever its `E` can be shown: the errors of many workers, such as
//! `anyhow::Error`, `eyre::Report` and `String`, are none themselves. Whether an `E` has a source can be asked only
//! where it is a type and not a parameter: in the expansion of an attribute, which leaves the answer here.

use std::any::{Any, TypeId};
use std::error::Error;
use std::future::Future;
use std::marker::PhantomData;

use crate::model::box_error::BoxError;
use crate::os::lock::Lock;

/// A type of errors, and how its source is found.
type Known = (TypeId, fn(&dyn Any) -> Option<&(dyn Error + 'static)>);

/// The types of errors of the annotated functions that have failed.
static KNOWN: Lock<Vec<Known>> = Lock::new(Vec::new());

#[cold]
fn remember(known: Known) {
    let mut all = KNOWN.lock();
    if all.iter().all(|(id, _)| *id != known.0) {
        all.push(known);
    }
}

/// The source of a worker's error, if it has one and its type is known.
pub(crate) fn of<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    type Boxed = Box<dyn Error + Send + Sync>;
    let any: &dyn Any = error;
    let boxed = any.downcast_ref::<BoxError>().map(|error| &error.0);
    if let Some(error) = boxed.or_else(|| any.downcast_ref::<Boxed>()) {
        return error.source();
    }
    let find = KNOWN.lock().iter().find(|(id, _)| *id == TypeId::of::<E>()).map(|(_, find)| *find);
    find?(any)
}

/// The errors of a worker's body: `(&&&ErrorOf::once(..)).remember()` is the method of the first of the three traits that
/// holds for the type of its result. Without a value, so that a worker is no larger for it.
///
/// Not public API. Used by generated code.
#[derive(Debug)]
pub struct ErrorOf<R>(PhantomData<fn() -> R>);

impl<R> ErrorOf<R> {
    const NEW: Self = Self(PhantomData);

    /// The body is a future.
    #[inline]
    pub fn once<F: Future<Output = R>>(_: &F) -> Self {
        Self::NEW
    }

    /// The body makes futures.
    #[inline]
    pub fn again<M: FnMut() -> F, F: Future<Output = R>>(_: &M) -> Self {
        Self::NEW
    }

    /// The body blocks.
    #[inline]
    pub fn blocking<F: FnOnce() -> R>(_: &F) -> Self {
        Self::NEW
    }

    /// The body blocks, each time it runs.
    #[inline]
    pub fn blocking_again<F: FnMut() -> R>(_: &F) -> Self {
        Self::NEW
    }
}

/// Its errors are `Error`s.
pub trait IsError {
    /// Has the source of one found from now on.
    fn remember(&self);
}

impl<T, E: Error + 'static> IsError for &&ErrorOf<Result<T, E>> {
    fn remember(&self) {
        remember((TypeId::of::<E>(), |error| error.downcast_ref::<E>()?.source()));
    }
}

/// Its errors have `Error`s in them, as those of `anyhow` and `eyre`.
pub trait HasError {
    /// Has the source of one found from now on.
    fn remember(&self);
}

impl<T, E: AsRef<dyn Error + Send + Sync> + 'static> HasError for &ErrorOf<Result<T, E>> {
    fn remember(&self) {
        remember((TypeId::of::<E>(), |error| error.downcast_ref::<E>()?.as_ref().source()));
    }
}

/// Its errors have no source.
pub trait NoError {
    /// There is none to be found.
    fn remember(&self) {}
}

impl<R> NoError for ErrorOf<R> {}
