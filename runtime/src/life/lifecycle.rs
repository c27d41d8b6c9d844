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
//! Orderings are sequentially consistent wherever a flag and something else (a seat's lock, a count) are written
//! by one side and read in the other order by the other: a weaker one would let both miss each other.

mod cancel;
mod members;

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::life::bells::Reloading;
use crate::life::conducting::Conducting;
use crate::life::hook_list::Hooks;
use crate::life::poll_record::{Sample, Threads};
use crate::life::registry::Rows;
use crate::life::results::Results;
use crate::life::slots::Seats;
use crate::life::tracker::Alive;
use crate::life::wait_graph::Waits;
use crate::model::budget::Budget;
use crate::model::coarse_clock::Beat;
use crate::model::event::Trace;
use crate::model::failure::{Failure, Failures, Who};
use crate::model::label::RowId;
use crate::model::policy::OnFailure;
use crate::model::settings::{Settings, Source};
use crate::model::stall::Thaw;
use crate::model::state::{Cause, Stage, State};
use crate::model::still_running::StopFacts;
use crate::os::signal::Nudge;
use crate::os::signal::Signal;
use crate::say::lines;
use crate::say::writer::Scribe;

/// The low bits of the word hold the [`State`].
const STATE: u32 = 0b111;
/// The first stage is cancelled; those of the others follow.
const CANCELLED: u32 = 1 << 3;
/// Whoever still runs in the first stage is dropped at its next poll; the other stages follow.
const ABORTING: u32 = 1 << 7;
/// Somebody has stopped a single worker through its handle: "am I stopping" needs a look at one's seat.
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
    alive: [Alive; 4],
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
    pub(crate) beat: Beat,
    /// The runtime that workers are spawned on, from when it is built; `None` where it could not be.
    runtime: OnceLock<Option<Handle>>,
    /// The thread that builds it.
    home: ThreadId,
    pub(crate) hooks: Hooks,
    pub(crate) reloads: Reloading,
    pub(crate) rows: Rows,
    pub(crate) seats: Seats,
    pub(crate) threads: Threads,
    pub(crate) trace: Trace,
    /// Who waits for whose handle, when it matters.
    pub(crate) waits: Waits,
    /// Where those who wait do so, when it is asked for.
    #[cfg(taskdump)]
    pub(crate) probes: crate::life::probes::Probes,
    pub(crate) failures: Failures,
    /// Who was inside a poll when the stop began.
    pub(crate) first_look: OnceLock<Sample>,
    /// Set while wakers are called that may be the user's, and hold up whoever calls them.
    telling: AtomicBool,
    /// Whose code main's thread is at, as far as it says so.
    mains_thread: Mutex<MainsThread>,
    /// When the process last went on after it had stood still.
    pub(crate) thaw: Thaw,
    /// The facts of a stop that ran out of time, taken before the abort.
    pub(crate) report: OnceLock<StopFacts>,
    pub(crate) scribe: Scribe,
    /// Whether the recorder of metrics is about to be told.
    #[cfg(feature = "metrics")]
    pub(crate) recording: crate::life::bells::Recording,
    /// Whether the report has been given to the scribe. Held while it is made.
    reported: Mutex<bool>,
    /// Set when the watch has nothing to watch any more.
    over: AtomicBool,
    /// Wakes the watch.
    pub(crate) nudge: Nudge,
    /// Wakes the coordinator.
    bell: Notify,
    /// Something changed that the waiting have not been told of.
    news: AtomicBool,
    pub(crate) conducting: Conducting,
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
    pub(crate) fn new(settings: Settings, scribe: Scribe, nudge: Nudge) -> Arc<Self> {
        let alive: [Alive; 4] = Default::default();
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
            beat: Beat::default(),
            runtime: OnceLock::new(),
            home: thread::current().id(),
            rows: Rows::default(),
            seats: Seats::default(),
            threads: Threads::default(),
            trace: Trace::default(),
            waits: Waits::default(),
            #[cfg(taskdump)]
            probes: crate::life::probes::Probes::default(),
            failures: Failures::default(),
            first_look: OnceLock::new(),
            telling: AtomicBool::new(false),
            mains_thread: Mutex::default(),
            thaw: Thaw::default(),
            report: OnceLock::new(),
            reported: Mutex::new(false),
            over: AtomicBool::new(false),
            scribe,
            #[cfg(feature = "metrics")]
            recording: crate::life::bells::Recording::default(),
            nudge,
            bell: Notify::new(),
            news: AtomicBool::new(false),
            conducting: Conducting::default(),
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

    /// Moves between `Starting` and `Ready`; nothing once a stop was asked for.
    pub(crate) fn set_ready(&self, ready: bool) {
        let (from, to) = if ready { (State::Starting, State::Ready) } else { (State::Ready, State::Starting) };
        let moved = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & STATE == from as u32).then_some(word & !STATE | to as u32)
        });
        if moved.is_ok() {
            self.introduce();
            self.note(to);
            self.changed.notify_waiters();
            self.tell_systemd(to);
        }
    }

    #[cfg(all(unix, feature = "systemd"))]
    fn tell_systemd(&self, state: State) {
        self.systemd.ring(state);
    }

    #[cfg(not(all(unix, feature = "systemd")))]
    #[allow(clippy::unused_self)]
    fn tell_systemd(&self, _: State) {}

    /// Says once what is in force: when main has had the time to set a subscriber that can hear it.
    fn introduce(&self) {
        if !self.introduced.swap(true, Ordering::Relaxed) && !self.settings.is_test {
            self.scribe.say(lines::started(&self.settings));
        }
    }

    /// Resolves when the state is `state` or past it.
    pub(crate) async fn reach(&self, state: State) {
        self.until(|| self.state() >= state).await;
    }

    /// Asks for the stop. The first cause is kept and starts the budget; when this returns, the state has
    /// changed, whoever came first.
    pub(crate) fn begin_stop(&self, cause: Cause) -> bool {
        let drains = self.drains(&cause);
        let first = self.cause.set((cause, drains)).is_ok();
        let Some((cause, drains)) = self.cause.get() else {
            return false;
        };
        let budget = self.budget.get_or_init(|| Budget::new(self.now(), self.settings.stop_timeout));
        if first && !drains {
            self.word.fetch_or(DRAINED, Ordering::SeqCst);
        }
        if *drains || self.hooks.must_be_heard_first() {
            self.advance(State::Draining, &[Stage::Early]);
        } else {
            self.advance(State::Stopping, &[Stage::Early, Stage::Main]);
        }
        if first {
            self.introduce();
            let drain = drains.then_some(self.settings.drain);
            // The line comes before all others of the stop, but who writes it is not woken before those who act.
            let line = lines::stopping(cause, drain, budget);
            self.scribe.say_before(line, || {
                if self.state() >= State::Stopping {
                    self.wake_main();
                }
                self.bell.notify_one();
                self.nudge.nudge();
            });
            self.tell_systemd(State::Draining);
        }
        first
    }

    /// Whether what is there is served for a while after this cause.
    fn drains(&self, cause: &Cause) -> bool {
        let was_ready = self.state() == State::Ready;
        !self.settings.drain.is_zero()
            && !matches!(cause, Cause::MainEnded)
            && !lines::is_pressed(cause)
            && (was_ready || matches!(self.settings.drain_from, Source::Code | Source::Environment))
    }

    pub(crate) fn told_at(&self) -> Option<Instant> {
        self.told_at.get().copied()
    }

    pub(crate) fn joined_at(&self) -> Option<Instant> {
        self.joined_at.get().copied()
    }

    /// Ends the drain, if there is one.
    pub(crate) fn end_drain(&self) {
        self.word.fetch_or(DRAINED, Ordering::SeqCst);
        self.bell.notify_one();
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.word.load(Ordering::Acquire) & DRAINED != 0
    }

    pub(crate) fn set_stopping(&self) {
        let _ = self.told_at.set(self.now());
        self.advance(State::Stopping, &[Stage::Early, Stage::Main]);
        self.tell_systemd(State::Stopping);
    }

    /// Whoever still runs in these stages is to be dropped at the next poll.
    pub(crate) fn begin_abort(&self, stages: &[Stage]) {
        let flags = of_stages(CANCELLED | ABORTING, stages);
        self.word.fetch_or(flags, Ordering::SeqCst);
        for &stage in stages {
            self.seats.wake(stage);
        }
    }

    pub(crate) fn set_stopped(&self) {
        let _ = self.joined_at.set(self.now());
        self.alive.iter().for_each(Alive::close);
        self.advance(State::Stopped, &Stage::ALL);
        self.tell_systemd(State::Stopped);
        self.tell_waiters();
    }

    /// Lets main's thread leave the runtime.
    pub(crate) fn let_go(&self) {
        self.done.notify_one();
    }

    /// Whether main's thread is the one that runs the tasks.
    pub(crate) fn is_on_one_thread(&self) -> bool {
        let flavor = self.built_runtime().map(Handle::runtime_flavor);
        flavor == Some(RuntimeFlavor::CurrentThread)
    }

    /// Somebody who wanted to wake at `due` has just woken. Says so where that is because nothing ran for a while.
    pub(crate) fn woke(&self, due: Instant) {
        if let Some(late) = self.thaw.woke(due, self.now()) {
            self.scribe.say(lines::stood_still(late));
        }
    }

    /// Has the report given to the scribe, unless that has been done.
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
        if !self.is_deserted() || self.hooks.is_any_running() || self.is_telling() {
            return MainsThread::Users;
        }
        *self.mains_thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the watch and the scribe home.
    pub(crate) fn end(&self) {
        let _ = self.runtime.set(None);
        self.reloads.end();
        self.over.store(true, Ordering::Release);
        self.nudge.nudge();
        self.conducting.call(&self.nudge);
        self.scribe.end();
        self.tell_systemd(State::Stopped);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Raises the state, never lowers it, and cancels stages.
    fn advance(&self, to: State, stages: &[Stage]) {
        let flags = of_stages(CANCELLED, stages);
        let raise = |word: u32| Some(word & !STATE | flags | (word & STATE).max(to as u32));
        let before = self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
        if before.is_ok_and(|before| before & STATE < to as u32) {
            self.note(to);
        }
    }

    /// Tells subscribers, and recorders of metrics, by the watch.
    fn note(&self, state: State) {
        self.scribe.say(lines::state_changed(state));
        #[cfg(feature = "metrics")]
        self.nudge.nudge();
    }

    /// The runtime, which a thread that runs before it is built waits for: one from before the lifecycle, or one of the
    /// runtime's own. `None` where there is none, and on the thread that builds it.
    #[inline]
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.built_runtime().or_else(|| self.await_runtime())
    }

    #[cold]
    fn await_runtime(&self) -> Option<&Handle> {
        if thread::current().id() == self.home {
            return None;
        }
        self.runtime.wait().as_ref()
    }

    /// The runtime, once it is built.
    #[inline]
    pub(crate) fn built_runtime(&self) -> Option<&Handle> {
        self.runtime.get()?.as_ref()
    }

    pub(crate) fn set_runtime(&self, runtime: &Handle) {
        let _ = self.runtime.set(Some(runtime.clone()));
    }

    /// Whether the runtime is neither built nor given up.
    pub(crate) fn is_building(&self) -> bool {
        self.runtime.get().is_none()
    }

    /// What the policy of a worker of this row makes of its failure.
    pub(crate) fn fail_by_policy(&self, row: RowId, failure: Failure) {
        match self.rows.policy(row).on_failure() {
            OnFailure::Log => self.scribe.say(lines::logged(&failure)),
            OnFailure::Stop | OnFailure::Restart => self.fail(failure),
        }
    }

    pub(crate) fn fail(&self, failure: Failure) {
        let cause = match &failure.who {
            Who::Main => Cause::MainEnded,
            Who::Worker(name, _) | Who::Hook(_, name) => Cause::Failure(Arc::clone(name)),
        };
        if let Some(line) = lines::failed(&failure) {
            self.scribe.say(line);
        }
        self.failures.add(failure);
        self.begin_stop(cause);
    }

    /// The signal to die of: one caused the stop, that was asked for, and nothing failed but main because of it.
    pub(crate) fn fatal_signal(&self) -> Option<Signal> {
        let Some(Cause::Signal(signal)) = self.cause() else {
            return None;
        };
        (self.settings.reraise && self.failures.are_mains_alone()).then_some(*signal)
    }

    /// Whose failure it is that happened to a worker of this row.
    pub(crate) fn who(&self, row: RowId) -> Who {
        self.rows.label(row).map_or(Who::Main, |label| {
            let location = label.location();
            Who::Worker(label.name.into(), location.into())
        })
    }

    /// A worker did not stop within its own budget and was aborted.
    pub(crate) fn overran(&self, row: RowId, budget: Duration) {
        let failure = Failure::overrun(self.who(row), budget).of_task(tokio::task::try_id());
        self.scribe.say(lines::hook_failed(&failure));
        self.failures.add(failure);
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
