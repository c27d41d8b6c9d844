//! The lifecycle of a process: the order of things at its start and at its end.

use std::future::Future;
use std::io::{self, Write};
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};

use crate::life::lifecycle::Lifecycle;
use crate::life::teardown::MainsThread;
use crate::model::budget::{Budget, EXIT_FUNCTIONS, LAST_LINES, LAST_LINES_AT_LEAST, TASK_SETTLING, UNTRACKED};
use crate::model::exit::{Exit, Judged};
use crate::model::failure::{Failure, FailureKind, Subject};
use crate::model::settings::Settings;
use crate::model::state::Cause;
use crate::model::{failure, outcome};
use crate::os::signal::{Handlers, Setup, Signal};
use crate::os::{signal, sys};
use crate::report::publish;
use crate::run::runtime::RuntimeOptions;
use crate::say::line;
use crate::say::line::Level;
use crate::say::lines;
use crate::say::stderr::is_journal;
use crate::say::writer::Writer;
use crate::say::{refusals, signals};
use crate::stop::driver::Driver;
use crate::stop::watch;
use crate::stop::watch::Others;
use crate::stop::world::awake_beside_main;
use crate::work::ambient::Claim;
use crate::work::registration::Registration;
use crate::work::task::Tracked;
use crate::work::{ambient, at_exit, current};

/// What the watch does for optional features.
pub(crate) const OTHERS: Others = Others {
    record,
    kill_children: || {
        #[cfg(all(unix, feature = "process"))]
        crate::with::child::kill_all();
        #[cfg(all(unix, feature = "upgrade"))]
        crate::with::upgrade::kill_successor();
    },
    #[cfg(all(unix, feature = "process"))]
    reap_children: crate::with::child::reap_killed,
    #[cfg(not(all(unix, feature = "process")))]
    reap_children: || false,
    #[cfg(all(unix, feature = "upgrade"))]
    upgrade: crate::with::upgrade::by_signal,
    #[cfg(not(all(unix, feature = "upgrade")))]
    upgrade: |_| {},
};

/// What the watch does once a second, and when the state has changed.
#[cfg_attr(not(any(feature = "metrics", feature = "page")), allow(unused_variables))]
fn record(life: &Arc<Lifecycle>) {
    #[cfg(feature = "metrics")]
    crate::with::metrics::publish(life);
    #[cfg(feature = "page")]
    life.listeners.viewers.note_alive(life.members.count());
}

/// Runs `main` inside a lifecycle. `is_last`: the process ends with it, and the watch runs until then.
#[track_caller]
pub(crate) fn block_on<F: Future<Output: Termination>>(
    settings: Settings,
    runtime: RuntimeOptions,
    main: F,
    is_last: bool,
) -> ExitCode {
    assert!(Handle::try_current().is_err(), "{}", refusals::INSIDE_A_RUNTIME);
    assert!(!(settings.reap && sys::is_too_late_to_leave_pid_1()), "{}", refusals::REAP_WITH_THREADS);
    let name = settings.name.clone();
    match Started::new(settings, runtime) {
        Ok(started) => started.run(main, is_last),
        Err(why) => {
            // A closed stderr is no reason to panic.
            let level = if is_journal() { Level::Error.in_journal() } else { "" };
            let prefix = line::prefix(name.as_deref());
            let line = format!("{level}{prefix}{why}\n");
            let _ = sys::from_the_background(|| io::stderr().write_all(line.as_bytes()));
            ExitCode::from(failure::MISCONFIGURED)
        }
    }
}

/// A lifecycle about to run main.
struct Started {
    life: Arc<Lifecycle>,
    driver: Driver,
    runtime: Runtime,
    handlers: Handlers,
    claim: Claim,
    attended: Attended,
}

