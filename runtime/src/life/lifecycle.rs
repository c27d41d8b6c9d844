//! The lifecycle: one word of state, one count of the living, and what a stop is told about.
//!
//! ```text
//!            (1)            (2)              (3)                (4)                (5)
//! Starting ──────▶ Ready ────────▶ Draining ──────▶ Stopping ────────▶ (abort) ────────▶ Stopped
//!     ▲             │                 │ nothing to drain  ▲ │                                ▲
//!     └─────────────┘                 └───────────────────┘ └──────── everybody joined ──────┘
//! ```
//!
//! 1. [`Lifecycle::set_ready`], and back.
//! 2. [`Lifecycle::begin_stop`], by whoever has the cause: state and cause change in the caller.
//! 3. [`Lifecycle::set_stopping`], by whoever [conducts](crate::stop::driver) the stop, as all that follows.
//! 4. [`Lifecycle::begin_abort`], at the budget's end less the reserve.
//! 5. [`Lifecycle::set_stopped`], when nobody is left or nobody can be waited for any longer.
//!
//! Orderings are sequentially consistent wherever a flag and something else (a slot's lock, a count) are written
//! by one side and read in the other order by the other: a weaker one would let both miss each other.

mod cancel;
mod failures;
mod members;
mod phase;
mod runtime;

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::life::bells::Reloading;
use crate::life::hook_list::Hooks;
use crate::life::poll_record::{Sample, Threads};
use crate::life::registry::Registry;
use crate::life::results::Results;
use crate::life::slots::Slots;
use crate::life::tracker::Tracker;
use crate::life::wait_graph::WaitGraph;
use crate::model::budget::Budget;
use crate::model::coarse_clock::CoarseClock;
use crate::model::event::Timeline;
use crate::model::failure::Failures;
use crate::model::settings::Settings;
use crate::model::stall::Stall;
use crate::model::state::{Cause, Stage, State};
use crate::model::still_running::StopFacts;
use crate::os::helper::Helper;
use crate::os::signal::Wakeup;
use crate::say::lines;
use crate::say::writer::Writer;

/// The low bits of the word hold the [`State`].
const STATE: u32 = 0b111;
/// The first stage is cancelled; those of the others follow.
const CANCELLED: u32 = 1 << 3;
/// Whoever still runs in the first stage is dropped at its next poll; the other stages follow.
const ABORTING: u32 = 1 << 7;
/// Somebody has stopped a single worker through its handle: "am I stopping" needs a look at one's slot.
const SINGLED_OUT: u32 = 1 << 11;
/// Nothing is served any longer than it has to be: an interrupt, or main's end, ended the drain.
const DRAINED: u32 = 1 << 12;

/// Set from the beginning: what is said of the caller has to be looked into.
const ALWAYS: u32 = 1 << 31;

/// Which bits of the word, if any is set, mean that a caller of this stage has to look into whether it is to stop.
/// One who can be stopped apart from its stage has to in any case.
#[inline]
pub(crate) const fn disturbances(stage: Stage, scoped: bool) -> u32 {
    if scoped { ALWAYS } else { CANCELLED << stage.index() | SINGLED_OUT }
}

/// A flag of the first stage, for each of these stages.
fn of_stages(flag: u32, stages: &[Stage]) -> u32 {
    stages.iter().fold(0, |flags, stage| flags | flag << stage.index())
}

/// Whose code main's thread is at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum MainsThread {
    /// The user's, or it may be.
    #[default]
    Users,
    /// The user's, since then: everybody was joined, and what is left is destructors and exit handlers.
    Leaving(std::time::Instant),
    /// Ours, on the way out. Only the machine can hold it up.
    Ours,
}

