//! The options of a lifecycle and of its runtime, without macros.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::process::{ExitCode, Termination};
use std::time::Duration;

use tokio::runtime;

#[cfg(not(all(feature = "systemd", feature = "upgrade")))]
mod missing;

use crate::model::label::Label;
use crate::model::settings::{NO_LIMIT, Settings, Source};
use crate::model::text;
use crate::os::signal::Signal;
use crate::run::process;
use crate::run::runtime::RuntimeOptions;
use crate::say::refusals;

/// A lifecycle's options, for programs that do without the attribute.
///
/// ```
/// use std::process::ExitCode;
/// use std::time::Duration;
///
/// fn main() -> ExitCode {
///     graceful::Builder::new().stop_timeout(Duration::from_secs(10)).block_on(async {
///         graceful::spawn("tick", graceful::stopping());
///     })
/// }
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `block_on` is called"]
pub struct Builder {
    pub(crate) settings: Settings,
    pub(crate) runtime: RuntimeOptions,
}

impl Builder {
    /// The defaults: SIGTERM and SIGINT, a budget of 25 s, tokio's multi-thread runtime.
    pub fn new() -> Self {
        Self::default()
    }

    /// The one budget of a stop: from the moment it is asked for until the process is gone.
    ///
    /// A tenth of it, 2 s at the most, is kept back for aborting what still runs, for the report and for
    /// leaving. Zero is an immediate hard stop. A time too long for the clock means no deadline.
    /// `GRACEFUL_STOP_TIMEOUT` in the environment wins over it.
    pub fn stop_timeout(mut self, budget: Duration) -> Self {
        self.settings.stop_timeout = budget;
        self.settings.stop_timeout_from = Source::Code;
        self
    }

    /// No deadline at all: for sessions with a debugger.
    pub fn without_stop_timeout(self) -> Self {
        self.stop_timeout(NO_LIMIT)
    }

