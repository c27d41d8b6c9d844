//! A worker's own code, and what is left of the worker after it.

use std::pin::Pin;

use pin_project_lite::pin_project;

use crate::work::completion::Completion;
use crate::work::linger::Linger;

pin_project! {
    /// How far the worker's own code has come.
    #[project = CodeProjection]
    pub(crate) enum Code<F, R> {
        Running { #[pin] future: F },
        /// It has ended. What it has started has not.
        Lingering { rest: Box<Lingering<R>> },
        Gone,
    }
}

/// What is left of a worker whose own code has ended.
pub(crate) struct Lingering<R> {
    pub(crate) wait: Linger,
    pub(crate) completion: Option<Completion<R>>,
}

impl<F, R> Code<F, R> {
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    #[inline]
    pub(crate) fn future(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        match self.project() {
            CodeProjection::Running { future } => Some(future),
            CodeProjection::Lingering { .. } | CodeProjection::Gone => None,
        }
    }
}

/// Any worker's own code, for what few workers need: that is compiled once for each type of result, not for each worker.
pub(crate) trait AnyCode<R> {
    /// It has ended: drops it. What it has started may have to be waited for.
    fn end(self: Pin<&mut Self>, rest: Option<Box<Lingering<R>>>);

    /// What is left of the worker, if its code has ended and what it has started has not.
    fn rest(self: Pin<&mut Self>) -> Option<&mut Lingering<R>>;
}

impl<F, R> AnyCode<R> for Code<F, R> {
    fn end(mut self: Pin<&mut Self>, rest: Option<Box<Lingering<R>>>) {
        self.set(rest.map_or(Self::Gone, |rest| Self::Lingering { rest }));
    }

    fn rest(self: Pin<&mut Self>) -> Option<&mut Lingering<R>> {
        match self.project() {
            CodeProjection::Lingering { rest } => Some(rest),
            CodeProjection::Running { .. } | CodeProjection::Gone => None,
        }
    }
}
