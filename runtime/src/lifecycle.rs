//! The lifecycle: one word of state, one count of the living, and what a stop is told about.
//!
//! ```text
//!            ready()            a first cause         coordinator            coordinator
//! Starting ──────────▶ Ready ──────────────▶ Stopping ──────────▶ (abort) ──────────▶ Stopped
//!     ▲  not_ready()  │          (1)            │        (2)                   (3)
//!     └───────────────┘                         └──────────── all joined ──────────────▶
//! ```
//!
//! 1. [`Lifecycle::begin_stop`], by whoever has the cause: state and cause change in the caller.
//! 2. [`Lifecycle::begin_abort`], at the budget's end less the reserve.
//! 3. [`Lifecycle::set_stopped`], when nobody is left or nobody can be waited for any longer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::alive::Alive;
use crate::budget::Budget;
use crate::exit::{Failure, Failures, Who};
use crate::hooks::Hooks;
use crate::message;
use crate::reload::Reloading;
use crate::report::Report;
use crate::rows::{RowId, Rows};
use crate::scribe::Scribe;
use crate::seats::{SeatKey, Seats};
use crate::settings::{Settings, Source};
use crate::signal::{Nudge, Signal};
use crate::state::{Cause, Stage, State};
use crate::stuck::Sample;
use crate::thread::{self, Current, Threads};

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

