//! The hooks of a lifecycle, and how far each has come.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{HookStage, Progress, Run};

/// The hooks of a lifecycle, in the order of their registration.
#[derive(Default)]
pub(crate) struct Hooks(Mutex<List>);

#[derive(Default)]
struct List {
    hooks: Vec<Hook>,
    /// The stages whose moment has come.
    begun: Vec<HookStage>,
    /// Nothing is run any more.
    closed: bool,
}

struct Hook {
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
pub(crate) struct Seen {
    pub(crate) stage: HookStage,
    pub(crate) name: Arc<str>,
    pub(crate) progress: Progress,
    /// When it began.
    pub(crate) began: Option<Instant>,
    /// How long it took, or has been running.
    pub(crate) took: Option<Duration>,
}

impl Hooks {
    pub(super) fn add(&self, stage: HookStage, name: Arc<str>, run: Run) {
        let hook = Hook {
            stage,
            name,
            run: Some(run),
            polled: false,
            task: None,
            began: None,
            took: None,
            progress: Progress::Waiting,
        };
        let mut list = self.lock();
        let same = |other: &Hook| {
            other.stage == hook.stage && other.name == hook.name && other.began.is_none()
        };
        let replaced = list
            .hooks
            .iter()
            .position(same)
            .map(|index| list.hooks.remove(index));
        list.hooks.push(hook);
        drop(list);
        // What a hook has captured is dropped by whoever replaces it, not under the lock.
        drop(replaced);
    }

    /// Whether hooks have to run before anybody is told to stop.
    pub(crate) fn must_be_heard_first(&self) -> bool {
        self.lock()
            .hooks
            .iter()
            .any(|hook| hook.stage == HookStage::BeforeStop && hook.is_open())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) fn has_begun(&self, stage: HookStage) -> bool {
        self.lock().begun.contains(&stage)
    }

    /// From now on hooks of this stage are started as they come.
    pub(crate) fn open(&self, stage: HookStage) {
        self.lock().begun.push(stage);
    }

    /// How many hooks of a stage have not been started.
    pub(crate) fn waiting(&self, stage: HookStage) -> usize {
        self.lock()
            .hooks
            .iter()
            .filter(|hook| hook.stage == stage && hook.progress == Progress::Waiting)
            .count()
    }

    /// Marks the hook registered last, among those that wait, as running.
    pub(super) fn begin_next(&self, stage: HookStage) -> Option<Arc<str>> {
        let mut list = self.lock();
        let waits = |hook: &&mut Hook| hook.stage == stage && hook.progress == Progress::Waiting;
        let hook = list.hooks.iter_mut().rev().find(waits)?;
        hook.progress = Progress::Running;
        hook.began = Some(Instant::now());
        Some(Arc::clone(&hook.name))
    }

    pub(super) fn take_run(&self, stage: HookStage, name: &str) -> Option<Run> {
        self.with(stage, name, |hook| hook.run.take()).flatten()
    }

    pub(super) fn began(&self, stage: HookStage, name: &str, task: AbortHandle) {
        self.with(stage, name, |hook| hook.task = Some(task));
    }

    pub(super) fn polled(&self, stage: HookStage, name: &str) {
        self.with(stage, name, |hook| hook.polled = true);
    }

    /// Returns how long it took.
    pub(super) fn end(&self, stage: HookStage, name: &str, progress: Progress) -> Option<Duration> {
        let end = |hook: &mut Hook| {
            hook.progress = progress;
            hook.took = hook.began.map(|began| began.elapsed());
            hook.took
        };
        self.with(stage, name, end).flatten()
    }

    pub(crate) fn is_running(&self, stage: HookStage) -> bool {
        self.lock()
            .hooks
            .iter()
            .any(|hook| hook.stage == stage && hook.progress == Progress::Running)
    }

    /// Aborts those that are running, and returns them.
    pub(crate) fn abort(&self) -> Vec<Seen> {
        let mut list = self.lock();
        let (mut tasks, mut aborted) = (Vec::new(), Vec::new());
        for hook in &mut list.hooks {
            if hook.progress == Progress::Running {
                hook.progress = if hook.polled {
                    Progress::Aborted
                } else {
                    Progress::NotRun
                };
                hook.took = hook.began.map(|began| began.elapsed());
                tasks.extend(hook.task.take());
                aborted.push(hook.seen());
            }
        }
        drop(list);
        tasks.iter().for_each(AbortHandle::abort);
        aborted
    }

    /// Runs nothing any more. Gives up those that were never started, and returns them.
    pub(crate) fn close(&self) -> Vec<Seen> {
        let mut list = self.lock();
        list.closed = true;
        let mut given_up = Vec::new();
        for hook in &mut list.hooks {
            if hook.progress == Progress::Waiting {
                hook.progress = Progress::NotRun;
                given_up.push(hook.seen());
            }
        }
        given_up
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.lock().hooks.iter().map(Hook::seen).collect()
    }

    fn with<T>(&self, stage: HookStage, name: &str, act: impl FnOnce(&mut Hook) -> T) -> Option<T> {
        let mut list = self.lock();
        let running = |hook: &&mut Hook| {
            hook.stage == stage && *hook.name == *name && hook.progress == Progress::Running
        };
        list.hooks.iter_mut().find(running).map(act)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook {
    fn is_open(&self) -> bool {
        matches!(self.progress, Progress::Waiting | Progress::Running)
    }

    fn seen(&self) -> Seen {
        let took = self
            .took
            .or_else(|| self.began.map(|began| began.elapsed()));
        Seen {
            stage: self.stage,
            name: Arc::clone(&self.name),
            progress: self.progress,
            began: self.began,
            took,
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.seen()).finish()
    }
}