    /// The complete list of signals that ask for the stop.
    ///
    /// # Panics
    ///
    /// When [`Signal::Terminate`] is not among them: a supervisor's stop would kill the process. When one of them is a
    /// signal of [`dump`](Builder::dump), or [`Signal::Abort`], which stops nothing in good order.
    #[track_caller]
    pub fn signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        let signals: Vec<_> = signals.into_iter().collect();
        assert!(signals.contains(&Signal::Terminate), "{}", refusals::NO_SIGTERM);
        assert!(!signals.contains(&Signal::Abort), "{}", refusals::SIGABRT_STOPS);
        self.settings.signals = signals;
        self.with_a_dump_that_stops_nothing()
    }

    /// How long to go on serving at the beginning of a stop, with readiness already false; a part of the budget.
    ///
    /// The time a load balancer takes to notice. It is skipped when main has ended and when a person pressed Ctrl-C;
    /// main's end and the first SIGINT end it. 5 s inside Kubernetes (a quarter of the budget if that is less) and zero
    /// elsewhere, unless set; a drain that is set is kept even if the service is not ready. `GRACEFUL_DRAIN` in the
    /// environment wins over it.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.settings.drain = drain;
        self.settings.drain_from = Source::Code;
        self
    }

    /// After a stop that a signal caused, the process dies of that signal, as shells expect of command-line tools
    /// and supervisors of batch jobs: unless something else failed. As PID 1, which the kernel protects, it exits with
    /// code 128 plus the signal's number.
    pub fn reraise(mut self) -> Self {
        self.settings.reraise = true;
        self
    }

    /// As PID 1 the process reaps every orphan of its container, as `tini` does: a process whose parent has ended, such as
    /// a daemon, becomes a child of PID 1 and would stay a zombie when it ends.
    ///
    /// For this the process forks before anything else. PID 1 is a copy that does nothing but pass signals on, reap, and
    /// end as the program does (128 and the number of the signal, if one killed it); the program is its child. So nothing
    /// takes the status of a [`std::process::Child`], or of one of tokio's, from whoever waits for it. In another process
    /// than PID 1, where somebody else reaps, it changes nothing.
    ///
    /// What the environment hands to PID 1 (`LISTEN_PID`, `WATCHDOG_PID`) becomes the program's. The program is killed by
    /// signals that it does not handle, from which the kernel protects PID 1.
    ///
    /// # Panics
    ///
    /// [`block_on`](Builder::block_on) does, on Linux, as any process, when there are other threads already: they would
    /// not be in the program.
    pub fn reap(mut self) -> Self {
        self.settings.reap = true;
        self
    }

    /// How long the start may take under systemd, whatever `TimeoutStartSec=` of the unit says: until
    /// [`ready`](crate::ready()) systemd is asked for more time, up to this, counted from the start of the process. What
    /// the unit grants is never made less. In a unit of `Type=notify`; elsewhere it means nothing. Feature `systemd`.
    #[cfg(feature = "systemd")]
    pub fn extend_start(mut self, longest: Duration) -> Self {
        self.settings.extend_start = Some(longest);
        self
    }

    /// Signals that print [`status`](crate::status) to standard error and stop nothing. They work while every thread of
    /// the runtime is blocked, too; the status says what blocks which thread, and for how long.
    ///
    /// [`Signal::Abort`] is the exception: the process dies of it, as it would without this, once the status is written,
    /// a second later at the most. That is what systemd sends when its watchdog was not fed. An `abort()` of the process
    /// itself dumps nothing.
    ///
    /// # Panics
    ///
    /// When one of them is among the signals that ask for the stop.
    #[track_caller]
    pub fn dump(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.settings.dump = signals.into_iter().collect();
        self.with_a_dump_that_stops_nothing()
    }

    /// Signals that ask for an [`upgrade`](crate::upgrade()) in place. Feature `upgrade`; on Windows they never come.
    ///
    /// # Panics
    ///
    /// When one of them is among the signals that ask for the stop, or is one of [`dump`](Builder::dump), or SIGABRT.
    #[cfg(feature = "upgrade")]
    #[track_caller]
    pub fn upgrade(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.settings.upgrade.signals = signals.into_iter().collect();
        self.with_a_dump_that_stops_nothing()
    }

    /// How long the new process of an [`upgrade`](crate::upgrade()) may take until it is [`ready`](crate::ready()): then it
    /// is ended, and this one goes on. 60 s unless set. Feature `upgrade`.
    #[cfg(feature = "upgrade")]
    pub fn upgrade_timeout(mut self, longest: Duration) -> Self {
        self.settings.upgrade.timeout = longest;
        self
    }

    /// A file that holds the number of the process that serves, and a line feed: written when it is
    /// [`ready`](crate::ready()), as a whole; by the new process of an upgrade, once it has taken over; and removed by a
    /// process that ends without a successor. A relative path is one in the working directory at the start. Feature
    /// `upgrade`, on Unix.
    #[cfg(feature = "upgrade")]
    pub fn pid_file(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.settings.upgrade.pid_file = Some(path.into());
        self
    }

    #[track_caller]
    fn with_a_dump_that_stops_nothing(self) -> Self {
        let stops = &self.settings.signals;
        let is_both = self.settings.dump.iter().any(|dump| stops.contains(dump));
        assert!(!is_both, "{}", refusals::DUMP_STOPS);
        #[cfg(feature = "upgrade")]
        for signal in &self.settings.upgrade.signals {
            assert!(!stops.contains(signal), "{}", refusals::UPGRADE_STOPS);
            assert!(!self.settings.dump.contains(signal), "{}", refusals::UPGRADE_DUMPS);
            assert!(*signal != Signal::Abort, "{}", refusals::SIGABRT_UPGRADES);
        }
        self
    }

    /// The service's name: in front of each line, `graceful[orders]: …`, and in the names of tokio's threads.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.settings.name = Some(text::name(&name.into()));
        self
    }

    /// Runs everything on the thread that calls [`block_on`](Builder::block_on).
    pub fn current_thread(mut self) -> Self {
        self.runtime.is_current_thread = true;
        self
    }

    /// How many threads run the tasks: as many as there are cores, unless set.
    ///
    /// # Panics
    ///
    /// When it is zero.
    #[track_caller]
    pub fn worker_threads(mut self, threads: usize) -> Self {
        assert!(threads > 0, "{}", refusals::NO_THREADS);
        self.runtime.worker_threads = Some(threads);
        self
    }

    /// Builds the runtime with a tokio builder of your own. It decides everything about the runtime: flavour, threads
    /// and their names set here are ignored. Enable its timer, which restarts, repeated workers and hooks need. The
    /// process ends without waiting for its threads: what it does `on_thread_stop` may not be done.
    pub fn runtime(mut self, builder: runtime::Builder) -> Self {
        self.runtime.own = Some(builder);
        self
    }

    /// Starts the test with its clock paused. See [`#[graceful::test]`](macro@crate::test).
    #[doc(hidden)]
    #[cfg_attr(not(feature = "test-util"), allow(unused_mut))] // nobody can call it then
    pub fn start_paused(mut self, _: impl ClockThatPauses) -> Self {
        #[cfg(feature = "test-util")]
        {
            self.runtime.is_paused = true;
        }
        self
    }

    /// What the test is called, for the line that ends it if nothing else can.
    #[doc(hidden)]
    #[track_caller]
    pub fn test_named(mut self, name: &'static str) -> Self {
        self.settings.test = Some(Label::at(name.into(), Location::caller()));
        self
    }

    /// Runs `main` inside a lifecycle and returns the exit code for the process.
    ///
    /// Signals are held back before the runtime is built. When this returns, everything that was started was
    /// joined, aborted or given up; what comes after it is the caller's own: the deadline no longer holds, and
    /// signals have their default meaning again.
    ///
    /// A wrong value in the environment, or a system that grants no thread or no signal handler, is one line on
    /// standard error and exit code 2; `main` is not run.
    ///
    /// # Panics
    ///
    /// Inside a tokio runtime, and when another lifecycle runs in this process.
    #[track_caller]
    pub fn block_on<F>(self, main: F) -> ExitCode
    where
        F: Future<Output: Termination>,
    {
        process::block_on(self.settings, self.runtime, main, false)
    }
}

