//! The options of each attribute: one row for each option.
//!
//! To add an option, add a row here, a row to the documentation in `lib.rs` and
//! the method that the row names: of the runtime's `run/builder.rs` for `main`
//! and `test`; of `life/function.rs`, with a field in `model/policy.rs`, for
//! `worker`.
//! A new kind of value needs a variant of `Kind`, an arm in `attr::value::read`
//! and one in `expand::chain::arguments`. An option that contradicts another
//! one needs a rule in `valid::conflict`.

use syn::{Error, Expr};

use self::Kind::{Count, Duration, Flag, Limit, OneOrMoreSignals, Path, Range, Rate, Signals, Text};

/// One of the three attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// `#[graceful::main]`
    Main,
    /// `#[graceful::worker]`
    Worker,
    /// `#[graceful::test]`
    Test,
}

/// An option of an attribute.
pub(crate) struct Spec {
    /// The word before the `=`.
    pub(crate) key: &'static str,
    /// A valid value, for messages.
    example: &'static str,
    /// The values that it accepts.
    pub(crate) kind: Kind,
    /// The method that the expansion calls with the value: of `Builder` for
    /// `main` and `test`, of `Function` for `worker`. `None` if the value is
    /// used in another way.
    pub(crate) method: Option<&'static str>,
}

/// The values that an option accepts.
pub(crate) enum Kind {
    /// `true` or `false`; the key alone is `true`.
    Flag,
    /// A flag whose method takes this item of `graceful::__private`, which
    /// exists only with the feature that the option needs.
    FlagWith(&'static str),
    /// Text such as `"5s"`, or an expression of type `Duration`.
    Duration,
    /// A duration, or `"none"`, for which the method `without_..` is called.
    Limit,
    /// Two durations: `"100ms..10s"`, or `MIN..MAX`.
    Range,
    /// A whole number above zero, or an expression that makes one.
    Count,
    /// A count for each minute, or a count and a duration: `"3 in 10m"`.
    Rate,
    /// Text that is not empty, or an expression that makes it.
    Text,
    /// One of these words; the method takes no argument.
    Word(&'static [&'static str]),
    /// One of these words; the method takes the variant of this name of an
    /// enum of `graceful`.
    Variant(&'static str, &'static [&'static str]),
    /// The name of a signal, or a list of such names.
    OneOrMoreSignals,
    /// A list of the names of signals.
    Signals,
    /// A path, bare or as text.
    Path,
}

const FLAVOR: Kind = Kind::Word(&["multi_thread", "current_thread"]);
const PAUSED: Kind = Kind::FlagWith("PausedClock");
const FAILURE: Kind = Kind::Variant("OnFailure", &["stop", "log", "restart", "parent"]);
const TIMEOUT: Kind = Kind::Variant("OnTimeout", &["fail", "log"]);
const STAGE: Kind = Kind::Variant("Stage", &["early", "late", "last"]);
const WHEN: Kind = Kind::Word(&["refuse"]);

const MAIN: &[Spec] = &[
    call("stop_timeout", "\"25s\"", Limit, "stop_timeout"),
    call("drain", "\"5s\"", Duration, "drain"),
    call("signals", "[\"SIGTERM\", \"SIGINT\"]", Signals, "signals"),
    call("reraise", "true", Flag, "reraise"),
    call("reap", "true", Flag, "reap"),
    call("dump", "\"SIGUSR1\"", OneOrMoreSignals, "dump"),
    call("upgrade", "\"SIGUSR2\"", OneOrMoreSignals, "upgrade"),
    call("upgrade_timeout", "\"60s\"", Duration, "upgrade_timeout"),
    call("pid_file", "\"/run/api.pid\"", Text, "pid_file"),
    call("extend_start", "\"10m\"", Duration, "extend_start"),
    other("flavor", "\"current_thread\"", FLAVOR),
    call("worker_threads", "4", Count, "worker_threads"),
    call("name", "\"api\"", Text, "name"),
    other("crate", "my_crate::graceful", Path),
];

const WORKER: &[Spec] = &[
    other("name", "\"consume\"", Text),
    call("on_failure", "\"restart\"", FAILURE, "on_failure"),
    call("max_restarts", "5", Rate, "max_restarts"),
    call("backoff", "\"100ms..10s\"", Range, "backoff"),
    call("essential", "true", Flag, "essential"),
    call("every", "\"60s\"", Duration, "every"),
    call("initial_delay", "\"60s\"", Duration, "initial_delay"),
    call("stop_timeout", "\"5s\"", Duration, "stop_timeout"),
    call("on_timeout", "\"log\"", TIMEOUT, "on_timeout"),
    call("stop", "\"early\"", STAGE, "stage"),
    call("when_stopping", "\"refuse\"", WHEN, "refuse_when_stopping"),
    other("blocking", "true", Flag),
    other("crate", "my_crate::graceful", Path),
];

const TEST: &[Spec] = &[
    call("stop_timeout", "\"5s\"", Limit, "stop_timeout"),
    call("start_paused", "true", PAUSED, "start_paused"),
    other("flavor", "\"multi_thread\"", FLAVOR),
    call("worker_threads", "2", Count, "worker_threads"),
    other("crate", "my_crate::graceful", Path),
];

/// An option whose value goes to a method.
const fn call(key: &'static str, example: &'static str, kind: Kind, method: &'static str) -> Spec {
    Spec { method: Some(method), ..other(key, example, kind) }
}

/// An option whose value is used in another way.
const fn other(key: &'static str, example: &'static str, kind: Kind) -> Spec {
    Spec { key, example, kind, method: None }
}

impl Spec {
    /// Whether the key may stand alone.
    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.kind, Flag | Kind::FlagWith(_))
    }

