//! An entry for each worker function of a lifecycle, and for each name given at run time: its name, its policy, and how
//! many workers there were.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use crate::life::by_thread::ByThread;
use crate::life::function::Function;
use crate::life::scope::Scope;
use crate::life::trouble::Trouble;
use crate::model::exit::ExitKind;
use crate::model::failure::Subject;
use crate::model::label::{EntryId, Label};
use crate::model::policy::Policy;
use crate::os::lock::Lock;

/// Workers of several entries have started them.
const SEVERAL: u32 = u32::MAX;
/// They were started by no worker.
const NONE: u32 = u32::MAX - 1;

/// What is known of the workers of one name.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// The function, once a worker of it was started here.
    function: OnceLock<&'static Function>,
    /// The name given at run time. It changes once nothing runs under it.
    given: Lock<Option<Arc<Label>>>,
    counts: ByThread<Counts>,
    pub(crate) restarted: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// When the last of them ended, in milliseconds since the stop was asked for, plus one; 0 before that.
    pub(crate) ended_at: AtomicU32,
    /// How many of them have ended a run, and wait for the next one.
    between_runs: AtomicU32,
    /// What went wrong lately.
    pub(crate) trouble: Trouble,
    /// How many of them have ended their own code, and wait for what they have started.
    pub(crate) lingering: AtomicU32,
    /// The entry of the workers that have started them, plus one; 0 before the first, or one of the marks above.
    parent: AtomicU32,
    /// One of them was stopped, apart from its stage.
    was_stopped: AtomicBool,
    /// A line has said that none of them is left.
    idle_said: AtomicBool,
    /// Results that workers of this entry have left behind: their destructors run in its name.
    pub(crate) results: AtomicU32,
    /// No other name gets the entry, so its holder counts in it without a look-up each time.
    kept: AtomicBool,
}

/// What a part of the threads has counted. A start and the end of the same worker may be in two parts.
#[derive(Debug, Default)]
struct Counts {
    started: AtomicU64,
    /// By [`ExitKind`].
    ended: [AtomicU64; 4],
}

impl Counts {
    fn started(&self) -> u64 {
        self.started.load(Ordering::Acquire)
    }

    fn ended(&self, kind: ExitKind) -> &AtomicU64 {
        &self.ended[kind as usize]
    }

    fn ended_anyhow(&self) -> u64 {
        self.ended.iter().map(|count| count.load(Ordering::Acquire)).sum()
    }

    fn clear(&self) {
        self.started.store(0, Ordering::Relaxed);
        self.ended.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// A worker that waits for what it has started.
pub(crate) struct Lingering<'a>(&'a Entry);

impl Drop for Lingering<'_> {
    fn drop(&mut self) {
        self.0.lingering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A worker between two runs. It is alive, and the run that has ended is counted.
pub(crate) struct BetweenRuns<'a> {
    entry: &'a Entry,
    /// In which part it is counted.
    thread: u32,
    kind: ExitKind,
    /// When it is restarted.
    restart: Option<Instant>,
    /// Whether another run comes. If none does, since the worker is stopped or aborted, it counts its own end instead.
    pub(crate) comes: bool,
}

impl Drop for BetweenRuns<'_> {
    fn drop(&mut self) {
        if let Some(due) = self.restart {
            self.entry.trouble.waited(due, self.comes);
            self.entry.restarted.fetch_add(u64::from(self.comes), Ordering::Relaxed);
        }
        if self.comes {
            self.entry.start(self.thread);
        } else {
            self.entry.counts.of(self.thread).ended(self.kind).fetch_sub(1, Ordering::Release);
        }
        self.entry.between_runs.fetch_sub(1, Ordering::Release);
    }
}

impl Entry {
    /// How many are alive. Others start and end meanwhile, so it is a moment out of date.
    pub(crate) fn live(&self) -> u64 {
        let ended = self.sum(Counts::ended_anyhow);
        let waiting = u64::from(self.between_runs.load(Ordering::Acquire));
        (self.started() + waiting).saturating_sub(ended)
    }

    /// How many have begun.
    pub(crate) fn started(&self) -> u64 {
        self.sum(Counts::started)
    }

    /// How many have ended this way.
    pub(crate) fn ended(&self, kind: ExitKind) -> u64 {
        self.sum(|part| part.ended(kind).load(Ordering::Acquire))
    }

    /// How many have begun and ended.
    pub(super) fn turnover(&self) -> u64 {
        self.sum(|part| part.started().wrapping_add(part.ended_anyhow()))
    }

    /// What all threads have counted.
    fn sum(&self, count: impl Fn(&Counts) -> u64) -> u64 {
        let mut sum = 0u64;
        self.counts.each(|part| sum = sum.wrapping_add(count(part)));
        sum
    }

    /// How many run code of their own.
    pub(crate) fn running(&self) -> u64 {
        self.live().saturating_sub(self.lingering.load(Ordering::Relaxed).into())
    }

    /// Whether one was ever started, or refused.
    pub(super) fn is_used(&self) -> bool {
        self.started() + self.refused.load(Ordering::Relaxed) > 0
    }