/// What an annotated function may return: [`Termination`], with the words of the attribute.
#[diagnostic::on_unimplemented(
    message = "`main` returns `()`, `Result<(), E>` with `E: Debug`, `ExitCode` or `Result<ExitCode, E>`, not `{Self}`",
    label = "this is not a result of `main`",
    note = "the error of a `Result` needs `#[derive(Debug)]`"
)]
pub trait MainResult: Termination {}

#[diagnostic::do_not_recommend]
impl<T: Termination> MainResult for T {}

/// Runs the process's main: the deadline holds until the process is gone.
///
/// Not public API. Used by generated code.
#[track_caller]
pub fn main<F: Future<Output: MainResult>>(builder: Builder, main: F) -> ExitCode {
    process::block_on(builder.settings, builder.runtime, main, true)
}

/// Runs an annotated function that is not the process's main.
///
/// Not public API. Used by generated code.
#[track_caller]
pub fn run<F: Future<Output: MainResult>>(builder: Builder, run: F) -> ExitCode {
    builder.block_on(run)
}

/// The clock of a test that starts with `start_paused`.
#[derive(Debug)]
pub struct PausedClock;

/// Proof that the feature `test-util` is on: only then can tokio's clock be paused.
#[cfg_attr(not(feature = "test-util"), doc = "```compile_fail,E0277")]
#[cfg_attr(feature = "test-util", doc = "```")]
/// #[graceful::test(start_paused = true)]
/// async fn waits() {}
///
/// let _ = graceful::Builder::new().start_paused(graceful::__private::PausedClock);
/// ```
#[diagnostic::on_unimplemented(
    message = "`start_paused` needs the feature `test-util` of `graceful-runtime`",
    label = "without it tokio's clock cannot be paused",
    note = "it is meant for `[dev-dependencies]`: `features = [\"test-util\"]`"
)]
pub trait ClockThatPauses {}

#[cfg(feature = "test-util")]
impl ClockThatPauses for PausedClock {}
