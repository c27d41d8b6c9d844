//! A worker while it runs: the future tokio polls, and the ticket that is given back whatever happens.
//!
//! This is the hot path. A worker that never waits costs two counters, and two stores around its poll; one
//! that waits takes a seat on top. Nothing is allocated beside tokio's own task.

use std::any::Any;
use std::future::Future;
use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;

use crate::done::{Done, Ending, Judgement};
use crate::exit::{self, Failure};
use crate::lifecycle::{Lifecycle, disturbances};
use crate::message;
use crate::policy::OnFailure;
use crate::process;
use crate::rows::{RowId, Way};
use crate::seats::SeatKey;
use crate::state::{Cause, Stage};
use crate::taskdump;
use crate::thread::{self, Current, WakerId};

/// A place among the living. Taken when a worker is spawned, given back when its future is gone: finished,
/// panicked, aborted or dropped with its runtime. It moves with the future, so it is small.
#[derive(Debug)]
pub struct Ticket {
    pub(crate) life: Arc<Lifecycle>,
    pub(crate) seat: Option<SeatKey>,
    pub(crate) row: RowId,
    pub(crate) stage: Stage,
    /// How it ended, as far as is known.
    way: Way,
    facts: Facts,
}

/// What else a ticket knows, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts(u8);

impl Facts {
    const NONE: Self = Self(0);
    /// Its end is the process's stop.
    const ESSENTIAL: Self = Self(1);
    /// It can be stopped apart from its stage: it has a token, its own or its parent's.
    const SCOPED: Self = Self(1 << 1);
    /// Its seat was taken when it was spawned, and is not its task's yet.
    const UNCLAIMED: Self = Self(1 << 2);
    /// The seat knows how to wake this task.
    const WAITS: Self = Self(1 << 3);

    #[inline]
    fn has(self, fact: Self) -> bool {
        self.0 & fact.0 != 0
    }

    #[inline]
    fn set(&mut self, fact: Self, holds: bool) {
        self.0 = if holds {
            self.0 | fact.0
        } else {
            self.0 & !fact.0
        };
    }
}

impl Ticket {
    /// Main's, which the lifecycle counts by itself.
    pub(crate) fn of_main(life: Arc<Lifecycle>) -> Self {
        Self::new(life, RowId::MAIN, Stage::Main)
    }

    /// For one more of `row`, whose start and whose arrival have been counted.
    #[inline]
    pub(crate) fn new(life: Arc<Lifecycle>, row: RowId, stage: Stage) -> Self {
        Self {
            life,
            seat: None,
            row,
            stage,
            way: Way::Aborted,
            facts: Facts::NONE,
        }
    }

    /// The same for one whose end matters.
    pub(crate) fn of_essential(mut self) -> Self {
        self.facts.set(Facts::ESSENTIAL, true);
        self
    }

    /// The same for a child: its seat keeps the parent's token.
    pub(crate) fn of_child(mut self, parent: CancellationToken) -> Self {
        let (row, stage) = (self.row, self.stage);
        self.seat = Some(
            self.life
                .seats
                .take(thread::shard(), row, stage, None, Some(parent)),
        );
        self.facts.set(Facts::SCOPED, true);
        self.facts.set(Facts::UNCLAIMED, true);
        self
    }

    /// Runs a worker's code: a poll, the whole of a blocking one, or its destructors.
    #[inline]
    fn run<T>(&mut self, waker: WakerId, code: impl FnOnce() -> T) -> std::thread::Result<T> {
        if self.facts.has(Facts::UNCLAIMED) {
            self.claim();
        }
        let guarded = || catch_unwind(AssertUnwindSafe(code));
        let (ran, worker) = thread::polling(&self.life, self.current(), waker, guarded);
        self.seat = worker.seat;
        self.facts.set(Facts::SCOPED, worker.scoped);
        ran
    }

    /// The seat is this task's from its first poll on.
    #[cold]
    fn claim(&mut self) {
        self.facts.set(Facts::UNCLAIMED, false);
        if let Some(seat) = self.seat {
            self.life.claim_seat(seat, self.stage);
        }
    }

