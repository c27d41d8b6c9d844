//! Hooks: named futures that run once, at a certain point of the stop.
//!
//! A hook runs on the user's runtime, as a task of its own. It may fail, panic or hang: that is noted, and keeps no
//! other hook from running.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::life::hook_list::Run;
use crate::life::lifecycle::Lifecycle;
use crate::life::limit::Limit;
use crate::model::exit::Exit;
use crate::model::failure::{Failure, FailureKind, Subject};
use crate::model::hook::{HookStage, Progress};
use crate::model::name::ToName;
use crate::model::outcome::{Outcome, Verdict};
#[cfg(all(unix, feature = "upgrade"))]
use crate::say::upgrades;
use crate::say::{failures, lines};
use crate::work::ambient;
use crate::work::ambient::Caller;
use crate::work::blocking;
use crate::work::current;
use crate::work::guarded::guarded;

/// How many tries an `on_stop` hook that returns errors has in all.
const TRIES: u32 = 3;
/// The pause before the second try; doubled before the third.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs when the stop is asked for, while everything is still being served, all hooks at once.
///
/// The drain lasts at least until these hooks are done, but never longer than half the budget. The place to leave a
/// registry or to notify a load balancer. An error or a panic is a warning: it does not change the exit code. One that
/// is still running when half the budget is gone is aborted, and the exit code is 124 if that is the first failure. The
/// same name replaces an earlier hook that has not begun. One that is registered after its moment runs at once.
///
/// In an [`upgrade`](crate::upgrade()) the hooks of the old process run when it stops, after the new one has taken over:
/// what leaves a registry returns early where [`cause()`](crate::cause) is `Some(Cause::Upgraded(_))`. A new process that
/// ends before it is ready runs none, since the old one goes on.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn before_stop<'a, F, Fut>(name: &'a (impl ToName<'a> + ?Sized), hook: F)
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static, // a hook is asynchronous: `|| async { .. }`
{
    register(HookStage::BeforeStop, name.to_name(), once(hook));
}

/// Runs when main and its workers are told to stop, beside them, all hooks at once.
///
/// The stop waits for it as for a worker. A hook that returns an error is tried up to three times, with growing pauses,
/// while time remains. A failure makes the exit code 1 if it is the first. The same name replaces an earlier hook that
/// has not begun. One that is registered after its moment runs at once.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn on_stop<'a, F, Fut>(name: &'a (impl ToName<'a> + ?Sized), mut hook: F)
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static, // a hook is asynchronous: `|| async { .. }`
{
    let name = name.to_name();
    let hook_name: Arc<str> = name.as_ref().into();
    let run = async move {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match verdict(hook()).await {
                Err(how @ FailureKind::Error(_)) => {
                    let subject = Subject::Hook(HookStage::OnStop, Arc::clone(&hook_name));
                    retry_after(&Failure::new(subject, how), pause).await;
                }
                settled => return settled,
            }
            pause *= 2;
        }
        verdict(hook()).await
    };
    register(HookStage::OnStop, name, Box::pin(run));
}

