//! The `tracing` span that a worker runs in, named after it. Without a subscriber there is none.

#[cfg(feature = "tracing")]
mod real {
    use std::future::Future;

    use tracing::Instrument;

    use crate::work::registration::Registration;

    /// A worker's span; a disabled one where no subscriber wants it.
    pub(crate) struct Span(tracing::Span);

    impl Span {
        /// Whether a subscriber may want one.
        #[inline]
        pub(crate) fn is_wanted() -> bool {
            tracing::span_enabled!(target: "graceful", tracing::Level::INFO)
        }

        pub(crate) fn of(registration: &Registration) -> Self {
            if !Self::is_wanted() {
                return Self(tracing::Span::none());
            }
            let name = registration.subject().name();
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
    use crate::work::registration::Registration;

    /// There is none.
    pub(crate) struct Span;

    #[allow(clippy::unused_self)] // as if there were one
    impl Span {
        #[inline]
        pub(crate) fn is_wanted() -> bool {
            false
        }

        pub(crate) fn of(_: &Registration) -> Self {
            Self
        }

        pub(crate) fn around<F>(self, future: F) -> F {
            future
        }

        pub(crate) fn within<T>(&self, code: impl FnOnce() -> T) -> T {
            code()
        }
    }
}

pub(crate) use real::Span;
