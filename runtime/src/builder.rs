//! The same without macros, and the order of things at the start and at the end.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{self, Handle, Runtime};
use tokio::time::Instant;

use crate::ambient::{self, Claim};
use crate::coordinator;
use crate::exit::{self, Failure};
use crate::lifecycle::Lifecycle;
use crate::message;
use crate::report;
use crate::scribe::Scribe;
use crate::settings::{self, Options, Settings};
use crate::signal::{self, Arming, Handlers, Signal};
use crate::state::Cause;
use crate::sys;
use crate::task::{Ending, Ticket, Tracked};
use crate::thread;
use crate::watch;

/// What untracked tasks get to run their destructors.
const UNTRACKED: Duration = Duration::from_millis(50);

/// The longest the process stays for its last lines to be written.
pub(crate) const LAST_LINES: Duration = Duration::from_millis(100);

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
#[derive(Debug)]
#[must_use = "a builder does nothing until `block_on` is called"]
pub struct Builder {
    options: Options,
    runtime: RuntimeOptions,
}

/// How the runtime is made.
#[derive(Debug, Default)]
pub(crate) struct RuntimeOptions {
    is_current_thread: bool,
    worker_threads: Option<usize>,
    #[cfg(feature = "test-util")]
    is_paused: bool,
    /// The user's own, which then decides everything.
    own: Option<runtime::Builder>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// The defaults: SIGTERM and SIGINT, a budget of 25 s, tokio's multi-thread runtime.
    pub fn new() -> Self {
        Self {
            options: Options::default(),
            runtime: RuntimeOptions::default(),
        }
    }

    /// The one budget of a stop: from the moment it is asked for until the process is gone.
    ///
    /// A tenth of it, 2 s at the most, is kept back for aborting what still runs, for the report and for
    /// leaving. Zero is an immediate hard stop. A time too long for the clock is no deadline.
    /// `GRACEFUL_STOP_TIMEOUT` in the environment wins over it.
    pub fn stop_timeout(mut self, budget: Duration) -> Self {
        self.options.stop_timeout = Some(budget);
        self
    }

    /// No deadline at all: for sessions with a debugger.
    pub fn without_stop_timeout(mut self) -> Self {
        self.options.stop_timeout = Some(settings::NO_LIMIT);
        self
    }

