//! The options of one lifecycle, as the environment overrides them.

use std::env;
use std::fmt;
use std::time::Duration;

use crate::model::duration;
use crate::model::label::Label;
use crate::model::platform::{self, Platform};
use crate::model::text::cut;
use crate::os::signal::Signal;

/// Under the 30 s that Kubernetes grants by default (`terminationGracePeriodSeconds`).
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// How long endpoints take to learn, in a cluster of usual size, that a pod is no longer ready.
const KUBERNETES_DRAIN: Duration = Duration::from_secs(5);

/// No deadline: an instant beyond the clock never comes.
pub(crate) const NO_LIMIT: Duration = Duration::MAX;

/// The variables that override the code, and the one that has no counterpart there.
const STOP_TIMEOUT: &str = "GRACEFUL_STOP_TIMEOUT";
const DRAIN: &str = "GRACEFUL_DRAIN";
const REPORT: &str = "GRACEFUL_REPORT";
const TIMELINE: &str = "GRACEFUL_TIMELINE";

/// All of them.
pub(crate) const VARIABLES: [&str; 4] = [STOP_TIMEOUT, DRAIN, REPORT, TIMELINE];

/// How they begin.
const PREFIX: &str = "GRACEFUL_";

/// Names the end of the channel that a process has from the one before it, and that process: `7:4711`. Taken away before
/// main runs.
pub(crate) const PREDECESSOR: &str = "GRACEFUL_PREDECESSOR";

/// The variable that Kubernetes sets in every container.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";

/// What concerns upgrades in place.
#[cfg(feature = "upgrade")]
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(crate) struct UpgradeOptions {
    /// The signals that ask for one.
    pub(crate) signals: Vec<Signal>,
    /// How long the successor may take to be ready.
    pub(crate) timeout: Duration,
    /// The file with the number of the process that serves.
    pub(crate) pid_file: Option<std::path::PathBuf>,
}

#[cfg(feature = "upgrade")]
impl Default for UpgradeOptions {
    fn default() -> Self {
        Self { signals: Vec::new(), timeout: Duration::from_secs(60), pid_file: None }
    }
}

/// The options in force: the attribute or the builder sets them, and the environment overrides some.
#[derive(Debug)]
pub(crate) struct Settings {
    /// What the lifecycle is called, as lines show it.
    pub(crate) name: Option<String>,
    /// The budget of a stop.
    pub(crate) stop_timeout: Duration,
    pub(crate) stop_timeout_from: Source,
    /// The part of it spent draining.
    pub(crate) drain: Duration,
    pub(crate) drain_from: Source,
    pub(crate) signals: Vec<Signal>,
    /// The signals that print the status.
    pub(crate) dump: Vec<Signal>,
    /// Whether a stop by a signal ends in death by that signal.
    pub(crate) reraise: bool,
    /// Whether a PID 1 reaps the orphans it inherits.
    pub(crate) reap: bool,
    /// How long systemd is asked to wait for the start.
    pub(crate) extend_start: Option<Duration>,
    #[cfg(feature = "upgrade")]
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(crate) upgrade: UpgradeOptions,
    /// How a report is written.
    pub(crate) report: Format,
    /// Where the stop is drawn, once it is over.
    #[cfg(feature = "page")]
    pub(crate) timeline: Option<std::path::PathBuf>,
    /// Variables that are called as those above might be.
    pub(crate) unknown: Vec<String>,
    /// What kills the process if its stop takes too long.
    pub(crate) platform: Option<Platform>,
    /// A test: no signals, no environment, and its failures are the test's.
    pub(crate) is_test: bool,
    /// The name and place of a test that is annotated.
    pub(crate) test: Option<Label>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    /// One line of JSON.
    #[cfg(feature = "serde")]
    Json,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    Kubernetes,
    Code,
    Environment,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Kubernetes => "default inside Kubernetes",
            Self::Code => "set in code",
            Self::Environment => "set in the environment",
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: None,
            stop_timeout: DEFAULT_STOP_TIMEOUT,
            stop_timeout_from: Source::Default,
            drain: Duration::ZERO,
            drain_from: Source::Default,
            signals: vec![Signal::Terminate, Signal::Interrupt],
            dump: Vec::new(),
            reraise: false,
            reap: false,
            extend_start: None,
            #[cfg(feature = "upgrade")]
            upgrade: UpgradeOptions::default(),
            report: Format::default(),
            #[cfg(feature = "page")]
            timeline: None,
            unknown: Vec::new(),
            platform: None,
            is_test: false,
            test: None,
        }
    }
}