#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) settings: Settings,
    /// State and flags. Each bit but `Ready`'s is set once and stays.
    word: AtomicU32,
    /// Who is alive, by stage. Main counts in its own.
    alive: [Tracker; 4],
    results: Results,
    /// Set once the settings have been said.
    introduced: AtomicBool,
    /// Set until main is gone.
    main_alive: AtomicBool,
    /// What main's thread is woken by: the runtime's own, so that anybody may.
    main_waker: OnceLock<Waker>,
    /// Set when main asks for its token, its flag or its future.
    main_looked: AtomicBool,
    /// What cancels each stage; parents of every token handed out.
    tokens: [CancellationToken; 4],
    /// The first cause, and whether what is there is served for a while after it.
    cause: OnceLock<(Cause, bool)>,
    /// The budget of the stop, from the first cause on.
    budget: OnceLock<Budget>,
    /// When main and its workers were told to stop.
    told_at: OnceLock<Instant>,
    /// When everybody was joined or aborted.
    joined_at: OnceLock<Instant>,
    /// When the lifecycle began.
    pub(crate) born: Instant,
    /// Counts time for those who cannot look at a clock.
    pub(crate) clock: CoarseClock,
    /// The runtime that workers are spawned on, from when it is built; `None` where it could not be.
    runtime: OnceLock<Option<Handle>>,
    /// The thread that builds it.
    home: ThreadId,
    pub(crate) hooks: Hooks,
    pub(crate) reloads: Reloading,
    pub(crate) registry: Registry,
    pub(crate) slots: Slots,
    pub(crate) threads: Threads,
    pub(crate) timeline: Timeline,
    /// Who waits for whose handle, when it matters.
    pub(crate) waits: WaitGraph,
    /// Where those who wait do so, when it is asked for.
    #[cfg(taskdump)]
    pub(crate) probes: crate::life::probes::Probes,
    pub(crate) failures: Failures,
    /// Who was inside a poll when the stop began.
    pub(crate) first_sample: OnceLock<Sample>,
    /// Set while wakers are called that may be the user's, and hold up whoever calls them.
    wakers_running: AtomicUsize,
    /// Whose code main's thread is at, as far as it says so.
    mains_thread: Mutex<MainsThread>,
    /// When the process last went on after it had stood still.
    pub(crate) stall: Stall,
    /// The facts of a stop that ran out of time, taken before the abort.
    pub(crate) report: OnceLock<StopFacts>,
    pub(crate) writer: Writer,
    /// Whether the recorder of metrics is about to be told.
    #[cfg(feature = "metrics")]
    pub(crate) recording: crate::life::bells::Recording,
    /// Whether the report has been given to the writer. Held while it is made.
    reported: Mutex<bool>,
    /// Set when the watch has nothing to watch any more.
    over: AtomicBool,
    /// Wakes the watch.
    pub(crate) wakeup: Wakeup,
    /// Wakes whoever drives the stop of a test.
    test_driver: Notify,
    /// Something changed that the waiting have not been told of.
    has_news: AtomicBool,
    /// Calls the wakers that may be the user's.
    pub(crate) helper: Helper,
    /// There are tokens to be cancelled.
    has_tokens: AtomicBool,
    /// Somebody was given one, and may wait for it with a waker of the user's.
    has_users_tokens: AtomicBool,
    /// Somebody waits for `changed`.
    has_waiters: AtomicBool,
    /// Lets main's thread leave the runtime.
    pub(crate) done: Notify,
    /// Wakes whoever waits for a state or for the last worker.
    changed: Notify,
    /// Where systemd's thread hears of changes.
    #[cfg(all(unix, feature = "systemd"))]
    pub(crate) systemd: crate::life::doorbell::Doorbell,
    /// What is dropped last of all; `None` once that has happened.
    kept: Mutex<Option<Vec<Box<dyn Any + Send>>>>,
}

