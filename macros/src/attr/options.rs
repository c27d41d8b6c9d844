//! The options of each attribute, with their values read.

use proc_macro2::Ident;
use syn::{Expr, Path};

use crate::attr::Setting;
use crate::attr::signal::Signal;
use crate::attr::value::{Budget, Time, Word};
use crate::errors::Errors;

/// An option that was given, and its key; the value is `None` when it was
/// wrong, so that nothing more is said about it.
pub(crate) struct Given<T> {
    /// The word before the `=`.
    pub(crate) key: Ident,
    /// What it was set to.
    pub(crate) value: Option<T>,
}

/// An option that may have been given.
pub(crate) type Maybe<T> = Option<Given<T>>;

/// The options of `main` and `test`.
#[derive(Default)]
pub(crate) struct RuntimeOptions {
    pub(crate) stop_timeout: Maybe<Budget>,
    pub(crate) drain: Maybe<Time>,
    pub(crate) signals: Maybe<Vec<Signal>>,
    pub(crate) reraise: Maybe<bool>,
    pub(crate) dump: Maybe<Signal>,
    pub(crate) flavor: Maybe<Word>,
    pub(crate) worker_threads: Maybe<Expr>,
    pub(crate) name: Maybe<Expr>,
    pub(crate) start_paused: Maybe<bool>,
    pub(crate) krate: Maybe<Path>,
}

/// The options of `worker`.
#[derive(Default)]
pub(crate) struct WorkerOptions {
    pub(crate) name: Maybe<Expr>,
    pub(crate) on_failure: Maybe<Word>,
    pub(crate) max_restarts: Maybe<Expr>,
    pub(crate) backoff: Maybe<(Time, Time)>,
    pub(crate) essential: Maybe<bool>,
    pub(crate) every: Maybe<Time>,
    pub(crate) stop_timeout: Maybe<Time>,
    pub(crate) stop: Maybe<Word>,
    pub(crate) when_stopping: Maybe<Word>,
    pub(crate) blocking: Maybe<bool>,
    pub(crate) krate: Maybe<Path>,
}

impl<T> Given<T> {
    /// The value, unless it was wrong.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

/// What an option was set to; a flag that is off counts as not given.
fn given<T>(key: Ident, value: Option<T>) -> Maybe<T> {
    Some(Given { key, value })
}

fn given_flag(key: Ident, value: Option<bool>) -> Maybe<bool> {
    given(key, value).filter(|flag| flag.value != Some(false))
}

impl RuntimeOptions {
    /// Input:  the settings of `main` or `test`
    /// Output: the values of those that are right
    pub(crate) fn read(settings: Vec<Setting>, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for setting in settings {
            let key = setting.key.clone();
            match key.to_string().as_str() {
                "stop_timeout" => options.stop_timeout = given(key, setting.budget(errors)),
                "drain" => options.drain = given(key, setting.time(errors)),
                "signals" => options.signals = given(key, setting.signals(errors)),
                "reraise" => options.reraise = given_flag(key, setting.flag(errors)),
                "dump" => options.dump = given(key, setting.signal(errors)),
                "flavor" => {
                    let words = &["multi_thread", "current_thread"];
                    options.flavor = given(key, setting.word(words, errors));
                }
                "worker_threads" => options.worker_threads = given(key, setting.count(errors)),
                "name" => options.name = given(key, setting.name(errors)),
                "start_paused" => options.start_paused = given_flag(key, setting.flag(errors)),
                "crate" => options.krate = given(key, setting.path(errors)),
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
                "name" => options.name = given(key, setting.name(errors)),
                "on_failure" => {
                    let words = &["stop", "log", "restart"];
                    options.on_failure = given(key, setting.word(words, errors));
                }
                "max_restarts" => options.max_restarts = given(key, setting.count(errors)),
                "backoff" => options.backoff = given(key, setting.backoff(errors)),
                "essential" => options.essential = given_flag(key, setting.flag(errors)),
                "every" => options.every = given(key, setting.time(errors)),
                "stop_timeout" => options.stop_timeout = given(key, setting.time(errors)),
                "stop" => {
                    let words = &["early", "late", "last"];
                    options.stop = given(key, setting.word(words, errors));
                }
                "when_stopping" => {
                    options.when_stopping = given(key, setting.word(&["refuse"], errors));
                }
                "blocking" => options.blocking = given_flag(key, setting.flag(errors)),
                "crate" => options.krate = given(key, setting.path(errors)),
                _ => {}
            }
        }
        options
    }

    /// Whether a failure starts the worker again.
    pub(crate) fn restarts(&self) -> bool {
        self.on_failure
            .as_ref()
            .and_then(Given::get)
            .is_some_and(|word| word.text == "restart")
    }
}
