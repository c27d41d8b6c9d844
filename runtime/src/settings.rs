//! The options of one lifecycle, after the environment has had its say.

use std::borrow::Cow;
use std::env;
use std::fmt;
use std::time::Duration;

use crate::duration;
use crate::signal::Signal;

/// Under the 30 s that Kubernetes grants by default (`terminationGracePeriodSeconds`).
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// No deadline: what reaches beyond the clock never comes.
pub(crate) const NO_LIMIT: Duration = Duration::MAX;

/// What the attribute or the builder asked for. `None`: not asked.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) signals: Option<Vec<Signal>>,
}

/// What is in force.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) name: Option<Cow<'static, str>>,
    /// The budget of a stop.
    pub(crate) stop_timeout: Duration,
    pub(crate) stop_timeout_from: Source,
    pub(crate) signals: Vec<Signal>,
    /// A test: no signals, no environment, and its failures are the test's.
    pub(crate) is_test: bool,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    Code,
    Environment,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Code => "set in code",
            Self::Environment => STOP_TIMEOUT,
        })
    }
}

/// The variable that overrides the budget.
const STOP_TIMEOUT: &str = "GRACEFUL_STOP_TIMEOUT";

impl Settings {
    /// The options of a program, overridden by the environment.
    ///
    /// # Errors
    ///
    /// One line that names the variable, its value and what would be accepted.
    pub(crate) fn of_process(options: Options) -> Result<Self, String> {
        let mut settings = Self::new(options, false);
        if let Some(value) = env::var_os(STOP_TIMEOUT) {
            let text = value.to_string_lossy();
            settings.stop_timeout =
                parse_limit(&text).map_err(|why| format!("{STOP_TIMEOUT}={text}: {why}"))?;
            settings.stop_timeout_from = Source::Environment;
        }
        Ok(settings)
    }

    /// The options of a test.
    pub(crate) fn of_test(options: Options) -> Self {
        Self::new(options, true)
    }

    fn new(options: Options, is_test: bool) -> Self {
        Self {
            name: options.name,
            stop_timeout: options.stop_timeout.unwrap_or(DEFAULT_STOP_TIMEOUT),
            stop_timeout_from: if options.stop_timeout.is_some() {
                Source::Code
            } else {
                Source::Default
            },
            signals: options
                .signals
                .unwrap_or_else(|| vec![Signal::Terminate, Signal::Interrupt]),
            is_test,
        }
    }
}

/// A duration, or `none`.
fn parse_limit(text: &str) -> Result<Duration, String> {
    if text == "none" {
        Ok(NO_LIMIT)
    } else {
        duration::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_no_deadline() {
        assert_eq!(parse_limit("none"), Ok(NO_LIMIT));
        assert_eq!(parse_limit("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse_limit("abc").is_err());
    }

    #[test]
    fn the_default_is_under_what_kubernetes_grants() {
        let settings = Settings::of_test(Options::default());
        assert_eq!(settings.stop_timeout, Duration::from_secs(25));
        assert_eq!(settings.stop_timeout_from, Source::Default);
    }
}
