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
    if let Some(error) = any.downcast_ref::<BoxError>() {
        return error.source();
    }
    if let Some(error) = any.downcast_ref::<Boxed>() {
        return error.source();
    }
    let find = KNOWN.lock().iter().find(|(id, _)| *id == TypeId::of::<E>()).map(|(_, find)| *find);
    find?(any)
}

/// A worker's body, asked for the source of its errors: `(&&&ErrorOf::once(..)).source()` is the method of the first of
/// the three traits that holds for the type of its result.
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

/// How the source of errors is found: a type without a value, so that a worker is no larger for it.
pub trait Source: Copy + Send + 'static {
    /// Has it found from now on.
    fn remember();
}

/// Its errors are `Error`s.
pub trait IsError {
    /// How the source of one is found.
    type Source: Source;

    /// A value of that.
    fn source(&self) -> Self::Source;
}

impl<T, E: Error + 'static> IsError for &&ErrorOf<Result<T, E>> {
    type Source = OfError<E>;

    #[inline]
    fn source(&self) -> OfError<E> {
        OfError(PhantomData)
    }
}

/// Its errors have `Error`s in them, as those of `anyhow` and `eyre`.
pub trait HasError {
    /// How the source of one is found.
    type Source: Source;

    /// A value of that.
    fn source(&self) -> Self::Source;
}

impl<T, E: AsRef<dyn Error + Send + Sync> + 'static> HasError for &ErrorOf<Result<T, E>> {
    type Source = OfErrorInside<E>;

    #[inline]
    fn source(&self) -> OfErrorInside<E> {
        OfErrorInside(PhantomData)
    }
}

/// Its errors have no source.
pub trait NoError {
    /// There is none to be found.
    fn source(&self) -> Nowhere;
}

impl<R> NoError for ErrorOf<R> {
    #[inline]
    fn source(&self) -> Nowhere {
        Nowhere
    }
}

/// See [`IsError`].
#[derive(Debug)]
pub struct OfError<E>(PhantomData<fn() -> E>);

impl<E> Copy for OfError<E> {}

impl<E> Clone for OfError<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Error + 'static> Source for OfError<E> {
    fn remember() {
        remember((TypeId::of::<E>(), |error| error.downcast_ref::<E>()?.source()));
    }
}

/// See [`HasError`].
#[derive(Debug)]
pub struct OfErrorInside<E>(PhantomData<fn() -> E>);

impl<E> Copy for OfErrorInside<E> {}

impl<E> Clone for OfErrorInside<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: AsRef<dyn Error + Send + Sync> + 'static> Source for OfErrorInside<E> {
    fn remember() {
        remember((TypeId::of::<E>(), |error| error.downcast_ref::<E>()?.as_ref().source()));
    }
}

/// See [`NoError`].
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Source for Nowhere {
    fn remember() {}
}
