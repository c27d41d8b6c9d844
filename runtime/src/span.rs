//! The `tracing` span that a worker runs in, named after it. Where nobody listens, there is none.

use std::future::Future;

use crate::ticket::Ticket;

/// A worker's span, if somebody wants to hear of it.
pub(crate) struct Span(real::Span);

impl Span {
    /// Whether somebody might want to hear of one.
    #[inline]
    pub(crate) fn is_wanted() -> bool {
        real::is_wanted()
    }

    pub(crate) fn of(ticket: &Ticket) -> Self {
        let name = || ticket.life.who(ticket.row).name();
        Self(real::new(name))
    }

    pub(crate) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        real::around(self.0, future)
    }

    pub(crate) fn within<T>(&self, code: impl FnOnce() -> T) -> T {
        real::within(&self.0, code)
    }
}

#[cfg(feature = "tracing")]
mod real {
    use std::future::Future;

    use tracing::Instrument;
    pub(super) use tracing::Span;

    #[inline]
    pub(super) fn is_wanted() -> bool {
        tracing::span_enabled!(target: "graceful", tracing::Level::INFO)
    }

    pub(super) fn new(name: impl FnOnce() -> String) -> Span {
        if is_wanted() {
            tracing::info_span!(target: "graceful", "worker", name = name())
        } else {
            Span::none()
        }
    }

    pub(super) fn around<F: Future>(span: Span, future: F) -> impl Future<Output = F::Output> {
        future.instrument(span)
    }

    pub(super) fn within<T>(span: &Span, code: impl FnOnce() -> T) -> T {
        span.in_scope(code)
    }
}

#[cfg(not(feature = "tracing"))]
mod real {
    use std::future::Future;

    pub(super) type Span = ();

    #[inline]
    pub(super) fn is_wanted() -> bool {
        false
    }

    pub(super) fn new(_: impl FnOnce() -> String) -> Span {}

    pub(super) fn around<F: Future>((): Span, future: F) -> F {
        future
    }

    pub(super) fn within<T>((): &Span, code: impl FnOnce() -> T) -> T {
        code()
    }
}