    /// The whole option as a user would write it.
    pub(crate) fn written(&self) -> String {
        if self.is_flag() {
            return self.key.to_owned();
        }
        format!("{} = {}", self.key, self.example)
    }

    /// The message for a value that breaks `rule`, such as "is a path".
    pub(crate) fn message(&self, rule: &str) -> String {
        format!("`{}` {rule}: write `{}`", self.key, self.written())
    }

    /// The error at a value that breaks `rule`.
    pub(crate) fn error(&self, rule: &str, value: Expr) -> Error {
        Error::new_spanned(value, self.message(rule))
    }
}

impl Attribute {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Main, Self::Worker, Self::Test];

    /// How the attribute is written, for messages.
    pub(crate) fn written(self) -> &'static str {
        match self {
            Self::Main => "#[graceful::main]",
            Self::Worker => "#[graceful::worker]",
            Self::Test => "#[graceful::test]",
        }
    }

    /// Its options, in the order of messages and of calls.
    pub(crate) fn options(self) -> &'static [Spec] {
        match self {
            Self::Main => MAIN,
            Self::Worker => WORKER,
            Self::Test => TEST,
        }
    }

    /// The option with this key.
    pub(crate) fn option(self, key: &str) -> Option<&'static Spec> {
        self.options().iter().find(|spec| spec.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::Attribute;

    #[test]
    fn the_documentation_of_an_attribute_has_a_row_for_each_option() {
        let mut source = include_str!("../lib.rs");
        for attribute in [Attribute::Main, Attribute::Worker, Attribute::Test] {
            let (docs, rest) =
                source.split_once("#[proc_macro_attribute]").expect("each attribute follows its documentation");
            source = rest;
            for spec in attribute.options() {
                let end = if spec.is_flag() { "`" } else { " = " };
                let row = format!("/// | `{}{end}", spec.key);
                assert!(docs.contains(&row), "{row} of {}", attribute.written());
            }
            let rows = docs.matches("/// | `").count();
            assert_eq!(rows, attribute.options().len());
        }
    }
}