#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) settings: Settings,
    /// State and flags. Each bit but `Ready`'s is set once and stays.
    word: AtomicU32,
    /// Who is alive, by stage. Main counts in its own.
    alive: [Alive; 4],
    /// Results that workers have left behind, whose destructors run code: held by a handle, or about to be dropped.
    left_behind: AtomicUsize,
    /// Those of them that are being dropped at this moment.
    dropping: AtomicUsize,
    /// Set once the settings have been said.
    introduced: AtomicBool,
    /// Set until main is gone.
    main_alive: AtomicBool,
    /// Set when main asks for its token, its flag or its future.
    main_looked: AtomicBool,
    /// What cancels each stage; parents of every token handed out.
    tokens: [CancellationToken; 4],
    cause: OnceLock<Cause>,
    /// The budget of the stop, from the first cause on.
    budget: OnceLock<Budget>,
    /// When main and its workers were told to stop.
    told_at: OnceLock<Instant>,
    /// When everybody was joined or aborted.
    joined_at: OnceLock<Instant>,
    /// When the lifecycle began.
    pub(crate) born: Instant,
    /// The runtime that workers are spawned on, from when it is built.
    pub(crate) runtime: OnceLock<Handle>,
    pub(crate) hooks: Hooks,
    pub(crate) reloads: Reloading,
    pub(crate) rows: Rows,
    pub(crate) seats: Seats,
    pub(crate) threads: Threads,
    pub(crate) failures: Failures,
    /// Who was inside a poll when the stop began.
    pub(crate) first_look: OnceLock<Sample>,
    /// Set while waiters are being told of the stop, which their wakers can hold up.
    telling: AtomicBool,
    /// The facts of a stop that ran out of time, taken before the abort.
    pub(crate) report: OnceLock<Report>,
    pub(crate) scribe: Scribe,
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
    /// Lets main's thread leave the runtime.
    done: Notify,
    /// Wakes whoever waits for a state or for the last worker.
    changed: Notify,
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
            word: AtomicU32::new(State::Starting as u32),
            alive,
            left_behind: AtomicUsize::new(0),
            dropping: AtomicUsize::new(0),
            introduced: AtomicBool::new(false),
            main_alive: AtomicBool::new(true),
            main_looked: AtomicBool::new(false),
            tokens: Default::default(),
            hooks: Hooks::default(),
            reloads: Reloading::default(),
            cause: OnceLock::new(),
            budget: OnceLock::new(),
            told_at: OnceLock::new(),
            joined_at: OnceLock::new(),
            born: Instant::now(),
            runtime: OnceLock::new(),
            rows: Rows::default(),
            seats: Seats::default(),
            threads: Threads::default(),
            failures: Failures::default(),
            first_look: OnceLock::new(),
            telling: AtomicBool::new(false),
            report: OnceLock::new(),
            reported: Mutex::new(false),
            over: AtomicBool::new(false),
            scribe,
            nudge,
            bell: Notify::new(),
            news: AtomicBool::new(false),
            done: Notify::new(),
            changed: Notify::new(),
            kept: Mutex::new(Some(Vec::new())),
        })
    }

    // ----- state -----

    pub(crate) fn state(&self) -> State {
        State::from_bits(self.word.load(Ordering::Acquire) & STATE)
    }

    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.cause.get()
    }

    pub(crate) fn budget(&self) -> Option<&Budget> {
        self.budget.get()
    }

    /// Moves between `Starting` and `Ready`; nothing once a stop was asked for.
    pub(crate) fn set_ready(&self, ready: bool) {
        let (from, to) = if ready {
            (State::Starting, State::Ready)
        } else {
            (State::Ready, State::Starting)
        };
        let moved = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (word & STATE == from as u32).then_some(word & !STATE | to as u32)
            });
        if moved.is_ok() {
            self.introduce();
            self.changed.notify_waiters();
        }
    }

    /// Says once what is in force: when main has had the time to set a subscriber that can hear it.
    fn introduce(&self) {
        if !self.introduced.swap(true, Ordering::Relaxed) && !self.settings.is_test {
            self.scribe.say(message::started(&self.settings));
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
        let first = self.cause.set(cause).is_ok();
        let budget = self
            .budget
            .get_or_init(|| Budget::new(Instant::now(), self.settings.stop_timeout));
        if first && !drains {
            self.word.fetch_or(DRAINED, Ordering::SeqCst);
        }
        if drains || self.hooks.must_be_heard_first() {
            self.advance(State::Draining, &[Stage::Early]);
        } else {
            self.advance(State::Stopping, &[Stage::Early, Stage::Main]);
        }
        if first {
            self.introduce();
            self.scribe.say(message::stopping(
                self.cause.get().unwrap_or(&Cause::MainEnded),
                budget,
            ));
            self.nudge.nudge();
            self.bell.notify_one();
        }
        first
    }

    /// Whether what is there is served for a while after this cause.
    fn drains(&self, cause: &Cause) -> bool {
        let was_ready = self.state() == State::Ready;
        !self.settings.drain.is_zero()
            && !matches!(cause, Cause::MainEnded)
            && !message::is_pressed(cause)
            && (was_ready || self.settings.drain_from != Source::Default)
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
        let _ = self.told_at.set(Instant::now());
        self.advance(State::Stopping, &[Stage::Early, Stage::Main]);
    }

    /// Whoever still runs in these stages is to be dropped at the next poll.
    pub(crate) fn begin_abort(&self, stages: &[Stage]) {
        let flags = stages.iter().fold(0, |flags, stage| {
            flags | (CANCELLED | ABORTING) << stage.index()
        });
        self.word.fetch_or(flags, Ordering::SeqCst);
        for &stage in stages {
            self.seats.wake(stage);
        }
    }

    pub(crate) fn set_stopped(&self) {
        let _ = self.joined_at.set(Instant::now());
        self.alive.iter().for_each(Alive::close);
        self.advance(State::Stopped, &Stage::ALL);
        self.tell_waiters();
    }

    /// Lets main's thread leave the runtime.
    pub(crate) fn let_go(&self) {
        self.done.notify_one();
    }

    /// Resolves when everybody was joined or aborted. For main's thread alone.
    pub(crate) async fn joined(&self) {
        self.done.notified().await;
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

    /// Sends the watch and the scribe home.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.nudge.nudge();
        self.scribe.end();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Raises the state, never lowers it, and cancels stages.
    fn advance(&self, to: State, stages: &[Stage]) {
        let flags = stages
            .iter()
            .fold(0, |flags, stage| flags | CANCELLED << stage.index());
        let raise = |word: u32| Some(word & !STATE | flags | (word & STATE).max(to as u32));
        let _ = self
            .word
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
    }

    /// The runtime, or the one the calling thread belongs to: threads of the user's own builder run before it has
    /// given its runtime out.
    #[inline]
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.get().or_else(|| {
            let current = Handle::try_current().ok()?;
            Some(self.runtime.get_or_init(|| current))
        })
    }

    // ----- what callers ask -----

    /// Tells stages to stop: those who sit by their seats first; then the tokens and whoever waits for a state,
    /// who may be woken by code of the user's.
    pub(crate) fn cancel(&self, stages: &[Stage]) {
        let flags = stages
            .iter()
            .fold(0, |flags, stage| flags | CANCELLED << stage.index());
        self.word.fetch_or(flags, Ordering::SeqCst);
        self.telling.store(true, Ordering::Release);
        for &stage in stages {
            self.seats.wake(stage);
        }
        for &stage in stages {
            self.guard(|| self.tokens[stage.index()].cancel());
        }
        self.tell_waiters();
        self.telling.store(false, Ordering::Release);
    }

    /// Runs something that calls wakers of the user's. One that panics ends nothing.
    fn guard(&self, tell: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(tell)).is_err() {
            self.scribe.say(message::waker_panicked());
        }
    }

    /// Whether waiters are being told of the stop just now.
    pub(crate) fn is_telling(&self) -> bool {
        self.telling.load(Ordering::Acquire)
    }

    /// Whether nobody has asked for any stop: of this stage, or of a single worker through its handle.
    #[inline]
    pub(crate) fn is_undisturbed(&self, stage: Stage) -> bool {
        self.word.load(Ordering::Acquire) & (CANCELLED << stage.index() | SINGLED_OUT) == 0
    }

    pub(crate) fn is_cancelled(&self, stage: Stage) -> bool {
        self.word.load(Ordering::SeqCst) & CANCELLED << stage.index() != 0
    }

    #[inline]
    pub(crate) fn is_aborting(&self, stage: Stage) -> bool {
        self.word.load(Ordering::Acquire) & ABORTING << stage.index() != 0
    }

    /// Whether the worker with this seat is to stop, with its stage or by itself.
    pub(crate) fn is_stopping(&self, stage: Stage, seat: Option<SeatKey>) -> bool {
        self.is_cancelled(stage) || seat.is_some_and(|seat| self.seats.is_stopped(seat))
    }

    pub(crate) fn stage_token(&self, stage: Stage) -> &CancellationToken {
        &self.tokens[stage.index()]
    }

    /// A token for a caller who has no seat: a child of the stage's.
    pub(crate) fn child_token(&self, stage: Stage) -> CancellationToken {
        self.in_step(stage, self.tokens[stage.index()].child_token())
    }

    /// The own token of the worker in this seat.
    pub(crate) fn own_token(&self, stage: Stage, seat: SeatKey) -> CancellationToken {
        self.in_step(
            stage,
            self.seats.own_token(seat, &self.tokens[stage.index()]),
        )
    }

    /// The flag is up before the coordinator has cancelled the token: a token handed out in between agrees
    /// with the flag.
    fn in_step(&self, stage: Stage, token: CancellationToken) -> CancellationToken {
        if self.is_cancelled(stage) {
            token.cancel();
        }
        token
    }

    /// Stops one worker and its children.
    pub(crate) fn stop_worker(&self, stage: Stage, handle: tokio::task::AbortHandle) {
        self.word.fetch_or(SINGLED_OUT, Ordering::SeqCst);
        self.seats.stop(handle, &self.tokens[stage.index()]);
    }

    /// The seat of the worker being polled here, taken now if it has none.
    pub(crate) fn seat(&self, current: Current) -> SeatKey {
        current.seat.unwrap_or_else(|| {
            let key = self.take_seat(current.row, current.stage, None);
            thread::seated(key);
            key
        })
    }

    /// Takes a seat for the task being polled here, or for `parent`'s child.
    pub(crate) fn take_seat(
        &self,
        row: RowId,
        stage: Stage,
        parent: Option<CancellationToken>,
    ) -> SeatKey {
        let task = tokio::task::try_id();
        let key = self.seats.take(thread::shard(), row, stage, task, parent);
        if self.word.load(Ordering::SeqCst) & SINGLED_OUT != 0 && self.seats.was_stopped_early(task)
        {
            self.own_token(stage, key).cancel();
        }
        key
    }

    /// Lets the worker wait in its seat. Returns whether it should look again at once: what would have
    /// woken it may have happened while it sat down.
    pub(crate) fn wait_in(&self, seat: SeatKey, stage: Stage, waker: &Waker) -> bool {
        self.seats.set_waker(seat, waker);
        !self.is_undisturbed(stage) && self.is_stopping(stage, Some(seat))
    }

    pub(crate) fn note_main_looked(&self) {
        self.main_looked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_main_looked(&self) -> bool {
        self.main_looked.load(Ordering::Relaxed)
    }

    // ----- who is alive -----

    /// Counts one more alive; `false` when newcomers are refused.
    #[inline]
    pub(crate) fn arrive(&self, stage: Stage) -> bool {
        let welcome = self.alive[stage.index()].arrive();
        if !welcome {
            self.leave(stage);
        }
        welcome
    }

    /// Counts one less.
    #[inline]
    pub(crate) fn leave(&self, stage: Stage) {
        if self.alive[stage.index()].leave() {
            self.few_left();
        }
    }

    /// The waiters are told by the coordinator: a waker of theirs may block, and must not do so on the thread of a
    /// worker or of main.
    #[cold]
    fn few_left(&self) {
        self.have_told();
    }

    /// Has the coordinator tell those who wait for something to change.
    pub(crate) fn have_told(&self) {
        self.news.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Tells those who wait, if there is news. For the coordinator.
    pub(crate) fn pass_news_on(&self) {
        if self.news.swap(false, Ordering::AcqRel) {
            self.tell_waiters();
        }
    }

    /// How many are alive: workers, holds, and main.
    pub(crate) fn alive(&self) -> usize {
        self.alive.iter().map(Alive::count).sum()
    }

    /// How many workers and holds are alive.
    pub(crate) fn workers_alive(&self) -> usize {
        self.alive()
            .saturating_sub(usize::from(self.is_main_alive()))
    }

    /// Whether nobody is left in these stages, and no result of anybody. From then on newcomers to them are
    /// refused.
    pub(crate) fn close_if_empty(&self, stages: &[Stage]) -> bool {
        let alive = |stage: &Stage| &self.alive[stage.index()];
        !self.is_dropping()
            && stages.iter().all(|stage| alive(stage).count() == 0)
            && stages
                .iter()
                .rev()
                .all(|stage| alive(stage).close_if_empty())
    }

    /// From now on, a count that becomes small rings the bell.
    pub(crate) fn watch_alive(&self) {
        self.alive.iter().for_each(Alive::watch);
    }

    /// Resolves when no worker is left but `me`.
    pub(crate) async fn idle(&self, me: usize) {
        self.watch_alive();
        self.until(|| self.alive() <= me + usize::from(self.main_alive.load(Ordering::Acquire)))
            .await;
    }

    pub(crate) fn is_main_alive(&self) -> bool {
        self.main_alive.load(Ordering::Acquire)
    }

    pub(crate) fn main_gone(&self) {
        self.main_alive.store(false, Ordering::Release);
        self.leave(Stage::Main);
        self.end_drain();
    }

    pub(crate) fn result_left(&self) {
        self.left_behind.fetch_add(1, Ordering::SeqCst);
    }

    /// Somebody took a result that had been left.
    pub(crate) fn result_taken(&self) {
        self.left_behind.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn result_dropping(&self) {
        self.dropping.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn result_dropped(&self) {
        self.left_behind.fetch_sub(1, Ordering::SeqCst);
        // The other half is in `close_if_empty`: one of the two sees what the other has written.
        let is_stopping = || self.word.load(Ordering::SeqCst) & STATE >= State::Draining as u32;
        if self.dropping.fetch_sub(1, Ordering::SeqCst) == 1 && is_stopping() {
            self.bell.notify_one();
        }
    }

    pub(crate) fn is_dropping(&self) -> bool {
        self.dropping.load(Ordering::SeqCst) > 0
    }

    /// Whether no result can still be on its way from its worker to its end: none was left behind, or no task is
    /// alive that could be dropping one.
    pub(crate) fn is_settled(&self) -> bool {
        let alive = || {
            self.runtime
                .get()
                .map_or(0, |runtime| runtime.metrics().num_alive_tasks())
        };
        self.left_behind.load(Ordering::SeqCst) == 0 || alive() == 0
    }

    /// Waits for something that `changed` announces.
    pub(crate) async fn until(&self, reached: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if reached() {
                return;
            }
            changed.await;
        }
    }

    /// Rings for the coordinator.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Tells those who wait for something that only the coordinator may tell: a waker may block.
    pub(crate) fn tell_waiters(&self) {
        self.guard(|| self.changed.notify_waiters());
    }

    /// The coordinator's wake-up call.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    // ----- what is told to it -----

    pub(crate) fn fail(&self, failure: Failure) {
        let cause = match &failure.who {
            Who::Main => Cause::MainEnded,
            Who::Worker(name) | Who::Hook(_, name) => Cause::Failure(Arc::clone(name)),
        };
        if let Some(line) = message::failed(&failure) {
            self.scribe.say(line);
        }
        self.failures.add(failure);
        self.begin_stop(cause);
    }

    /// The signal to die of: one caused the stop, that was asked for, and nothing failed but main because of it.
    pub(crate) fn fatal_signal(&self) -> Option<Signal> {
        let Some(Cause::Signal(signal)) = self.cause.get() else {
            return None;
        };
        (self.settings.reraise && self.failures.are_mains_alone()).then_some(*signal)
    }

    /// Whose failure it is that happened to a worker of this row.
    pub(crate) fn who(&self, row: RowId) -> Who {
        self.rows
            .label(row)
            .map_or(Who::Main, |label| Who::Worker(label.name.into()))
    }

    /// A worker did not stop within its own budget and was aborted.
    pub(crate) fn overran(&self, row: RowId, budget: Duration) {
        let failure = Failure::overrun(self.who(row), budget).of_task(tokio::task::try_id());
        self.scribe.say(message::hook_failed(&failure));
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
