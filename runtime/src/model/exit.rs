//! How a worker ended.

use std::any::Any;

/// How a worker's code ended, with the value it left.
#[derive(Debug)]
pub(crate) enum Exit<T> {
    /// It returned, and all was well.
    Returned(T),
    /// It returned an error.
    Failed(T),
    /// It panicked with this payload.
    Panicked(Box<dyn Any + Send>),
    Aborted,
    /// What it has started has failed, and that was its failure: this text.
    ChildFailed(Box<str>),
}

/// The same without a value: the index of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitKind {
    Returned = 0,
    Failed = 1,
    Panicked = 2,
    Aborted = 3,
}

/// How a worker's code ended, as its poll gives it: small where all was well.
#[derive(Debug)]
pub(crate) enum Judged<T> {
    Well(T),
    /// Anything else, and the text of an error that has not been handled yet.
    Otherwise(Box<(Exit<T>, Option<String>)>),
}

impl<T> Judged<T> {
    /// What a worker returned, judged by the text of its error.
    #[inline]
    pub(crate) fn of(result: T, error: Option<String>) -> Self {
        match error {
            None => Self::Well(result),
            Some(_) => Self::Otherwise(Box::new((Exit::Failed(result), error))),
        }
    }
}

impl<T> From<Exit<T>> for Judged<T> {
    fn from(exit: Exit<T>) -> Self {
        match exit {
            Exit::Returned(result) => Self::Well(result),
            exit => Self::Otherwise(Box::new((exit, None))),
        }
    }
}

impl ExitKind {
    /// The inverse of `as u8`, of the two lowest bits.
    #[inline]
    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Returned,
            1 => Self::Failed,
            2 => Self::Panicked,
            _ => Self::Aborted,
        }
    }
}

impl<T> Exit<T> {
    #[inline]
    pub(crate) fn kind(&self) -> ExitKind {
        match self {
            Self::Returned(_) => ExitKind::Returned,
            Self::Failed(_) | Self::ChildFailed(_) => ExitKind::Failed,
            Self::Panicked(_) => ExitKind::Panicked,
            Self::Aborted => ExitKind::Aborted,
        }
    }
}