impl Lifecycle {
    /// A lifecycle whose main is about to run: it counts as alive from the beginning.
    pub(crate) fn new(settings: Settings, writer: Writer, wakeup: Wakeup) -> Arc<Self> {
        let alive: [Tracker; 4] = Default::default();
        alive[Stage::Main.index()].arrive();
        Arc::new(Self {
            settings,
            word: AtomicU32::new(State::Starting as u32 | ALWAYS),
            alive,
            results: Results::default(),
            introduced: AtomicBool::new(false),
            main_alive: AtomicBool::new(true),
            main_waker: OnceLock::new(),
            main_looked: AtomicBool::new(false),
            tokens: Default::default(),
            hooks: Hooks::default(),
            reloads: Reloading::default(),
            cause: OnceLock::new(),
            budget: OnceLock::new(),
            told_at: OnceLock::new(),
            joined_at: OnceLock::new(),
            born: Instant::now(),
            clock: CoarseClock::default(),
            runtime: OnceLock::new(),
            home: thread::current().id(),
            registry: Registry::default(),
            slots: Slots::default(),
            threads: Threads::default(),
            timeline: Timeline::default(),
            waits: WaitGraph::default(),
            #[cfg(taskdump)]
            probes: crate::life::probes::Probes::default(),
            failures: Failures::default(),
            first_sample: OnceLock::new(),
            wakers_running: AtomicUsize::new(0),
            mains_thread: Mutex::default(),
            stall: Stall::default(),
            report: OnceLock::new(),
            reported: Mutex::new(false),
            over: AtomicBool::new(false),
            writer,
            #[cfg(feature = "metrics")]
            recording: crate::life::bells::Recording::default(),
            wakeup,
            test_driver: Notify::new(),
            has_news: AtomicBool::new(false),
            helper: Helper::default(),
            has_tokens: AtomicBool::new(false),
            has_users_tokens: AtomicBool::new(false),
            has_waiters: AtomicBool::new(false),
            done: Notify::new(),
            changed: Notify::new(),
            #[cfg(all(unix, feature = "systemd"))]
            systemd: crate::life::doorbell::Doorbell::default(),
            kept: Mutex::new(Some(Vec::new())),
        })
    }

    /// The clock that the stop goes by: real time in a process, whatever a paused clock of tokio's says; the test's own
    /// in a test.
    pub(crate) fn now(&self) -> Instant {
        if self.settings.is_test { Instant::now() } else { Instant::from_std(std::time::Instant::now()) }
    }

    pub(crate) fn state(&self) -> State {
        State::from_bits(self.word.load(Ordering::Acquire) & STATE)
    }

    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.cause.get().map(|(cause, _)| cause)
    }

    pub(crate) fn budget(&self) -> Option<&Budget> {
        self.budget.get()
    }

    pub(crate) fn told_at(&self) -> Option<Instant> {
        self.told_at.get().copied()
    }

    pub(crate) fn joined_at(&self) -> Option<Instant> {
        self.joined_at.get().copied()
    }

    /// Lets main's thread leave the runtime.
    pub(crate) fn let_go(&self) {
        self.done.notify_one();
    }

    /// Somebody who wanted to wake at `due` has just woken. Says so where that is because nothing ran for a while.
    pub(crate) fn woke(&self, due: Instant) {
        if let Some(late) = self.stall.woke(due, self.now()) {
            self.writer.say(lines::stood_still(late));
        }
    }

    /// Has the report given to the writer, unless that has been done.
    pub(crate) fn report_once(&self, give: impl FnOnce()) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *reported, true) {
            give();
        }
    }

    pub(crate) fn is_reported(&self) -> bool {
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs code of the user's on main's thread, when everybody was joined.
    pub(crate) fn leave_to_the_user<T>(&self, run: impl FnOnce() -> T) -> T {
        self.mains_thread_is_at(MainsThread::Leaving(std::time::Instant::now()));
        let result = run();
        self.mains_thread_is_at(MainsThread::Ours);
        result
    }

    pub(crate) fn mains_thread_is_at(&self, what: MainsThread) {
        *self.mains_thread.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Whose code holds up the end of the process.
    pub(crate) fn mains_thread(&self) -> MainsThread {
        if !self.is_deserted() || self.hooks.is_any_running() || self.runs_wakers() {
            return MainsThread::Users;
        }
        *self.mains_thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the watch and the writer home.
    pub(crate) fn end(&self) {
        let _ = self.runtime.set(None);
        self.reloads.end();
        self.over.store(true, Ordering::Release);
        self.wakeup.wake();
        self.helper.end();
        self.writer.end();
        self.tell_systemd(State::Stopped);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Keeps a value, or drops it here when it is too late.
    pub(crate) fn keep(&self, value: Box<dyn Any + Send>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let too_late = match &mut *kept {
            Some(kept) => {
                kept.push(value);
                None
            }
            None => Some(value),
        };
        drop(kept);
        drop(too_late);
    }

    /// What was kept, in the order in which it is to be dropped: the last first.
    pub(crate) fn take_kept(&self) -> impl Iterator<Item = Box<dyn Any + Send>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take().unwrap_or_default().into_iter().rev()
    }
}