    /// The complete list of signals that ask for the stop.
    ///
    /// # Panics
    ///
    /// When [`Signal::Terminate`] is not among them: a supervisor's stop would kill the process.
    #[track_caller]
    pub fn signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        let signals: Vec<_> = signals.into_iter().collect();
        assert!(
            signals.contains(&Signal::Terminate),
            "{}",
            message::NO_SIGTERM
        );
        self.options.signals = Some(signals);
        self
    }

    /// How long to go on serving at the beginning of a stop, with readiness already false; a part of the budget.
    ///
    /// The time a load balancer takes to notice. It is skipped when main has ended, when a person pressed
    /// Ctrl-C, and ended by the first SIGINT. 5 s inside Kubernetes and zero elsewhere, unless set; where it is
    /// set, it is kept even if the service never became ready. `GRACEFUL_DRAIN` in the environment wins over it.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.options.drain = Some(drain);
        self
    }

    /// After a stop that a signal caused, ends in death by that signal, as shells expect of command-line tools
    /// and supervisors of batch jobs: unless something else failed. As PID 1, which the kernel protects, it is
    /// exit code 128 plus the signal's number.
    pub fn reraise(mut self) -> Self {
        self.options.reraise = true;
        self
    }

    /// A signal that prints [`status`](crate::status) to standard error and stops nothing.
    ///
    /// # Panics
    ///
    /// When it is one of the signals that ask for the stop.
    #[track_caller]
    pub fn dump(mut self, signal: Signal) -> Self {
        let stops = self
            .options
            .signals
            .as_deref()
            .unwrap_or(&[Signal::Terminate, Signal::Interrupt]);
        assert!(!stops.contains(&signal), "{}", message::DUMP_STOPS);
        self.options.dump = Some(signal);
        self
    }

    /// The service's name: in front of each line, `graceful[orders]: …`, and in the names of tokio's threads.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Runs everything on the thread that calls [`block_on`](Builder::block_on).
    pub fn current_thread(mut self) -> Self {
        self.runtime.is_current_thread = true;
        self
    }

    /// How many threads run the tasks: as many as there are cores, unless set.
    pub fn worker_threads(mut self, threads: usize) -> Self {
        self.runtime.worker_threads = Some(threads);
        self
    }

    /// Builds on a tokio builder of your own. It decides everything about the runtime; flavour and threads
    /// set here are not looked at.
    pub fn runtime(mut self, builder: runtime::Builder) -> Self {
        self.runtime.own = Some(builder);
        self
    }

    /// Starts the clock of the test stopped. See [`#[graceful::test]`](macro@crate::test).
    #[doc(hidden)]
    #[cfg(feature = "test-util")]
    pub fn start_paused(mut self, _: crate::testing::PausedClock) -> Self {
        self.runtime.is_paused = true;
        self
    }

    /// The parts, for a lifecycle that is a test's.
    pub(crate) fn into_parts(self) -> (Options, RuntimeOptions) {
        (self.options, self.runtime)
    }

    /// Runs `main` inside a lifecycle and returns the exit code for the process.
    ///
    /// Signals are held before the runtime is built. When this returns, everything that was started was
    /// joined, aborted or given up; what comes after it is the caller's own: the deadline no longer holds, and
    /// signals mean again what they mean by default.
    ///
    /// A wrong value in the environment, or a system that grants no thread or no handler, is one line on
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
        self.run(main, false)
    }

    /// As `block_on`. `is_last`: the process ends with it, and the watch stays until it has.
    #[track_caller]
    pub(crate) fn run<F>(self, main: F, is_last: bool) -> ExitCode
    where
        F: Future<Output: Termination>,
    {
        assert!(
            Handle::try_current().is_err(),
            "{}",
            message::INSIDE_A_RUNTIME
        );
        match self.start() {
            Ok(started) => started.run(main, is_last),
            Err(why) => {
                // A closed stderr is no reason to panic.
                let _ = io::Write::write_all(&mut io::stderr(), format!("{why}\n").as_bytes());
                ExitCode::from(exit::MISCONFIGURED)
            }
        }
    }

    /// Everything that has to be there before any code of the user's runs, in an order that loses no signal.
    #[track_caller]
    fn start(self) -> Result<Started, String> {
        let settings =
            Settings::of_process(self.options).map_err(|why| message::misconfigured(&why))?;
        let name = settings.name.clone();
        // Held back from here on, on this thread and on those it starts.
        let heard: Vec<_> = settings
            .signals
            .iter()
            .copied()
            .chain(settings.dump)
            .collect();
        let arming = Arming::begin(&heard);
        let (inbox, nudge) = signal::inbox().map_err(|error| message::no_inbox(&error))?;
        let scribe = Scribe::new(name.as_deref(), false);
        let life = Lifecycle::new(settings, scribe, nudge);
        let claim = ambient::claim_process(&life);
        let no_thread = |error| message::no_thread(&error);
        life.scribe.start(arming.restore()).map_err(no_thread)?;
        watch::start(&life, inbox, arming.restore()).map_err(no_thread)?;
        coordinator::start(&life, arming.restore()).map_err(no_thread)?;
        let handlers = arming
            .register(&life.nudge)
            .map_err(|(signal, error)| message::no_handler(signal, &error))?;
        life.scribe.say(message::started(&life.settings));
        for &signal in &arming.held_at_exec {
            life.scribe.say(message::held_at_exec(signal));
        }
        // Let through on this thread; what came meanwhile arrives now.
        drop(arming);
        let runtime = self
            .runtime
            .build(&life, name)
            .map_err(|error| message::no_runtime(&error))?;
        Ok(Started {
            life,
            runtime,
            handlers,
            claim,
        })
    }
}

impl RuntimeOptions {
    pub(crate) fn build(
        self,
        life: &Arc<Lifecycle>,
        name: Option<Cow<'static, str>>,
    ) -> io::Result<Runtime> {
        let runtime = match self.own {
            Some(mut own) => own.build()?,
            None => self.of_ours(life, name).build()?,
        };
        let _ = life.runtime.set(runtime.handle().clone());
        Ok(runtime)
    }

    fn of_ours(self, life: &Arc<Lifecycle>, name: Option<Cow<'static, str>>) -> runtime::Builder {
        let mut builder = if self.is_current_thread {
            runtime::Builder::new_current_thread()
        } else {
            runtime::Builder::new_multi_thread()
        };
        builder.enable_all();
        if let Some(threads) = self.worker_threads {
            builder.worker_threads(threads);
        }
        if let Some(name) = name {
            builder.thread_name(name);
        }
        #[cfg(feature = "test-util")]
        builder.start_paused(self.is_paused);
        // Weak: the runtime keeps this closure, and the lifecycle keeps the runtime's handle.
        let life = Arc::downgrade(life);
        builder.on_thread_start(move || {
            if let Some(life) = life.upgrade() {
                thread::adopt(&life);
            }
        });
        builder
    }
}