impl Started {
    /// Sets up everything before any of the user's code runs, in an order that loses no signal.
    #[track_caller]
    fn new(settings: Settings, runtime: RuntimeOptions) -> Result<Self, String> {
        #[cfg_attr(not(all(unix, feature = "upgrade")), allow(unused_mut))]
        let mut settings = settings.of_process()?;
        let name = settings.name.clone();

        // Signals are held back from here on, on this thread and on those it starts, until there are handlers.
        let handled: Vec<_> = Signal::ALL.into_iter().filter(|&signal| settings.handles(signal)).collect();
        let setup = Setup::begin(&handled);
        signal::expect_stops(&settings.signals);
        if settings.reap {
            sys::leave_pid_1().map_err(|error| refusals::no_init(&error))?;
        }
        #[cfg(all(unix, feature = "net"))]
        crate::with::net::note_handed_over();
        #[cfg(all(unix, feature = "upgrade"))]
        let inheritance = crate::with::upgrade::inherit(&mut settings)?;
        let (inbox, wakeup) = signal::inbox().map_err(|error| refusals::no_inbox(&error))?;
        let writer = Writer::new(settings.name.as_deref(), false);
        let life = Lifecycle::new(settings, writer, wakeup);
        #[cfg(feature = "page")]
        crate::with::page::prepare(&life);
        let claim = ambient::claim_process(&life);
        let attended = Attended(Arc::clone(&life));
        let handlers =
            setup.register(&life.notifier.wakeup).map_err(|(signal, error)| refusals::no_handler(signal, &error))?;

        // Each of our threads unblocks the signals for itself; this one once all threads are started.
        let driver = Driver::default();
        let no_thread = |error| refusals::no_thread(&error);
        life.writer.start(setup.restore()).map_err(no_thread)?;
        watch::start(&life, inbox, &driver, OTHERS, setup.restore()).map_err(no_thread)?;
        #[cfg(all(unix, feature = "upgrade"))]
        crate::with::upgrade::begin(&life, inheritance, setup.restore()).map_err(no_thread)?;
        #[cfg(all(unix, feature = "systemd"))]
        crate::with::systemd::start(&life, setup.restore()).map_err(no_thread)?;
        for &signal in &setup.held_at_exec {
            life.writer.say(signals::held_at_exec(signal));
        }
        drop(setup);

        let runtime = runtime.build(&life, name).map_err(|error| refusals::no_runtime(&error))?;
        Ok(Self { life, driver, runtime, handlers, claim, attended })
    }

    fn run<F: Future<Output: Termination>>(self, main: F, is_last: bool) -> ExitCode {
        let Self { life, driver, runtime, handlers, claim, attended } = self;
        let entered = current::enter(&life);

        // Main, and after it the stop, in which main's thread still runs the workers of a current-thread runtime.
        runtime.block_on(async {
            let main = async {
                let result = main.await;
                // The budget runs before std prints an error, which may block forever.
                life.begin_stop(Cause::MainEnded);
                #[cfg(all(unix, feature = "upgrade"))]
                let code = crate::with::upgrade::report(&life, || result.report());
                #[cfg(not(all(unix, feature = "upgrade")))]
                let code = result.report();
                if failure::number(code) != 0 {
                    life.members.main.note_failed();
                }
                code
            };
            run_main(&life, main).await;
            driver.joined(&life).await;
        });

        // The lines of the stop are written, and metrics published, before a subscriber's guard is dropped; the report
        // comes last.
        let untracked = tear_down(&life, runtime, is_last);
        let fatal = fatal_signal(&life);
        #[cfg(feature = "metrics")]
        life.teardown.leave_to_the_user(|| crate::with::metrics::publish(&life));
        #[cfg(feature = "tower")]
        if let Some(what) = life.diagnostics.cuts.summary() {
            life.writer.say(crate::say::connections::cut_off(&what));
        }
        let needs_report = || fatal.is_none() && publish::is_needed(&life);
        let is_written = if needs_report() {
            life.writer.flush(until_report(&life).min(for_last_lines(&life)))
        } else {
            let code = if fatal.is_some() { 0 } else { life.diagnostics.failures.code() };
            farewell(&life, untracked, code);
            life.writer.finish(for_last_lines(&life))
        };
        for value in life.teardown.take_kept() {
            if !life.teardown.leave_to_the_user(|| outcome::discard(value)) {
                life.writer.say(lines::kept_value_panicked());
            }
        }
        at_exit::run(&life, for_last_lines(&life).min(EXIT_FUNCTIONS));
        #[cfg(all(unix, feature = "upgrade"))]
        crate::with::upgrade::end(&life);
        let code = life.diagnostics.failures.code();
        #[cfg(feature = "page")]
        life.listeners.viewers.finish(for_last_lines(&life));
        if needs_report() {
            publish::settle(&life);
            publish::publish(&life, code, untracked);
        }
        // If standard error did not take the lines before, it does not take them now.
        if is_written || code != 0 {
            life.writer.finish(for_last_lines(&life));
        }
        #[cfg(all(unix, feature = "systemd"))]
        life.listeners.systemd.finish(for_last_lines(&life));
        // What is left is the program's own: destructors of main's thread, exit handlers.
        life.teardown.mains_thread_is_at(MainsThread::Leaving(std::time::Instant::now()));
        if let Some(signal) = fatal {
            let _ = io::stdout().flush();
            sys::die_of(signal.number());
        }
        // PID 1 is still here, and has its deadline as any other.
        let code = fatal.map_or(code, failure::of_signal);
        if is_last {
            // The watch stays armed, and signals stay held, until the process is gone.
            std::mem::forget((handlers, attended));
        } else {
            drop((handlers, attended));
        }
        drop((entered, claim));
        ExitCode::from(code)
    }
}

