//! Which options each attribute takes, and how each is written.

use proc_macro2::Ident;
use syn::Error;

use crate::attr::suggest;

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
pub(crate) struct Known {
    /// The word before the `=`.
    pub(crate) key: &'static str,
    /// The whole option as a user would write it, quoted in messages.
    pub(crate) write: &'static str,
    /// Whether the word may stand alone.
    pub(crate) flag: bool,
}

const fn value(key: &'static str, write: &'static str) -> Known {
    Known { key, write, flag: false }
}

const fn flag(key: &'static str) -> Known {
    Known { key, write: key, flag: true }
}

const MAIN: &[Known] = &[
    value("stop_timeout", "stop_timeout = \"25s\""),
    value("drain", "drain = \"5s\""),
    value("signals", "signals = [\"SIGTERM\", \"SIGINT\"]"),
    flag("reraise"),
    value("dump", "dump = \"SIGUSR1\""),
    value("flavor", "flavor = \"current_thread\""),
    value("worker_threads", "worker_threads = 4"),
    value("name", "name = \"api\""),
    value("crate", "crate = my_crate::graceful"),
];

const WORKER: &[Known] = &[
    value("name", "name = \"consume\""),
    value("on_failure", "on_failure = \"restart\""),
    value("max_restarts", "max_restarts = 5"),
    value("backoff", "backoff = \"100ms..10s\""),
    flag("essential"),
    value("every", "every = \"60s\""),
    value("stop_timeout", "stop_timeout = \"5s\""),
    value("stop", "stop = \"early\""),
    value("when_stopping", "when_stopping = \"refuse\""),
    flag("blocking"),
    value("crate", "crate = my_crate::graceful"),
];

const TEST: &[Known] = &[
    value("stop_timeout", "stop_timeout = \"5s\""),
    flag("start_paused"),
    value("flavor", "flavor = \"multi_thread\""),
    value("worker_threads", "worker_threads = 2"),
    value("crate", "crate = my_crate::graceful"),
];

/// What other runtimes, or other minds, call an option.
const ALIASES: &[(&str, &str)] = &[
    ("timeout", "stop_timeout"),
    ("deadline", "stop_timeout"),
    ("shutdown_timeout", "stop_timeout"),
    ("grace_period", "stop_timeout"),
    ("threads", "worker_threads"),
    ("workers", "worker_threads"),
    ("core_threads", "worker_threads"),
    ("thread_name", "name"),
    ("runtime", "flavor"),
    ("signal", "signals"),
    ("paused", "start_paused"),
    ("interval", "every"),
    ("period", "every"),
    ("restart", "on_failure"),
    ("restarts", "max_restarts"),
    ("stage", "stop"),
    ("critical", "essential"),
    ("spawn_blocking", "blocking"),
    ("graceful", "crate"),
    ("package", "crate"),
];

impl Attribute {
    /// How the attribute is written, for messages.
    pub(crate) fn written(self) -> &'static str {
        match self {
            Self::Main => "#[graceful::main]",
            Self::Worker => "#[graceful::worker]",
            Self::Test => "#[graceful::test]",
        }
    }

    /// Every option it takes.
    fn options(self) -> &'static [Known] {
        match self {
            Self::Main => MAIN,
            Self::Worker => WORKER,
            Self::Test => TEST,
        }
    }

    /// The option called `key`.
    pub(crate) fn option(self, key: &str) -> Option<&'static Known> {
        self.options().iter().find(|known| known.key == key)
    }

    /// One of its options, written out.
    pub(crate) fn example(self) -> &'static str {
        self.options()[0].write
    }

    /// The error for a word that is no option of this attribute.
    pub(crate) fn unknown(self, key: &Ident) -> Error {
        let word = key.to_string();
        let here = || self.options().iter().map(|known| known.key);
        let elsewhere = [Self::Main, Self::Worker, Self::Test]
            .into_iter()
            .find(|other| *other != self && other.option(&word).is_some());
        let alias =
            ALIASES.iter().find(|(other, own)| *other == word && self.option(own).is_some()).map(|(_, own)| *own);
        let message = if let Some(other) = elsewhere {
            format!("`{word}` is an option of `{}`, not of `{}`", other.written(), self.written(),)
        } else if let Some(near) = suggest::nearest(&word, here()).or(alias) {
            format!("unknown option `{word}`: did you mean `{near}`?")
        } else {
            let all: Vec<_> = here().map(|key| format!("`{key}`")).collect();
            format!("unknown option `{word}`: `{}` takes {}", self.written(), all.join(", "))
        };
        Error::new(key.span(), message)
    }
}
