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
pub(crate) type Known = (TypeId, fn(&dyn Any) -> Option<&(dyn Error + 'static)>);

/// The types of errors of the annotated functions that have run.
static KNOWN: Lock<Vec<Known>> = Lock::new(Vec::new());

/// Remembers how a source is found.
pub(crate) fn remember(known: Known) {
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

/// A worker's result, asked for the source of its errors: `(&&&ErrorOf::future(..)).source()` is the method of the first
/// of the three traits that holds for it.
///
/// Not public API. Used by generated code.
#[derive(Debug)]
pub struct ErrorOf<R>(PhantomData<fn() -> R>);

impl<R> ErrorOf<R> {
    /// The result of a call that is never made.
    pub fn value(_: impl FnOnce() -> R) -> Self {
        Self(PhantomData)
    }

    /// The result of a future that is never made.
    pub fn future<F: Future<Output = R>>(_: impl FnOnce() -> F) -> Self {
        Self(PhantomData)
    }
}

/// An argument for a call that is never made.
///
/// Not public API. Used by generated code.
pub fn any<T>() -> T {
    unreachable!("the call is never made")
}

/// Its errors are `Error`s.
pub trait IsError {
    /// How the source of one is found.
    fn source(&self) -> Option<Known>;
}

impl<T, E: Error + 'static> IsError for &&ErrorOf<Result<T, E>> {
    fn source(&self) -> Option<Known> {
        Some((TypeId::of::<E>(), |error| error.downcast_ref::<E>()?.source()))
    }
}

/// Its errors have `Error`s in them, as those of `anyhow` and `eyre`.
pub trait HasError {
    /// How the source of one is found.
    fn source(&self) -> Option<Known>;
}

impl<T, E: AsRef<dyn Error + Send + Sync> + 'static> HasError for &ErrorOf<Result<T, E>> {
    fn source(&self) -> Option<Known> {
        Some((TypeId::of::<E>(), |error| error.downcast_ref::<E>()?.as_ref().source()))
    }
}

/// Its errors have no source.
pub trait NoError {
    /// There is none to be found.
    fn source(&self) -> Option<Known>;
}

impl<R> NoError for ErrorOf<R> {
    fn source(&self) -> Option<Known> {
        None
    }
}
