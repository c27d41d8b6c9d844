//! The hooks of a lifecycle, and how far each has come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::model::failure::FailureKind;
use crate::model::hook::{HookStage, Progress};
use crate::os::lock::Lock;

/// The run of a hook. Nothing of it runs before it is polled.
pub(crate) type Run = Pin<Box<dyn Future<Output = Result<(), FailureKind>> + Send>>;

/// The hooks of a lifecycle, in the order of their registration.
#[derive(Default)]
pub(crate) struct Hooks(Lock<List>);

/// A hook's number in its lifecycle. A name can be given to a second hook while the first one runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HookId(u64);

#[derive(Default)]
struct List {
    hooks: Vec<Hook>,
    /// The number of the next hook.
    next: u64,
    /// The stages whose moment has come.
    begun: Vec<HookStage>,
    /// No hook is started any more.
    closed: bool,
}

struct Hook {
    id: HookId,
    stage: HookStage,
    name: Arc<str>,
    run: Option<Run>,
    /// Whether it has been polled: on a runtime that is blocked it may never be.
    polled: bool,
    task: Option<AbortHandle>,
    began: Option<Instant>,
    took: Option<Duration>,
    progress: Progress,
}

/// A hook as others see it.
#[derive(Clone, Debug)]
pub(crate) struct HookView {
    pub(crate) stage: HookStage,
    pub(crate) name: Arc<str>,
    pub(crate) progress: Progress,
    /// When it began.
    pub(crate) began: Option<Instant>,
    /// How long it took, or has been running.
    pub(crate) took: Option<Duration>,
}

impl Hooks {
    /// Returns whether there is still time for it.
    pub(crate) fn add(&self, stage: HookStage, name: Arc<str>, run: Run) -> bool {
        let mut list = self.lock();
        if list.closed {
            return false;
        }
        let hook = Hook {
            id: HookId(list.next),
            stage,
            name,
            run: Some(run),
            polled: false,
            task: None,
            began: None,
            took: None,
            progress: Progress::Waiting,
        };
        list.next += 1;
        let same = |other: &Hook| other.stage == hook.stage && other.name == hook.name && other.began.is_none();
        let replaced = list.hooks.iter().position(same).map(|index| list.hooks.remove(index));
        list.hooks.push(hook);
        drop(list);
        // What the replaced hook has captured is dropped here, not under the lock.
        drop(replaced);
        true
    }

    /// Whether `before_stop` hooks have to run before main is told to stop.
    pub(crate) fn has_before_stop(&self) -> bool {
        self.lock().hooks.iter().any(|hook| hook.stage == HookStage::BeforeStop && hook.is_open())
    }

    pub(crate) fn has_begun(&self, stage: HookStage) -> bool {
        self.lock().begun.contains(&stage)
    }

    /// From now on hooks of this stage are started as they come.
    pub(crate) fn open(&self, stage: HookStage) {
        self.lock().begun.push(stage);
    }

    /// How many hooks of a stage have not been started.
    pub(crate) fn waiting(&self, stage: HookStage) -> usize {
        self.lock().hooks.iter().filter(|hook| hook.stage == stage && hook.progress == Progress::Waiting).count()
    }

    /// Marks the hook registered last, among those that wait, as running. Returns its run and its name.
    pub(crate) fn begin_next(&self, stage: HookStage, now: Instant) -> Option<(HookId, Arc<str>, Run)> {
        let mut list = self.lock();
        let waits = |hook: &&mut Hook| hook.stage == stage && hook.progress == Progress::Waiting;
        let hook = list.hooks.iter_mut().rev().find(waits)?;
        let run = hook.run.take()?;
        hook.progress = Progress::Running;
        hook.began = Some(now);
        Some((hook.id, Arc::clone(&hook.name), run))
    }

    pub(crate) fn began(&self, id: HookId, task: AbortHandle) {
        self.with(id, |hook| hook.task = Some(task));
    }

    pub(crate) fn polled(&self, id: HookId) {
        self.with(id, |hook| hook.polled = true);
    }

    /// Returns how long it took.
    pub(crate) fn end(&self, id: HookId, progress: Progress, now: Instant) -> Option<Duration> {
        let end = |hook: &mut Hook| {
            hook.progress = progress;
            hook.took = hook.began.map(|began| now - began);
            hook.took
        };
        self.with(id, end).flatten()
    }

    pub(crate) fn is_running(&self, stage: HookStage) -> bool {
        self.lock().hooks.iter().any(|hook| hook.stage == stage && hook.progress == Progress::Running)
    }

    pub(crate) fn is_any_running(&self) -> bool {
        let list = self.lock();
        list.hooks.iter().any(|hook| hook.progress == Progress::Running)
    }

    /// Aborts those that are running, and returns them.
    pub(crate) fn abort(&self, now: Instant) -> Vec<HookView> {
        let mut list = self.lock();
        let (mut tasks, mut aborted) = (Vec::new(), Vec::new());
        for hook in &mut list.hooks {
            if hook.progress == Progress::Running {
                hook.progress = if hook.polled { Progress::Aborted } else { Progress::NotRun };
                hook.took = hook.began.map(|began| now - began);
                tasks.extend(hook.task.take());
                aborted.push(hook.seen(now));
            }
        }
        drop(list);
        tasks.iter().for_each(AbortHandle::abort);
        aborted
    }

    /// Lets no hook start any more. Gives up those that were never started, and returns them with their runs: what these
    /// have captured may hold the lifecycle.
    pub(crate) fn close(&self, now: Instant) -> Vec<(HookView, Option<Run>)> {
        let mut list = self.lock();
        list.closed = true;
        list.give_up(|_| true, now)
    }

    /// The same for the hooks of one stage: others may still start.
    #[cfg(all(unix, feature = "upgrade"))]
    pub(crate) fn skip(&self, stage: HookStage, now: Instant) -> Vec<(HookView, Option<Run>)> {
        self.lock().give_up(|hook| hook.stage == stage, now)
    }

    pub(crate) fn seen(&self, now: Instant) -> Vec<HookView> {
        self.lock().hooks.iter().map(|hook| hook.seen(now)).collect()
    }

    fn with<T>(&self, id: HookId, act: impl FnOnce(&mut Hook) -> T) -> Option<T> {
        let mut list = self.lock();
        let running = |hook: &&mut Hook| hook.id == id && hook.progress == Progress::Running;
        list.hooks.iter_mut().find(running).map(act)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock()
    }
}

impl List {
    fn give_up(&mut self, which: impl Fn(&Hook) -> bool, now: Instant) -> Vec<(HookView, Option<Run>)> {
        let mut given_up = Vec::new();
        for hook in self.hooks.iter_mut().filter(|hook| hook.progress == Progress::Waiting && which(hook)) {
            hook.progress = Progress::NotRun;
            given_up.push((hook.seen(now), hook.run.take()));
        }
        given_up
    }
}

impl Hook {
    fn is_open(&self) -> bool {
        matches!(self.progress, Progress::Waiting | Progress::Running)
    }

    fn seen(&self, now: Instant) -> HookView {
        let took = self.took.or_else(|| self.began.map(|began| now - began));
        HookView { stage: self.stage, name: Arc::clone(&self.name), progress: self.progress, began: self.began, took }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