impl Settings {
    /// Those of a program, overridden by the environment.
    ///
    /// # Errors
    ///
    /// One line that names the variable, its value and what would be accepted.
    pub(crate) fn of_process(self) -> Result<Self, String> {
        let in_environment = |name| {
            // All processes of a container have it, and only the first one is asked to stop.
            let is_for_us = name != platform::CONTAINER || is_first_process();
            env::var_os(name).filter(|_| is_for_us).map(|value| cut(&value.to_string_lossy()))
        };
        let mut settings = self.resolve(in_environment)?;
        settings.unknown = unknown(env::vars_os().map(|(name, _)| name));
        #[cfg(feature = "page")]
        {
            settings.timeline = env::var_os(TIMELINE).map(parse_path).transpose()?;
        }
        Ok(settings)
    }

    fn resolve(mut self, variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, String> {
        if let Some(text) = variable(STOP_TIMEOUT) {
            self.stop_timeout = parse_limit(&text).map_err(|why| format!("{STOP_TIMEOUT}={text}: {why}"))?;
            self.stop_timeout_from = Source::Environment;
        }
        if let Some(text) = variable(DRAIN) {
            self.drain = parse_drain(&text).map_err(|why| format!("{DRAIN}={text}: {why}"))?;
            self.drain_from = Source::Environment;
        } else if self.drain_from == Source::Default && variable(KUBERNETES).is_some() {
            self.drain = KUBERNETES_DRAIN.min(self.stop_timeout / 4);
            self.drain_from = Source::Kubernetes;
        }
        self.platform = Platform::of(&variable);
        if let Some(text) = variable(REPORT) {
            self.report = parse_format(&text).map_err(|why| format!("{REPORT}={text}: {why}"))?;
        }
        #[cfg(not(feature = "page"))]
        if let Some(text) = variable(TIMELINE) {
            return Err(format!("{TIMELINE}={text}: this needs the feature `page` of graceful-runtime"));
        }
        if !self.drain.is_zero() && self.drain >= self.stop_timeout {
            let (drain, from) = (self.drain, self.drain_from);
            let (budget, budget_from) = (self.stop_timeout, self.stop_timeout_from);
            return Err(format!(
                "a drain of {drain:?} ({from}) is not shorter than the stop_timeout of {budget:?} ({budget_from}), \
                 which includes it: shorten {DRAIN} or lengthen {STOP_TIMEOUT}"
            ));
        }
        Ok(self)
    }

    /// Whether this signal has a meaning here.
    pub(crate) fn handles(&self, signal: Signal) -> bool {
        self.signals.contains(&signal) || self.dump.contains(&signal) || self.upgrades_at(signal)
    }

    /// Whether this signal asks for an upgrade in place.
    #[cfg(feature = "upgrade")]
    pub(crate) fn upgrades_at(&self, signal: Signal) -> bool {
        self.upgrade.signals.contains(&signal)
    }

    /// There are no upgrades without the feature.
    #[cfg(not(feature = "upgrade"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn upgrades_at(&self, _: Signal) -> bool {
        false
    }
}

/// A duration, or `none`.
fn parse_limit(text: &str) -> Result<Duration, String> {
    if text == "none" { Ok(NO_LIMIT) } else { duration::parse(text) }
}

fn parse_drain(text: &str) -> Result<Duration, String> {
    if text == "none" { Err("no drain is 0s".to_owned()) } else { duration::parse(text) }
}

/// Those that are called as a variable of this crate might be.
fn unknown(names: impl Iterator<Item = std::ffi::OsString>) -> Vec<String> {
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with(PREFIX) && name != PREDECESSOR && !VARIABLES.contains(&name.as_str()))
        .collect()
}

fn parse_format(text: &str) -> Result<Format, &'static str> {
    match text {
        "text" => Ok(Format::Text),
        #[cfg(feature = "serde")]
        "json" => Ok(Format::Json),
        #[cfg(not(feature = "serde"))]
        "json" => Err("json needs the feature `serde` of graceful-runtime; write text"),
        _ => Err("write text or json"),
    }
}

