//! The `tracing` span that a worker runs in, named after it. Where nobody listens, there is none.

#[cfg(feature = "tracing")]
mod real {
    use std::future::Future;

    use tracing::Instrument;

    use crate::task::Ticket;

    /// A span that somebody wants to hear of.
    pub(crate) struct Span(tracing::Span);

    impl Span {
        #[inline]
        pub(crate) fn of(ticket: &Ticket) -> Option<Self> {
            tracing::span_enabled!(target: "graceful", tracing::Level::INFO)
                .then(|| Self::new(ticket))
        }

        #[cold]
        fn new(ticket: &Ticket) -> Self {
            let name = ticket.life.who(ticket.row).name();
            Self(tracing::info_span!(target: "graceful", "worker", name))
        }

        pub(crate) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
            future.instrument(self.0)
        }

        pub(crate) fn within<T>(&self, code: impl FnOnce() -> T) -> T {
            self.0.in_scope(code)
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod real {
    use std::future::Future;

    use crate::task::Ticket;

    /// There is none.
    pub(crate) enum Span {}

    impl Span {
        #[inline]
        pub(crate) fn of(_: &Ticket) -> Option<Self> {
            None
        }

        pub(crate) fn around<F: Future>(self, _: F) -> std::future::Pending<F::Output> {
            match self {}
        }

        pub(crate) fn within<T>(&self, _: impl FnOnce() -> T) -> T {
            match *self {}
        }
    }
}

pub(crate) use real::Span;