/// Runs when main and all workers have been joined or aborted, one hook after the other, the last registered first,
/// each with its share of what is left of the budget.
///
/// The place to close what the others used: a database pool. What closes by a call that blocks, as exporters of traces
/// do, belongs in [`after_stop_blocking`]. A failure makes the exit code 1 if it is the first. The
/// same name replaces an earlier hook. One that is registered while these hooks run is the next; a later one is not
/// run, and a line says so.
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn after_stop<'a, F, Fut>(name: &'a (impl ToName<'a> + ?Sized), hook: F)
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static, // a hook is asynchronous: `|| async { .. }`
{
    register(HookStage::AfterStop, name.to_name(), once(hook));
}

/// [`after_stop`] for a call that blocks its thread: it runs on tokio's pool of blocking threads.
///
/// The place to flush and close what has threads or tasks of its own: an exporter of traces, a reporter of errors. Such a
/// call often waits for a task of the runtime. In [`after_stop`] it would keep that task from running where the runtime
/// has one thread, and wait until its own timeout.
///
/// The runtime still runs, so what it waits for may use it. A call that takes longer than its share of the budget cannot
/// be interrupted: it is named, code 124, the other hooks run, and the process ends without it. An `Err` is a failure, as
/// in [`after_stop`]; so return the result of the call instead of dropping it.
///
/// ```no_run
/// # #[derive(Clone)] struct Provider; #[derive(Debug)] struct Error;
/// # impl Provider { fn shutdown(&self) -> Result<(), Error> { Ok(()) } }
/// # fn f(provider: Provider) {
/// graceful::after_stop_blocking("traces", move || provider.shutdown());
/// # }
/// ```
///
/// # Panics
///
/// At the caller's line, outside any lifecycle.
#[track_caller]
pub fn after_stop_blocking<'a, F, R>(name: &'a (impl ToName<'a> + ?Sized), hook: F)
where
    F: FnOnce() -> R + Send + 'static,
    R: Outcome,
{
    register(HookStage::AfterStop, name.to_name(), once(move || blocking::on_the_pool(hook)));
}

async fn retry_after(failure: &Failure, pause: Duration) {
    if let Some(life) = ambient::lifecycle() {
        life.writer.say(failures::restarting(failure, pause));
    }
    sleep(pause).await;
}

fn once<F, Fut>(hook: F) -> Run
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    Box::pin(async move { verdict(hook()).await })
}

async fn verdict<Fut: Future<Output: Outcome>>(run: Fut) -> Result<(), FailureKind> {
    run.await.failure().map_or(Ok(()), |text| Err(FailureKind::Error(text)))
}

#[track_caller]
fn register(stage: HookStage, name: Cow<'static, str>, run: Run) {
    let life = Caller::expect("registering a hook").life;
    let name: Arc<str> = name.into_owned().into();
    if !life.hooks.add(stage, Arc::clone(&name), run) {
        return note(&life, stage, name, FailureKind::NotRun);
    }
    if stage != HookStage::AfterStop && life.hooks.has_begun(stage) {
        start(&life, stage);
    } else if stage == HookStage::AfterStop {
        life.notifier.wake_driver();
    }
}

/// Starts all hooks of a stage that have not been started.
pub(crate) fn start(life: &Arc<Lifecycle>, stage: HookStage) {
    #[cfg(all(unix, feature = "upgrade"))]
    if stage == HookStage::BeforeStop && life.succession.leaves_the_service_to_the_predecessor() {
        return skip(life, stage);
    }
    let until = life.phase.budget().and_then(|budget| match stage {
        HookStage::BeforeStop if budget.half().is_some_and(|half| life.now() < half) => budget.half(),
        _ => budget.abort_at(),
    });
    while start_last(life, stage, until) {}
}

/// Starts none of them: the process before this one goes on, under the same name in every registry. What they have
/// captured, main's thread drops.
#[cfg(all(unix, feature = "upgrade"))]
fn skip(life: &Lifecycle, stage: HookStage) {
    for (hook, run) in life.hooks.skip(stage, life.now()) {
        life.teardown.keep(Box::new(run));
        life.writer.say(upgrades::hook_skipped(stage, &hook.name));
    }
}

/// Starts the hook registered last among those not yet started; it is aborted at `until`. Returns whether there was one.
pub(crate) fn start_last(life: &Arc<Lifecycle>, stage: HookStage, until: Option<Instant>) -> bool {
    let Some((id, name, run)) = life.hooks.begin_next(stage, life.now()) else {
        return false;
    };
    let Some(runtime) = life.runtime.get() else {
        return true;
    };
    let task = runtime.spawn({
        let life = Arc::clone(life);
        async move {
            life.hooks.polled(id);
            let mut run = guarded(run);
            let limit = Limit::Hook(until);
            let run = poll_fn(|context| current::limited(Some(limit.clone()), || run.as_mut().poll(context)));
            let outcome = match run.await {
                Exit::Returned(outcome) | Exit::Failed(outcome) => outcome,
                Exit::Panicked(payload) => Err(FailureKind::panic(payload.as_ref())),
                Exit::Aborted | Exit::ChildFailed(_) => return,
            };
            let progress = progress(&outcome);
            if let Some(took) = life.hooks.end(id, progress, life.now()) {
                life.writer.say(lines::hook_ended(stage, &name, progress, took));
            }
            if let Err(how) = outcome {
                note(&life, stage, name, how);
            }
            life.notifier.wake_driver();
        }
    });
    life.hooks.began(id, task.abort_handle());
    true
}

/// Aborts the hooks that are running, and notes each.
pub(crate) fn abort_running(life: &Lifecycle) {
    for hook in life.hooks.abort(life.now()) {
        let how = match hook.progress {
            Progress::NotRun => FailureKind::NotRun,
            _ => FailureKind::Overrun(hook.took.unwrap_or_default()),
        };
        note(life, hook.stage, hook.name, how);
    }
}

/// From now on no hook is started. Notes those that never were; what they have captured, main's thread drops.
pub(crate) fn give_up_waiting(life: &Lifecycle) {
    for (hook, run) in life.hooks.close(life.now()) {
        life.teardown.keep(Box::new(run));
        note(life, hook.stage, hook.name, FailureKind::NotRun);
    }
}

/// An error or a panic is a warning before the stop, and a failure of the process from then on. One that hangs is a
/// failure at any time.
pub(crate) fn note(life: &Lifecycle, stage: HookStage, name: Arc<str>, how: FailureKind) {
    let is_tolerated = stage == HookStage::BeforeStop && !matches!(how, FailureKind::Overrun(_));
    let failure = Failure::new(Subject::Hook(stage, name), how);
    if is_tolerated {
        life.writer.say(failures::logged(&failure));
    } else {
        life.note_failure(failure);
    }
}

/// The progress of a hook that has ended with this outcome.
fn progress(outcome: &Result<(), FailureKind>) -> Progress {
    match outcome {
        Ok(()) => Progress::Done,
        Err(FailureKind::Panic(_)) => Progress::Panicked,
        Err(_) => Progress::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::test::unit::lifecycle;

    #[test]
    fn a_hook_that_is_never_run_keeps_no_lifecycle() {
        let life = lifecycle();
        let run = || -> Run {
            let handle = Arc::clone(&life);
            Box::pin(async move {
                drop(handle);
                Ok(())
            })
        };
        assert!(life.hooks.add(HookStage::AfterStop, "in time".into(), run()));
        give_up_waiting(&life);
        life.teardown.take_kept().for_each(drop);
        assert!(!life.hooks.add(HookStage::AfterStop, "too late".into(), run()));
        assert_eq!(Arc::strong_count(&life), 1);
    }
}