    /// Whether another name may have it.
    pub(super) fn is_free(&self) -> bool {
        // Twice: one that is between two runs may leave that state while it is counted.
        let has_none = || self.live() == 0;
        has_none() && has_none() && self.results.load(Ordering::Acquire) == 0 && !self.kept.load(Ordering::Relaxed)
    }

    /// Counts one that has ended.
    #[inline]
    pub(crate) fn end(&self, thread: u32, kind: ExitKind) {
        self.counts.of(thread).ended(kind).fetch_add(1, Ordering::Release);
    }

    /// Counts one more.
    #[inline]
    pub(crate) fn start(&self, thread: u32) {
        self.counts.of(thread).started.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a start back that this thread's part has.
    pub(crate) fn take_start_back(&self, thread: u32) {
        self.counts.of(thread).started.fetch_sub(1, Ordering::Release);
    }

    /// The worker was refused.
    #[cold]
    pub(crate) fn refuse(&self, thread: u32) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.take_start_back(thread);
    }

    pub(crate) fn note_stopped(&self) {
        self.was_stopped.store(true, Ordering::Relaxed);
    }

    /// One of them is started in this scope, or in none.
    #[inline]
    pub(crate) fn note_parent(&self, scope: Option<&Arc<Scope>>) {
        let mark = scope.map_or(NONE, |scope| scope.owner().to_bits() + 1);
        let known = self.parent.load(Ordering::Relaxed);
        if known != mark && known != SEVERAL {
            self.parent.store(if known == 0 { mark } else { SEVERAL }, Ordering::Relaxed);
        }
    }

    /// The entry of the workers that have started them, if it is a single one.
    pub(crate) fn parent(&self) -> Option<EntryId> {
        let mark = self.parent.load(Ordering::Relaxed);
        (mark != NONE && mark != SEVERAL).then(|| mark.checked_sub(1).map(EntryId::from_bits)).flatten()
    }

    /// A run of one of them has ended, and it waits while the guard lives: for its restart at this moment, or for the next
    /// run of `every`.
    pub(crate) fn between_runs(&self, thread: u32, kind: ExitKind, restart: Option<Instant>) -> BetweenRuns<'_> {
        if let Some(due) = restart {
            self.trouble.waits(due);
        }
        self.between_runs.fetch_add(1, Ordering::Release);
        self.end(thread, kind);
        BetweenRuns { entry: self, thread, kind, restart, comes: false }
    }

    /// One of them waits for what it has started, while the guard lives.
    pub(crate) fn linger(&self, children: &Scope) -> Lingering<'_> {
        children.linger();
        self.lingering.fetch_add(1, Ordering::Relaxed);
        Lingering(self)
    }

    /// The subject of a failure of one of them: main, if the entry has no name.
    pub(crate) fn subject(&self) -> Subject {
        self.label().map_or(Subject::Main, |label| {
            let location = label.location();
            Subject::Worker(label.name.into(), location.into())
        })
    }

    /// What they are called; `None` for main.
    pub(crate) fn label(&self) -> Option<Label> {
        match self.function.get() {
            Some(function) => Some(function.label().clone()),
            None => self.given().map(|label| Label::clone(&label)),
        }
    }

    /// The policy that the attribute or the call set; the default for main.
    pub(crate) fn policy(&self) -> Policy {
        match self.function.get() {
            Some(function) => function.policy().clone(),
            None => self.given().and_then(|label| label.policy.as_deref().cloned()).unwrap_or_else(Policy::new),
        }
    }

    fn given(&self) -> Option<Arc<Label>> {
        self.given.lock().clone()
    }

    /// The entry is this function's from now on.
    #[inline]
    pub(super) fn belongs_to(&self, function: &'static Function) {
        self.function.get_or_init(|| function);
    }

    /// No other name gets this entry.
    #[cfg(any(feature = "net", feature = "tower"))]
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Begins anew under this name. Returns the name before.
    pub(super) fn rename(&self, label: Arc<Label>) -> Option<Arc<Label>> {
        self.counts.each(Counts::clear);
        self.restarted.store(0, Ordering::Relaxed);
        self.refused.store(0, Ordering::Relaxed);
        self.idle_said.store(false, Ordering::Relaxed);
        self.was_stopped.store(false, Ordering::Relaxed);
        self.parent.store(0, Ordering::Relaxed);
        self.ended_at.store(0, Ordering::Relaxed);
        self.trouble.clear();
        self.given.lock().replace(label)
    }

    /// How many ended well, the first time that no worker is left.
    pub(super) fn is_newly_idle(&self) -> Option<u64> {
        let ended = self.ended(ExitKind::Returned);
        let comes_and_goes = self.kept.load(Ordering::Relaxed) || self.was_stopped.load(Ordering::Relaxed);
        let is_idle = ended > 0 && self.live() == 0 && !comes_and_goes;
        (is_idle && !self.idle_said.swap(true, Ordering::Relaxed)).then_some(ended)
    }
}