/// A lifecycle about to run main.
struct Started {
    life: Arc<Lifecycle>,
    runtime: Runtime,
    handlers: Handlers,
    claim: Claim,
}

impl Started {
    fn run<F>(self, main: F, is_last: bool) -> ExitCode
    where
        F: Future<Output: Termination>,
    {
        let Self {
            life,
            runtime,
            handlers,
            claim,
        } = self;
        let entered = thread::enter(&life);

        // Main, and after it the stop, in which main's thread still runs the others on a current-thread runtime.
        runtime.block_on(async {
            run_main(&life, async { main.await.report() }).await;
            life.joined().await;
        });

        let untracked = tear_down(&life, runtime);
        for value in life.take_kept() {
            if catch_unwind(AssertUnwindSafe(|| drop(value))).is_err() {
                life.scribe.say(message::kept_value_panicked());
            }
        }

        // The last lines, and home.
        let code = life.failures.code();
        if code == 0 {
            farewell(&life, untracked);
        } else {
            report::publish(&life, code, untracked);
        }
        life.scribe.flush(LAST_LINES);
        if let Some(signal) = life.fatal_signal() {
            sys::die_of(signal.number());
            return ExitCode::from(exit::of_signal(signal));
        }
        if is_last {
            // The watch stays armed, and signals stay held, until the process is gone.
            std::mem::forget(handlers);
        } else {
            drop(handlers);
            life.end();
        }
        drop((entered, claim));
        ExitCode::from(code)
    }
}

/// Shuts the runtime down without waiting for anybody, but for a moment in which untracked tasks can run their
/// destructors. Returns how many of those there were.
fn tear_down(life: &Lifecycle, runtime: Runtime) -> usize {
    let metrics = runtime.metrics();
    let count = || {
        metrics
            .num_alive_tasks()
            .saturating_sub(life.workers_alive())
    };
    // A worker's task is gone a moment after the worker is: this long, at the most.
    let settled = std::time::Instant::now() + Duration::from_millis(1);
    while count() > 0 && std::time::Instant::now() < settled {
        std::thread::yield_now();
    }
    let untracked = count();
    let left = life
        .budget()
        .map_or(Duration::MAX, |budget| budget.left(Instant::now()));
    runtime.shutdown_timeout(if untracked > 0 {
        left.min(UNTRACKED)
    } else {
        Duration::ZERO
    });
    untracked
}

/// The lines of a clean end.
fn farewell(life: &Lifecycle, untracked: usize) {
    if untracked > 0 {
        life.scribe.say(message::untracked_dropped(untracked));
    }
    let took = life
        .budget()
        .map_or(Duration::ZERO, |budget| budget.asked().elapsed());
    life.scribe.say(message::stopped(life.cause(), took));
}

/// Runs main as the first among the tracked, and asks for the stop when it has ended.
pub(crate) async fn run_main<F: Future<Output = ExitCode>>(life: &Arc<Lifecycle>, main: F) {
    let ending = track_main(life, main).await;
    if let Some(Ending::Finished(code)) = ending {
        match exit::number(code) {
            0 => {}
            code => life.fail(Failure::main_code(code)),
        }
    }
    life.begin_stop(Cause::MainEnded);
}

/// Main as a tracked future; when this resolves it is gone.
pub(crate) async fn track_main<F: Future>(
    life: &Arc<Lifecycle>,
    main: F,
) -> Option<Ending<F::Output>> {
    life.main_started();
    let ticket = Ticket::of_main(Arc::clone(life));
    Tracked::new(main, |_: &F::Output| None, ticket)
        .await
        .take()
}

/// Runs the process's main: the deadline holds until the process is gone.
///
/// Not public API. Used by generated code.
#[track_caller]
pub fn main<F: Future<Output: Termination>>(builder: Builder, main: F) -> ExitCode {
    builder.run(main, true)
}

/// Runs an annotated function that is not the process's main.
///
/// Not public API. Used by generated code.
#[track_caller]
pub fn run<F: Future<Output: Termination>>(builder: Builder, run: F) -> ExitCode {
    builder.run(run, false)
}
