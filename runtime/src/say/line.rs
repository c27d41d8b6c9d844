//! A line: its text for people, its fields for machines, and where it goes.

use std::time::Duration;

use crate::model::failure::Subject;
use crate::model::label::Label;
use crate::model::state::{Cause, State};
use crate::model::text;
use crate::os::signal::Signal;

/// A line for the subscriber or for standard error.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) text: String,
    pub(crate) to: To,
    pub(crate) fields: Box<Fields>,
}

/// How much a line matters. `Debug` goes to a subscriber only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// How a line begins that systemd's journal keeps with this level: `sd-daemon(3)`.
    pub(crate) const fn in_journal(self) -> &'static str {
        match self {
            Self::Debug => "<7>",
            Self::Info => "<6>",
            Self::Warn => "<4>",
            Self::Error => "<3>",
        }
    }
}

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The subscriber, if one is set that takes lines of this crate; else standard error.
    Either,
    /// The same, also if the subscriber's filter leaves out its level: no other report survives a SIGKILL.
    InAnyCase,
    /// The subscriber only: people read the same in the report.
    Subscriber,
    /// Standard error, even if a subscriber is set.
    Stderr,
    /// The same without a prefix, for machines.
    #[cfg_attr(not(feature = "serde"), allow(dead_code))]
    Raw,
}

/// The fields a subscriber gets beside the text. A field that is not set is not recorded.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) worker: Option<String>,
    /// `src/main.rs:7`.
    pub(crate) location: Option<String>,
    pub(crate) hook: Option<String>,
    pub(crate) stage: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) signal: Option<&'static str>,
    pub(crate) elapsed_ms: Option<u64>,
    pub(crate) remaining_ms: Option<u64>,
    pub(crate) code: Option<u8>,
}

/// What each line on standard error begins with: `graceful: `, or `graceful[orders]: `.
pub(crate) fn prefix(service: Option<&str>) -> String {
    service.map_or_else(|| "graceful: ".to_owned(), |name| format!("graceful[{name}]: "))
}

impl Line {
    pub(crate) fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), to: To::Either, fields: Box::default() }
    }

    pub(crate) fn debug(text: impl Into<String>) -> Self {
        Self::new(Level::Debug, text)
    }

    pub(crate) fn info(text: impl Into<String>) -> Self {
        Self::new(Level::Info, text)
    }

    pub(crate) fn warn(text: impl Into<String>) -> Self {
        Self::new(Level::Warn, text)
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self::new(Level::Error, text)
    }

    pub(crate) fn report(text: String) -> Self {
        Self::error(text).to(To::Stderr)
    }

    /// What a signal asked for.
    pub(crate) fn dump(text: String) -> Self {
        Self::info(text).to(To::Stderr)
    }

    pub(crate) fn to(self, to: To) -> Self {
        Self { to, ..self }
    }

    pub(crate) fn of(self, worker: &Label) -> Self {
        let mut line = self.named(&worker.name);
        line.fields.location = Some(worker.location());
        line
    }

    pub(crate) fn named(mut self, worker: &str) -> Self {
        self.fields.worker = Some(text::name(worker));
        self
    }

    pub(crate) fn by(mut self, subject: &Subject) -> Self {
        match subject {
            Subject::Main => self.fields.worker = Some("main".to_owned()),
            Subject::Worker(name, location) => {
                self.fields.worker = Some(text::name(name));
                self.fields.location = Some(location.to_string());
            }
            Subject::Hook(stage, name) => {
                self.fields.hook = Some(text::name(name));
                self.fields.stage = Some(stage.to_string());
            }
        }
        self
    }

    pub(crate) fn signal(mut self, signal: Signal) -> Self {
        self.fields.signal = Some(signal.name());
        self
    }

    pub(crate) fn cause(mut self, cause: &Cause) -> Self {
        self.fields.cause = Some(cause.to_string());
        self
    }

    pub(crate) fn state(mut self, state: State) -> Self {
        self.fields.state = Some(state.to_string());
        self
    }

    /// How long it took, or has taken so far.
    pub(crate) fn after(mut self, elapsed: Duration) -> Self {
        self.fields.elapsed_ms = Some(text::millis(elapsed));
        self
    }

    /// What is left of the budget, if there is an end to it.
    pub(crate) fn before(mut self, remaining: Option<Duration>) -> Self {
        self.fields.remaining_ms = remaining.map(text::millis);
        self
    }

    pub(crate) fn code(mut self, code: u8) -> Self {
        self.fields.code = Some(code);
        self
    }
}
