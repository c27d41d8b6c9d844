//! The `tracing` subscriber, if one is set; none without that feature.

#[cfg(feature = "tracing")]
pub(crate) use real::{emit, is_set, may_be_set};

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{emit, is_set, may_be_set};

#[cfg(feature = "tracing")]
mod real {
    use tracing::dispatcher::get_default;
    use tracing::subscriber::NoSubscriber;

    use crate::say::line::{Level, Line, To};

    /// Whether this process has ever set one.
    pub(crate) fn may_be_set() -> bool {
        tracing::dispatcher::has_been_set()
    }

    pub(crate) fn is_set() -> bool {
        get_default(|dispatch| !dispatch.is::<NoSubscriber>())
    }

    macro_rules! event {
        ($level:ident, $line:expr) => {
            tracing::event!(
                target: "graceful",
                tracing::Level::$level,
                worker = $line.fields.worker,
                location = $line.fields.location,
                hook = $line.fields.hook,
                stage = $line.fields.stage,
                state = $line.fields.state,
                cause = $line.fields.cause,
                signal = $line.fields.signal,
                elapsed_ms = $line.fields.elapsed_ms,
                remaining_ms = $line.fields.remaining_ms,
                code = $line.fields.code,
                "{}",
                $line.text
            )
        };
    }

    /// Whether the subscriber takes lines of this crate of this level.
    fn takes(level: Level) -> bool {
        match level {
            Level::Debug => tracing::enabled!(target: "graceful", tracing::Level::DEBUG),
            Level::Info => tracing::enabled!(target: "graceful", tracing::Level::INFO),
            Level::Warn => tracing::enabled!(target: "graceful", tracing::Level::WARN),
            Level::Error => tracing::enabled!(target: "graceful", tracing::Level::ERROR),
        }
    }

    /// Hands the line to the `tracing` subscriber, which may leave out what its filter says; `false` if none is set, or if
    /// it takes no line of this crate at all: a filter that names other targets only, as `my_app=debug` does, takes not
    /// even errors.
    pub(crate) fn emit(line: &Line) -> bool {
        let least = if line.to == To::InAnyCase { line.level } else { Level::Error };
        let is_taken = is_set() && takes(least);
        if is_taken {
            match line.level {
                Level::Debug => event!(DEBUG, line),
                Level::Info => event!(INFO, line),
                Level::Warn => event!(WARN, line),
                Level::Error => event!(ERROR, line),
            }
        }
        is_taken
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    pub(crate) fn emit(_: &crate::say::line::Line) -> bool {
        false
    }

    pub(crate) fn is_set() -> bool {
        false
    }

    pub(crate) fn may_be_set() -> bool {
        false
    }
}
