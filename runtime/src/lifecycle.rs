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
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::exit::{Failure, Failures, Who};
use crate::message;
use crate::report::Report;
use crate::rows::{RowId, Rows};
use crate::scribe::Scribe;
use crate::seats::{SeatKey, Seats};
use crate::settings::Settings;
use crate::signal::Nudge;
use crate::state::{Cause, State};
use crate::stuck::Sample;
use crate::thread::{self, Current, Threads};

/// The low bits of the word hold the [`State`].
const STATE: u32 = 0b111;
/// Main's stage has been cancelled.
const CANCELLED: u32 = 1 << 3;
/// Whoever still runs is dropped at its next poll.
const ABORTING: u32 = 1 << 4;
/// Somebody has stopped a single worker through its handle: "am I stopping" needs a look at one's seat.
const SINGLED_OUT: u32 = 1 << 5;

/// The count refuses newcomers.
const CLOSED: usize = 1;
/// Somebody waits for the count to fall.
const WATCHED: usize = 1 << 1;
/// One more alive.
const ONE: usize = 1 << 2;
/// Waiters hear of the count from here on down: main, the waiter itself, nobody.
const FEW: usize = 2;

#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) settings: Settings,
    /// State and flags. Each bit but `Ready`'s is set once and stays.
    word: AtomicU32,
    /// Main and the workers that are alive, in steps of `ONE`, with `CLOSED` and `WATCHED` below.
    alive: AtomicUsize,
    /// Results of workers being dropped at this moment.
    results: AtomicUsize,
    /// Set while main runs.
    main_alive: AtomicBool,
    /// Set when main asks for its token, its flag or its future.
    main_looked: AtomicBool,
    /// What cancels main and the workers of its stage; parent of every token handed out.
    token: CancellationToken,
    cause: OnceLock<Cause>,
    /// The budget of the stop, from the first cause on.
    budget: OnceLock<Budget>,
    /// When the lifecycle began.
    pub(crate) born: Instant,
    /// The runtime that workers are spawned on, from when it is built.
    pub(crate) runtime: OnceLock<Handle>,
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
    /// Set by whoever has the report written.
    reported: AtomicBool,
    /// Set when the watch has nothing to watch any more.
    over: AtomicBool,
    /// Wakes the watch.
    pub(crate) nudge: Nudge,
    /// Wakes the coordinator.
    bell: Notify,
    /// Lets main's thread leave the runtime.
    done: Notify,
    /// Wakes whoever waits for a state or for the last worker.
    changed: Notify,
    /// What is dropped last of all.
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl Lifecycle {
    pub(crate) fn new(settings: Settings, scribe: Scribe, nudge: Nudge) -> Arc<Self> {
        Arc::new(Self {
            settings,
            word: AtomicU32::new(State::Starting as u32),
            alive: AtomicUsize::new(0),
            results: AtomicUsize::new(0),
            main_alive: AtomicBool::new(false),
            main_looked: AtomicBool::new(false),
            token: CancellationToken::new(),
            cause: OnceLock::new(),
            budget: OnceLock::new(),
            born: Instant::now(),
            runtime: OnceLock::new(),
            rows: Rows::default(),
            seats: Seats::default(),
            threads: Threads::default(),
            failures: Failures::default(),
            first_look: OnceLock::new(),
            telling: AtomicBool::new(false),
            report: OnceLock::new(),
            reported: AtomicBool::new(false),
            over: AtomicBool::new(false),
            scribe,
            nudge,
            bell: Notify::new(),
            done: Notify::new(),
            changed: Notify::new(),
            kept: Mutex::default(),
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
            self.changed.notify_waiters();
        }
    }

    /// Resolves when the state is `state` or past it.
    pub(crate) async fn reach(&self, state: State) {
        self.until(|| self.state() >= state).await;
    }

    /// Asks for the stop. The first cause is kept and starts the budget; when this returns, the state has
    /// changed, whoever came first.
    pub(crate) fn begin_stop(&self, cause: Cause) -> bool {
        let first = self.cause.set(cause).is_ok();
        let budget = self
            .budget
            .get_or_init(|| Budget::new(Instant::now(), self.settings.stop_timeout));
        self.advance(State::Stopping, CANCELLED);
        if first {
            self.scribe.say(message::stopping(
                self.cause.get().unwrap_or(&Cause::MainEnded),
                budget,
            ));
            self.nudge.nudge();
            self.bell.notify_one();
        }
        first
    }

    /// Everybody still running is to be dropped at the next poll.
    pub(crate) fn begin_abort(&self) {
        self.word.fetch_or(ABORTING, Ordering::SeqCst);
        self.seats.wake_all();
    }

    pub(crate) fn set_stopped(&self) {
        self.alive.fetch_or(CLOSED, Ordering::SeqCst);
        self.advance(State::Stopped, CANCELLED);
        // Main's thread first: other waiters may be woken by code of the user's, which may block.
        self.done.notify_one();
        self.changed.notify_waiters();
    }

    /// Resolves when everybody was joined or aborted. For main's thread alone.
    pub(crate) async fn joined(&self) {
        self.done.notified().await;
    }

    /// Whether the caller is the first who wants the report written.
    pub(crate) fn claim_report(&self) -> bool {
        !self.reported.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_reported(&self) -> bool {
        self.reported.load(Ordering::Acquire)
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

    /// Raises the state, never lowers it.
    fn advance(&self, to: State, flags: u32) {
        let raise = |word: u32| Some(word & !STATE | flags | (word & STATE).max(to as u32));
        let _ = self
            .word
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
    }

    // ----- what callers ask -----

    /// Wakes everybody who waits for the stop: those who sit by their seats, then the tokens, whose waiters
    /// may be woken by code of the user's.
    pub(crate) fn cancel(&self) {
        self.telling.store(true, Ordering::Release);
        self.seats.wake_all();
        self.changed.notify_waiters();
        self.token.cancel();
        self.telling.store(false, Ordering::Release);
    }

    /// Whether waiters are being told of the stop just now.
    pub(crate) fn is_telling(&self) -> bool {
        self.telling.load(Ordering::Acquire)
    }

    /// Whether nobody has asked for any stop, of the whole or of a single worker through its handle.
    #[inline]
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.word.load(Ordering::Acquire) & (CANCELLED | SINGLED_OUT) == 0
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.word.load(Ordering::SeqCst) & CANCELLED != 0
    }

    #[inline]
    pub(crate) fn is_aborting(&self) -> bool {
        self.word.load(Ordering::Acquire) & ABORTING != 0
    }

    /// Whether the worker with this seat is to stop, with its stage or by itself.
    pub(crate) fn is_stopping(&self, seat: Option<SeatKey>) -> bool {
        self.is_cancelled() || seat.is_some_and(|seat| self.seats.is_stopped(seat))
    }

    pub(crate) fn stage_token(&self) -> &CancellationToken {
        &self.token
    }

    /// A token for a caller who has no seat: a child of the stage's.
    pub(crate) fn child_token(&self) -> CancellationToken {
        self.in_step(self.token.child_token())
    }

    /// The own token of the worker in this seat.
    pub(crate) fn own_token(&self, seat: SeatKey) -> CancellationToken {
        self.in_step(self.seats.own_token(seat, &self.token))
    }

    /// The flag is up before the coordinator has cancelled the token: a token handed out in between agrees
    /// with the flag.
    fn in_step(&self, token: CancellationToken) -> CancellationToken {
        if self.is_cancelled() {
            token.cancel();
        }
        token
    }

    /// Stops one worker and its children.
    pub(crate) fn stop_worker(&self, handle: tokio::task::AbortHandle) {
        self.word.fetch_or(SINGLED_OUT, Ordering::SeqCst);
        self.seats.stop(handle, &self.token);
    }

    /// The seat of the worker being polled here, taken now if it has none.
    pub(crate) fn seat(&self, current: Current) -> SeatKey {
        current.seat.unwrap_or_else(|| {
            let key = self.take_seat(current.row, None);
            thread::seated(key);
            key
        })
    }

    /// Takes a seat for the task being polled here, or for `parent`'s child.
    pub(crate) fn take_seat(&self, row: RowId, parent: Option<CancellationToken>) -> SeatKey {
        let task = tokio::task::try_id();
        let key = self.seats.take(thread::shard(), row, task, parent);
        if self.word.load(Ordering::SeqCst) & SINGLED_OUT != 0 && self.seats.was_stopped_early(task)
        {
            self.own_token(key).cancel();
        }
        key
    }

    /// Lets the worker wait in its seat. Returns whether it should look again at once: what would have
    /// woken it may have happened while it sat down.
    pub(crate) fn wait_in(&self, seat: SeatKey, waker: &Waker) -> bool {
        self.seats.set_waker(seat, waker);
        !self.is_undisturbed() && self.is_stopping(Some(seat))
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
    pub(crate) fn arrive(&self) -> bool {
        let before = self.alive.fetch_add(ONE, Ordering::AcqRel);
        if before & CLOSED != 0 {
            self.leave();
        }
        before & CLOSED == 0
    }

    /// Counts one less.
    #[inline]
    pub(crate) fn leave(&self) {
        let before = self.alive.fetch_sub(ONE, Ordering::AcqRel);
        if before & WATCHED != 0 && before / ONE <= FEW + 1 {
            self.few_left();
        }
    }

    #[cold]
    fn few_left(&self) {
        self.bell.notify_one();
        self.changed.notify_waiters();
    }

    /// How many are alive: workers, and main.
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Acquire) / ONE
    }

    /// How many workers are alive.
    pub(crate) fn workers_alive(&self) -> usize {
        self.alive()
            .saturating_sub(usize::from(self.is_main_alive()))
    }

    /// Whether main and all workers are gone, and their results with them. From then on newcomers are
    /// refused: nobody would wait for them.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.results.load(Ordering::SeqCst) == 0
            && (self
                .alive
                .compare_exchange(
                    WATCHED,
                    WATCHED | CLOSED,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                )
                .is_ok()
                || self.alive.load(Ordering::SeqCst) == WATCHED | CLOSED)
    }

    /// From now on, a count that becomes small rings the bell.
    pub(crate) fn watch_alive(&self) {
        self.alive.fetch_or(WATCHED, Ordering::SeqCst);
    }

    /// Resolves when no worker is left but `me`.
    pub(crate) async fn idle(&self, me: usize) {
        self.watch_alive();
        self.until(|| self.alive() <= me + usize::from(self.main_alive.load(Ordering::Acquire)))
            .await;
    }

    pub(crate) fn main_started(&self) {
        self.main_alive.store(true, Ordering::Release);
        self.arrive();
    }

    pub(crate) fn is_main_alive(&self) -> bool {
        self.main_alive.load(Ordering::Acquire)
    }

    pub(crate) fn main_gone(&self) {
        self.main_alive.store(false, Ordering::Release);
        self.leave();
    }

    pub(crate) fn result_dropping(&self) {
        self.results.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn result_dropped(&self) {
        if self.results.fetch_sub(1, Ordering::SeqCst) == 1 && self.state() >= State::Draining {
            self.bell.notify_one();
        }
    }

    /// Waits for something that `changed` announces.
    async fn until(&self, reached: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if reached() {
                return;
            }
            changed.await;
        }
    }

    /// The coordinator's wake-up call.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    // ----- what is told to it -----

    pub(crate) fn fail(&self, failure: Failure) {
        let cause = match &failure.who {
            Who::Main => Cause::MainEnded,
            Who::Worker(name) => Cause::Failure(Arc::clone(name)),
        };
        if let Some(line) = message::failed(&failure) {
            self.scribe.say(line);
        }
        self.failures.add(failure);
        self.begin_stop(cause);
    }

    pub(crate) fn keep(&self, value: Box<dyn Any + Send>) {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(value);
    }

    /// What was kept, in the order in which it is to be dropped: the last first.
    pub(crate) fn take_kept(&self) -> impl Iterator<Item = Box<dyn Any + Send>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *kept).into_iter().rev()
    }
}
