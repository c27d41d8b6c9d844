//! What a worker may return.

use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::model::text;

/// What a worker may return: `()`, `Result<T, E>` with `E: Debug`, or never: a loop without end.
///
/// Sealed: no other type can implement it.
#[diagnostic::on_unimplemented(
    message = "a worker or a hook returns `()` or `Result<T, E>` with `E: Debug`, not `{Self}`",
    label = "this is not the result of a worker or a hook"
)]
pub trait Outcome: Verdict + Send + 'static {
    /// The value of a success.
    type Success: Send + 'static;
    /// The error of a failure.
    type Error: Send + 'static;

    /// As a plain result.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Success, Self::Error>;
}

/// Whether a result is a failure; limits [`Outcome`] to the types below. It does not ask for `Send`, so that a result
/// which is not is reported once, where the result goes to another thread.
#[diagnostic::on_unimplemented(
    message = "a worker returns `()` or `Result<T, E>` with `E: Debug`, not `{Self}`",
    label = "this is not a worker's result"
)]
pub trait Verdict {
    /// The failure as text, if it is one.
    #[doc(hidden)]
    fn failure(&self) -> Option<String>;
}

impl Verdict for () {
    #[inline]
    fn failure(&self) -> Option<String> {
        None
    }
}

#[diagnostic::do_not_recommend] // its name would be printed as it is spelt here
impl Verdict for Never {
    fn failure(&self) -> Option<String> {
        *self
    }
}

impl<T, E: fmt::Debug> Verdict for Result<T, E> {
    #[inline]
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(text_of)
    }
}

/// A result that goes to the thread where its handle is awaited.
#[diagnostic::on_unimplemented(
    message = "a worker's result goes to another thread, and `{Self}` is not `Send`",
    label = "the result of this worker is not `Send`",
    note = "the usual error in a box that is: `Box<dyn Error + Send + Sync>`"
)]
pub trait Returned: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Returned for T {}

impl Outcome for () {
    type Success = ();
    type Error = Infallible;

    #[inline]
    fn into_result(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// `!`, which stable Rust reaches only through the return type of a function pointer.
type Never = <fn() -> ! as Returns>::Type;

/// A function pointer, for its return type.
pub trait Returns {
    /// What it returns.
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// An endless loop is a worker too.
#[diagnostic::do_not_recommend]
impl Outcome for Never {
    type Success = Infallible;
    type Error = Infallible;

    fn into_result(self) -> Result<Infallible, Infallible> {
        self
    }
}

impl<T: Returned, E: fmt::Debug + Returned> Outcome for Result<T, E> {
    type Success = T;
    type Error = E;

    #[inline]
    fn into_result(self) -> Self {
        self
    }
}

/// An error's text. Its `Debug` is the user's code, which may panic.
#[cold]
fn text_of(error: &impl fmt::Debug) -> String {
    let text = catch_unwind(AssertUnwindSafe(|| format!("{error:?}")));
    text.unwrap_or_else(|payload| {
        let why = text::error_panicked(payload.as_ref());
        discard(payload);
        why
    })
}

/// Drops a user's value. Returns `false` if its destructor panicked.
pub(crate) fn discard<T>(value: T) -> bool {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    // The payload's own destructor may panic too.
    dropped.map_err(std::mem::forget).is_ok()
}

/// The failure in a worker's result, as text. `remember` notes how the sources of such errors are found.
///
/// Not public API. Used by generated code, which puts the one bound on the result at the return type.
#[inline]
pub fn judge(result: &impl Verdict, remember: impl Fn()) -> Option<String> {
    result.failure().inspect(|_| remember())
}
