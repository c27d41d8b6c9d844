//! Functions with which code anywhere in the process controls its lifecycle, and reads its state.

use std::any::Any;
use std::panic::Location;

use crate::model::state::{Cause, Stage, State};
use crate::os::signal::{self, Signal};
use crate::work::ambient::Caller;
use crate::work::{ambient, cancellation, current};

/// Asks for the stop of the whole lifecycle, from any thread. Returns at once.
///
/// When it returns the state has changed: [`is_stopping`](crate::is_stopping) is true on the next line, for main and
/// its workers. A second call has no effect: the first cause is kept.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn stop() {
    Caller::expect("stop()").life.begin_stop(Cause::Request(Location::caller()));
}

/// Marks the service as ready: [`is_ready`] and [`State::Ready`] from now on, until the stop or [`not_ready`]. No
/// effect when it is ready already, once a stop was asked for, and outside any lifecycle.
pub fn ready() {
    if let Some(life) = ambient::lifecycle() {
        life.set_ready(true);
    }
}

/// Takes [`ready`] back: the state is [`State::Starting`] again. No effect once a stop was asked for.
pub fn not_ready() {
    if let Some(life) = ambient::lifecycle() {
        life.set_ready(false);
    }
}

/// Whether the service is ready: between [`ready`] and the stop. What a readiness probe should answer. After an upgrade in
/// place it stays true until this process has ended: the service is ready, in the next process.
pub fn is_ready() -> bool {
    let Some(life) = ambient::lifecycle() else { return false };
    life.phase.state() == State::Ready || matches!(life.phase.cause(), Some(Cause::Upgraded(_)))
}

/// How far the lifecycle has come. [`State::Starting`] outside any lifecycle.
pub fn state() -> State {
    ambient::lifecycle().map_or(State::Starting, |life| life.phase.state())
}

/// Resolves when the lifecycle is at `state` or past it. Never resolves outside any lifecycle.
///
/// # Cancel safety
///
/// Dropping it loses nothing.
pub fn wait_for(state: State) -> impl Future<Output = ()> + Send + 'static {
    let caller = cancellation::asking();
    async move {
        match caller {
            Some(caller) => caller.life.notifier.until(|| caller.life.phase.state() >= state).await,
            None => std::future::pending().await,
        }
    }
}

/// Resolves when no worker of the stages [`Early`](crate::Stage::Early) and [`Main`](crate::Stage::Main) is left, and
/// no [`hold`](crate::hold()), without stopping any: how a batch program or a command-line tool waits for what it started.
/// Workers of the later stages only serve the others, as a health server does, and end when they are told to; they are
/// not waited for.
///
/// Called from a worker, it waits for the others; two workers that call it wait for each other. Outside any lifecycle
/// it resolves at once.
///
/// # Cancel safety
///
/// Dropping it loses nothing.
pub fn idle() -> impl Future<Output = ()> + Send + 'static {
    let caller = Caller::find();
    async move {
        if let Some(caller) = caller {
            let is_waited_for = matches!(caller.stage(), Stage::Early | Stage::Main);
            let me = usize::from(caller.worker().is_some());
            if current::has_parent() {
                // The workers above may be alive only because of the caller.
                caller.life.members.watch_each();
            } else {
                caller.life.members.watch();
            }
            // What the caller was started by and has returned waits for the caller.
            let mine = || if is_waited_for { me + current::waiting_above() } else { 0 };
            let is_idle = || caller.life.members.own_work() <= mine();
            caller.life.notifier.until(is_idle).await;
        }
    }
}

/// The signals that have asked the lifecycle of this process to stop, also those that came when it was stopping already.
/// Empty before the first one.
///
/// The answer stays after the lifecycle is over, until the next one begins. That is for a plain `main` which runs one
/// lifecycle after another, to read its configuration anew or to become another program: a SIGTERM that comes while a
/// lifecycle stops for another cause is not the [`cause`], and asks the program to end all the same.
///
/// ```no_run
/// #[graceful::main]
/// async fn run() { /* … ends with graceful::stop() to begin anew */ }
///
/// fn main() -> std::process::ExitCode {
///     loop {
///         let code = run();
///         let failed = code != std::process::ExitCode::SUCCESS;
///         if failed || !graceful::stop_signals().is_empty() {
///             return code;
///         }
///     }
/// }
/// ```
///
/// Between two lifecycles a signal has its default meaning. Tests get no signals. A function called `main` is for the
/// `main` of the program: after it the process ends, so give the function of a loop another name.
pub fn stop_signals() -> Vec<Signal> {
    signal::stops()
}

/// Why the lifecycle stops. `None` before a stop was asked for, and outside any lifecycle.
pub fn cause() -> Option<Cause> {
    ambient::lifecycle()?.phase.cause().cloned()
}

/// Keeps `value` until everything else is over, then drops it: a logging guard, a profiler. Values are dropped in
/// reverse order, on main's thread, after the runtime is gone. Where the watch has to end the process, they are not
/// dropped. A value given when all is over is dropped at once.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn keep<T: Any + Send>(value: T) {
    Caller::expect("keep()").life.teardown.keep(Box::new(value));
}