/// Whether this is the first process of its namespace, or what that has been started for, as with `podman run --init`.
#[cfg(unix)]
fn is_first_process() -> bool {
    std::process::id() == 1 || std::os::unix::process::parent_id() == 1
}

#[cfg(not(unix))]
fn is_first_process() -> bool {
    false
}

/// The path of a picture or a page; `%p` in it is the process's id. A relative one is of the folder that the program was
/// started in.
#[cfg(feature = "page")]
fn parse_path(text: std::ffi::OsString) -> Result<std::path::PathBuf, String> {
    let path = match text.to_str() {
        Some(text) => text.replace("%p", &std::process::id().to_string()).into(),
        None => std::path::PathBuf::from(text),
    };
    let is_known = path.extension().is_some_and(|kind| kind == "svg" || kind == "html");
    if !is_known {
        let shown = cut(&path.to_string_lossy());
        return Err(format!("{TIMELINE}={shown}: write a path that ends with .svg or .html"));
    }
    Ok(std::path::absolute(&path).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(variables: &[(&'static str, &str)]) -> Result<Settings, String> {
        let value = |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::default().resolve(value)
    }

    #[test]
    fn none_is_no_deadline() {
        assert_eq!(parse_limit("none"), Ok(NO_LIMIT));
        assert_eq!(parse_limit("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse_limit("abc").is_err());
    }

    #[test]
    fn the_report_is_text_unless_it_is_asked_for_otherwise() {
        assert_eq!(resolve(&[]).unwrap().report, Format::Text);
        assert_eq!(resolve(&[(REPORT, "text")]).unwrap().report, Format::Text);
        let why = resolve(&[(REPORT, "xml")]).unwrap_err();
        assert_eq!(why, "GRACEFUL_REPORT=xml: write text or json");
        #[cfg(feature = "serde")]
        assert_eq!(resolve(&[(REPORT, "json")]).unwrap().report, Format::Json);
        #[cfg(not(feature = "serde"))]
        assert!(resolve(&[(REPORT, "json")]).unwrap_err().contains("the feature `serde`"));
    }

    #[test]
    fn the_default_is_under_what_kubernetes_grants() {
        let settings = resolve(&[]).unwrap();
        assert_eq!(settings.stop_timeout, Duration::from_secs(25));
        assert_eq!((settings.drain, settings.drain_from), (Duration::ZERO, Source::Default));
    }

    #[test]
    fn inside_kubernetes_the_default_drain_is_five_seconds_or_a_quarter() {
        let kubernetes = (KUBERNETES, "10.0.0.1");
        assert_eq!(resolve(&[kubernetes]).unwrap().drain, Duration::from_secs(5));
        assert_eq!(resolve(&[kubernetes, (STOP_TIMEOUT, "4s")]).unwrap().drain, Duration::from_secs(1));
        assert_eq!(resolve(&[kubernetes, (DRAIN, "0s")]).unwrap().drain, Duration::ZERO);
    }

    #[test]
    fn a_drain_that_is_not_shorter_than_the_budget_is_an_error() {
        let why = resolve(&[(DRAIN, "25s")]).unwrap_err();
        assert!(why.contains("not shorter than the stop_timeout"), "{why}");
        assert!(resolve(&[(DRAIN, "24s")]).is_ok());
        assert!(resolve(&[(DRAIN, "soon")]).unwrap_err().starts_with("GRACEFUL_DRAIN=soon: "));
        assert_eq!(resolve(&[(DRAIN, "none")]).unwrap_err(), "GRACEFUL_DRAIN=none: no drain is 0s");
    }

    #[cfg(not(feature = "page"))]
    #[test]
    fn a_timeline_needs_its_feature() {
        let why = resolve(&[(TIMELINE, "x.svg")]).unwrap_err();
        assert_eq!(why, "GRACEFUL_TIMELINE=x.svg: this needs the feature `page` of graceful-runtime");
    }

    #[test]
    fn a_name_that_is_nearly_one_of_these_is_unknown() {
        let names = ["GRACEFUL_STOPTIMEOUT", "GRACEFUL_STOP_TIMEOUT", "GRACEFUL_PREDECESSOR", "graceful_drain", "PATH"];
        assert_eq!(unknown(names.into_iter().map(Into::into)), ["GRACEFUL_STOPTIMEOUT"]);
    }
}