/// Ends the lifecycle's threads when it is dropped, on whatever path.
pub(crate) struct Attended(pub(crate) Arc<Lifecycle>);

impl Drop for Attended {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Runs main as a tracked future, and notes its exit code.
async fn run_main<F: Future<Output = ExitCode>>(life: &Arc<Lifecycle>, main: F) {
    match track_main(life, main).await {
        Exit::Returned(code) | Exit::Failed(code) => match failure::number(code) {
            0 => {}
            code => life.fail(Failure::new(Subject::Main, FailureKind::Code(code))),
        },
        Exit::Panicked(payload) => {
            outcome::discard(payload);
        }
        Exit::Aborted | Exit::ChildFailed(_) => {}
    }
}

/// Main as a tracked future; it is dropped before this resolves.
pub(crate) async fn track_main<F: Future>(life: &Arc<Lifecycle>, main: F) -> Exit<F::Output> {
    let registration = Registration::of_main(life);
    let mut main = Box::pin(Tracked::new(main, Judged::Well, registration));
    let completion = main.as_mut().await;
    // A destructor of main's that panics is noted by its registration, and ends nothing else.
    outcome::discard(main);
    completion.take().map_or_else(|exit| exit, Exit::Returned)
}

/// The signal to die of: it caused the stop, `reraise` is set, and nothing failed but main.
fn fatal_signal(life: &Lifecycle) -> Option<Signal> {
    let Some(Cause::Signal(signal)) = life.phase.cause() else {
        return None;
    };
    (life.settings.reraise && life.diagnostics.failures.are_mains_alone()).then_some(*signal)
}

/// Shuts the runtime down, and waits for nothing but the destructors of untracked tasks, for a moment. Returns how many
/// of those tasks there were. If the process ends with it and no task is left, its threads stay asleep: waking them all
/// would only delay the end.
fn tear_down(life: &Lifecycle, runtime: Runtime, is_last: bool) -> usize {
    let count = || life.tasks_alive().saturating_sub(life.members.workers());
    let awake = || awake_beside_main(runtime.handle());
    let settled = std::time::Instant::now() + TASK_SETTLING;
    while count() > 0 && awake() > 0 && std::time::Instant::now() < settled {
        std::thread::yield_now();
    }
    // A thread that was kept from running may have yet to leave the task of a worker that has ended.
    let (left, running) = (count(), awake());
    let untracked = left.saturating_sub(running);
    if is_last && life.tasks_alive() == 0 {
        std::mem::forget(runtime);
        return 0;
    }
    let limit = if left > 0 { until_report(life).min(UNTRACKED) } else { Duration::ZERO };
    life.teardown.leave_to_the_user(|| runtime.shutdown_timeout(limit));
    untracked
}

/// How long it is until the watch gives the report to the writer.
fn until_report(life: &Lifecycle) -> Duration {
    let at = life.phase.budget().and_then(Budget::report_at);
    at.map_or(Duration::MAX, |at| at.saturating_duration_since(life.now()))
}

/// How long the process stays for lines that are not written yet: no longer than its budget lasts, unless that is too
/// short to write anything.
fn for_last_lines(life: &Lifecycle) -> Duration {
    let left = life.phase.budget().map_or(LAST_LINES, |budget| budget.left(life.now()));
    left.clamp(LAST_LINES_AT_LEAST, LAST_LINES)
}

/// The lines of an end that needs no report.
fn farewell(life: &Lifecycle, untracked: usize, code: u8) {
    if untracked > 0 {
        life.writer.say(lines::untracked_dropped(untracked));
    }
    life.notice_replaced_handlers();
    let took = life.phase.budget().map_or(Duration::ZERO, |budget| life.now() - budget.asked());
    if code != 0 {
        life.writer.say(lines::ended(code, failure::MAINS_OWN, took));
    }
    life.writer.say_at_once(lines::stopped(life.phase.cause(), took, code));
}
