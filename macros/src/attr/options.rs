//! The options of each attribute, with their values read.

use proc_macro2::Ident;
use syn::{Expr, Path};

use crate::attr::Setting;
use crate::attr::signal::Signal;
use crate::attr::value::{Budget, Time, Word};
use crate::errors::Errors;

/// An option that may have been given.
#[derive(Default)]
pub(crate) enum Maybe<T> {
    /// It was not, or it is a flag that is off.
    #[default]
    Absent,
    /// It was, with this key and with a value that was wrong and reported.
    Wrong(Ident),
    /// It was, with this key and this value.
    Set(Ident, T),
}

impl<T> Maybe<T> {
    fn new(key: Ident, value: Option<T>) -> Self {
        match value {
            Some(value) => Self::Set(key, value),
            None => Self::Wrong(key),
        }
    }

    /// The key, if it was given.
    pub(crate) fn key(&self) -> Option<&Ident> {
        match self {
            Self::Absent => None,
            Self::Wrong(key) | Self::Set(key, _) => Some(key),
        }
    }

    /// The value, if it was given and right.
    pub(crate) fn value(&self) -> Option<&T> {
        self.set().map(|(_, value)| value)
    }

    /// The key and the value, if it was given and right.
    pub(crate) fn set(&self) -> Option<(&Ident, &T)> {
        match self {
            Self::Absent | Self::Wrong(_) => None,
            Self::Set(key, value) => Some((key, value)),
        }
    }
}

impl Maybe<()> {
    fn flag(key: Ident, value: Option<bool>) -> Self {
        match value {
            Some(true) => Self::Set(key, ()),
            Some(false) => Self::Absent,
            None => Self::Wrong(key),
        }
    }
}

/// The options of `main` and `test`.
#[derive(Default)]
pub(crate) struct RuntimeOptions {
    pub(crate) stop_timeout: Maybe<Budget>,
    pub(crate) drain: Maybe<Time>,
    pub(crate) signals: Maybe<Vec<Signal>>,
    pub(crate) reraise: Maybe<()>,
    pub(crate) dump: Maybe<Signal>,
    pub(crate) flavor: Maybe<Word>,
    pub(crate) worker_threads: Maybe<Expr>,
    pub(crate) name: Maybe<Expr>,
    pub(crate) start_paused: Maybe<()>,
    pub(crate) krate: Maybe<Path>,
}

/// The options of `worker`.
#[derive(Default)]
pub(crate) struct WorkerOptions {
    pub(crate) name: Maybe<Expr>,
    pub(crate) on_failure: Maybe<Word>,
    pub(crate) max_restarts: Maybe<Expr>,
    pub(crate) backoff: Maybe<(Time, Time)>,
    pub(crate) essential: Maybe<()>,
    pub(crate) every: Maybe<Time>,
    pub(crate) stop_timeout: Maybe<Time>,
    pub(crate) stop: Maybe<Word>,
    pub(crate) when_stopping: Maybe<Word>,
    pub(crate) blocking: Maybe<()>,
    pub(crate) krate: Maybe<Path>,
}

impl RuntimeOptions {
    /// Input:  the settings of `main` or `test`
    /// Output: the values of those that are right
    pub(crate) fn read(settings: Vec<Setting>, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for setting in settings {
            let key = setting.key.clone();
            match key.to_string().as_str() {
                "stop_timeout" => options.stop_timeout = Maybe::new(key, setting.budget(errors)),
                "drain" => options.drain = Maybe::new(key, setting.time(errors)),
                "signals" => options.signals = Maybe::new(key, setting.signals(errors)),
                "reraise" => options.reraise = Maybe::flag(key, setting.flag(errors)),
                "dump" => options.dump = Maybe::new(key, setting.signal(errors)),
                "flavor" => {
                    let words = &["multi_thread", "current_thread"];
                    options.flavor = Maybe::new(key, setting.word(words, errors));
                }
                "worker_threads" => options.worker_threads = Maybe::new(key, setting.count(errors)),
                "name" => options.name = Maybe::new(key, setting.name(errors)),
                "start_paused" => options.start_paused = Maybe::flag(key, setting.flag(errors)),
                "crate" => options.krate = Maybe::new(key, setting.path(errors)),
                _ => {}
            }
        }
        options
    }
}

impl WorkerOptions {
    /// Input:  the settings of `worker`
    /// Output: the values of those that are right
    pub(crate) fn read(settings: Vec<Setting>, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for setting in settings {
            let key = setting.key.clone();
            match key.to_string().as_str() {
                "name" => options.name = Maybe::new(key, setting.name(errors)),
                "on_failure" => {
                    let words = &["stop", "log", "restart"];
                    options.on_failure = Maybe::new(key, setting.word(words, errors));
                }
                "max_restarts" => options.max_restarts = Maybe::new(key, setting.count(errors)),
                "backoff" => options.backoff = Maybe::new(key, setting.backoff(errors)),
                "essential" => options.essential = Maybe::flag(key, setting.flag(errors)),
                "every" => options.every = Maybe::new(key, setting.time(errors)),
                "stop_timeout" => options.stop_timeout = Maybe::new(key, setting.time(errors)),
                "stop" => {
                    let words = &["early", "late", "last"];
                    options.stop = Maybe::new(key, setting.word(words, errors));
                }
                "when_stopping" => {
                    options.when_stopping = Maybe::new(key, setting.word(&["refuse"], errors));
                }
                "blocking" => options.blocking = Maybe::flag(key, setting.flag(errors)),
                "crate" => options.krate = Maybe::new(key, setting.path(errors)),
                _ => {}
            }
        }
        options
    }

    /// Whether a failure starts the worker again.
    pub(crate) fn restarts(&self) -> bool {
        self.on_failure.value().is_some_and(|policy| policy.text == "restart")
    }
}