    /// What its thread's record says of it.
    #[inline]
    fn current(&self) -> Current {
        Current {
            row: self.row,
            seat: self.seat,
            stage: self.stage,
            scoped: self.facts.has(Facts::SCOPED),
        }
    }

    /// Drops the future in the worker's name, so that a destructor that blocks or panics is seen for what it is.
    #[cold]
    fn drop_early<F>(&mut self, mut future: Pin<&mut Option<F>>) {
        if let Err(payload) = self.run(WakerId::NONE, || future.set(None)) {
            self.destructor_panicked();
            process::discard(payload);
        }
    }

    /// The stop has run out of time.
    #[cold]
    fn aborted<T>(&mut self) -> Done<T> {
        self.ended();
        Done::new(Ending::Aborted, self)
    }

    /// Settles what the code returned, on the thread it ran on: errors are formatted here.
    #[inline]
    fn finished<T>(&mut self, result: T, judgement: Judgement) -> Done<T> {
        match judgement {
            Judgement::Settled(way) => self.way = way,
            Judgement::Failed(text) => self.error(text),
        }
        self.ended();
        Done::new(Ending::Finished(result), self)
    }

    #[inline]
    fn ended(&self) {
        if self.facts.has(Facts::ESSENTIAL) {
            self.essential_ended();
        }
    }

    #[cold]
    fn error(&mut self, text: String) {
        self.fail(Way::Failed, Failure::error(self.life.who(self.row), text));
    }

    /// `returned`: it was a destructor that did, afterwards.
    #[cold]
    fn panicked<T>(&mut self, payload: Box<dyn Any + Send>, returned: bool) -> Done<T> {
        if returned {
            self.way = Way::Panicked;
            self.destructor_panicked();
        } else {
            let who = self.life.who(self.row);
            self.fail(Way::Panicked, Failure::panic(who, payload.as_ref()));
        }
        self.ended();
        Done::new(Ending::Panicked(payload), self)
    }

    fn destructor_panicked(&self) {
        let failure = Failure::destructor(self.life.who(self.row));
        self.life.fail(failure.of_task(tokio::task::try_id()));
    }

    fn fail(&mut self, way: Way, failure: Failure) {
        self.way = way;
        let failure = failure.of_task(tokio::task::try_id());
        match self.life.rows.policy(self.row).on_failure() {
            OnFailure::Log => self.life.scribe.say(message::logged(&failure)),
            OnFailure::Stop | OnFailure::Restart => self.life.fail(failure),
        }
    }

    /// An essential worker that ends by itself ends the process. One that was told to stop does not.
    #[cold]
    fn essential_ended(&self) {
        if !self.life.is_stopping(self.stage, self.seat)
            && let exit::Who::Worker(name, _) = self.life.who(self.row)
        {
            self.life.begin_stop(Cause::Essential(name));
        }
    }

    /// The waker by which whoever waits inside this worker may rely on its seat. Main's thread may be polled by
    /// others with the same one.
    #[inline]
    fn waker_id(&self, context: &Context<'_>) -> WakerId {
        if self.row == RowId::MAIN {
            WakerId::NONE
        } else {
            WakerId::of(context.waker())
        }
    }

    /// Sits down to wait. Wakes the worker at once if the stop came while it did.
    #[cold]
    fn sit(&mut self, context: &Context<'_>) {
        let seat = match self.seat {
            Some(seat) => seat,
            None => self.life.take_seat(self.row, self.stage),
        };
        self.seat = Some(seat);
        self.facts.set(Facts::WAITS, true);
        if self.row == RowId::MAIN {
            self.life.main_waits(context.waker());
        }
        if self.life.wait_in(seat, self.stage, context.waker()) {
            context.waker().wake_by_ref();
        }
    }
}

