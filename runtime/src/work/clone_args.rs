//! How an argument gets into each run of a worker that runs more than once. In an error, the names and bounds show
//! which option needs the copy.
//!
//! Not public API. Used by generated code.

/// What `on_failure = "restart"` requires of an argument.
#[diagnostic::on_unimplemented(
    message = "`on_failure = \"restart\"` runs the worker again with copies of its arguments, and `{Self}` is not `Clone`",
    label = "this argument cannot be copied for the next run",
    note = "derive `Clone` for it, or take an `Arc`; a receiver goes into an `Arc<tokio::sync::Mutex<_>>`"
)]
pub trait Restart {
    /// A copy for the next run.
    #[must_use]
    fn copy(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Restart for T {
    fn copy(&self) -> T {
        self.clone()
    }
}

/// What `every` requires of an argument.
#[diagnostic::on_unimplemented(
    message = "`every` runs the worker again with copies of its arguments, and `{Self}` is not `Clone`",
    label = "this argument cannot be copied for the next run",
    note = "derive `Clone` for it, or take an `Arc`; a receiver goes into an `Arc<tokio::sync::Mutex<_>>`"
)]
pub trait Every {
    /// A copy for the next run.
    #[must_use]
    fn copy(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Every for T {
    fn copy(&self) -> T {
        self.clone()
    }
}

/// A copy of a concrete argument, for a restart.
pub fn copy_for_restart<T: Restart>(argument: &T) -> T {
    argument.copy()
}

/// A copy of a concrete argument, for the next tick.
pub fn copy_for_every<T: Every>(argument: &T) -> T {
    argument.copy()
}

/// A copy of an argument whose type mentions a type parameter, for a restart.
pub fn clone_for_restart<T: Clone>(argument: &T) -> T {
    argument.clone()
}

/// A copy of an argument whose type mentions a type parameter, for the next tick.
pub fn clone_for_every<T: Clone>(argument: &T) -> T {
    argument.clone()
}