impl Drop for Ticket {
    #[inline]
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            self.life.seats.leave(seat);
        }
        if self.row == RowId::MAIN {
            self.life.main_gone();
        } else {
            let row = self.life.rows.get(self.row);
            row.end(self.way).fetch_add(1, Ordering::Release);
            if !self.life.is_undisturbed(disturbances(self.stage, false)) && row.live() == 0 {
                self.life.note_end(row);
            }
            self.life.leave(self.stage);
        }
    }
}

pin_project! {
    /// A worker's future, tracked. Resolves early, to `Aborted`, when the stop has run out of time.
    pub(crate) struct Tracked<F, J> {
        // Dropped as soon as it is done with, in the worker's name.
        #[pin]
        future: Option<F>,
        judge: J,
        // Last, so that the worker counts as alive until its future is dropped.
        ticket: Ticket,
    }

    impl<F, J> PinnedDrop for Tracked<F, J> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // Dropped from outside, by its task's abort or with its runtime.
            if needs_drop::<F>() && this.future.is_some() {
                this.ticket.drop_early(this.future);
            }
        }
    }
}

impl<F, J> Tracked<F, J> {
    #[inline]
    pub(crate) fn new(future: F, judge: J, ticket: Ticket) -> Self {
        Self {
            future: Some(future),
            judge,
            ticket,
        }
    }
}

impl<F, J> Future for Tracked<F, J>
where
    F: Future,
    J: Fn(&F::Output) -> Judgement,
{
    type Output = Done<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Done<F::Output>> {
        let this = self.project();
        let (mut future, ticket) = (this.future, this.ticket);
        if ticket.life.is_aborting(ticket.stage) {
            ticket.drop_early(future);
            return Poll::Ready(ticket.aborted());
        }
        let was_scoped = ticket.facts.has(Facts::SCOPED);
        let waker = ticket.waker_id(context);
        let asked = taskdump::asked(&ticket.life, ticket.row, ticket.facts.has(Facts::WAITS));
        let mut returned = false;
        let run = || {
            let polled = match future.as_mut().as_pin_mut() {
                Some(running) => asked.poll(running, context),
                None => Poll::Pending,
            };
            if polled.is_ready() {
                returned = true;
                future.set(None);
            }
            polled
        };
        match ticket.run(waker, run) {
            Ok(Poll::Ready(result)) => {
                let judgement = (this.judge)(&result);
                Poll::Ready(ticket.finished(result, judgement))
            }
            Ok(Poll::Pending) => {
                if !ticket.facts.has(Facts::WAITS) {
                    ticket.sit(context);
                }
                if ticket.facts.has(Facts::SCOPED) && !was_scoped {
                    // It has a token since this poll. What waits by the seat alone goes to the token.
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Err(payload) => {
                let done = ticket.panicked(payload, returned);
                ticket.drop_early(future);
                Poll::Ready(done)
            }
        }
    }
}

/// Runs a blocking worker on the thread tokio gave it.
pub(crate) fn run_blocking<T>(
    mut ticket: Ticket,
    code: impl FnOnce() -> T,
    judge: impl FnOnce(&T) -> Judgement,
) -> Done<T> {
    if ticket.life.is_aborting(ticket.stage) {
        return Done::new(Ending::Aborted, &ticket);
    }
    if ticket.seat.is_none() {
        // It will be there for a while: its seat says since when.
        ticket.seat = Some(ticket.life.take_seat(ticket.row, ticket.stage));
    }
    match ticket.run(WakerId::NONE, code) {
        Ok(result) => {
            let judgement = judge(&result);
            ticket.finished(result, judgement)
        }
        Err(payload) => ticket.panicked(payload, false),
    }
}

/// One run of a blocking body inside a supervised worker: on tokio's pool, in the worker's name.
pub(crate) async fn blocking_run<R: Send + 'static>(
    code: impl FnOnce() -> R + Send + 'static,
) -> R {
    let worker = thread::caller();
    let run = move || match worker {
        Some((life, Some(current))) => thread::polling(&life, current, WakerId::NONE, code).0,
        _ => code(),
    };
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            // The runtime is shutting down, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}
