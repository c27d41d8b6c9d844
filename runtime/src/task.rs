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
use crate::rows::{RowId, Way};
use crate::seats::SeatKey;
use crate::state::{Cause, Stage};
use crate::thread::{self, Current, WakerId};

/// A place among the living. Taken when a worker is spawned, given back when its future is gone: finished,
/// panicked, aborted or dropped with its runtime.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // independent facts, each known to one place
pub struct Ticket {
    pub(crate) life: Arc<Lifecycle>,
    pub(crate) seat: Option<SeatKey>,
    pub(crate) row: RowId,
    pub(crate) stage: Stage,
    /// How it ended, as far as is known.
    way: Way,
    /// Whether its end is the process's stop.
    essential: bool,
    /// Whether somebody else's panic was unwinding the thread when the future began to be dropped.
    was_panicking: bool,
    /// Whether the seat knows how to wake this task.
    waits: bool,
    /// Whether the worker can be stopped apart from its stage: it has a token, its own or its parent's.
    scoped: bool,
    /// Whether its thread's record still speaks of it after the last poll: its destructors are running.
    lingers: bool,
    /// The parent's token, until the first poll takes it to the seat.
    parent: Option<CancellationToken>,
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
            essential: false,
            was_panicking: false,
            waits: false,
            scoped: false,
            lingers: false,
            parent: None,
        }
    }

    /// The same for one whose end matters, or who was started by another.
    pub(crate) fn of(mut self, essential: bool, parent: Option<CancellationToken>) -> Self {
        (self.essential, self.scoped, self.parent) = (essential, parent.is_some(), parent);
        self
    }

    /// Runs a worker's code once: a poll, or the whole of a blocking one. `dropped` says whether destructors
    /// follow when it is done.
    #[inline]
    fn run<T>(
        &mut self,
        waker: WakerId,
        dropped: bool,
        code: impl FnOnce() -> Poll<T>,
    ) -> Poll<Ending<T>> {
        let guarded = || match catch_unwind(AssertUnwindSafe(code)) {
            Ok(poll) => poll.map(Ending::Finished),
            Err(payload) => Poll::Ready(Ending::Panicked(payload)),
        };
        if let Some(parent) = self.parent.take() {
            self.seat = Some(self.life.take_seat(self.row, self.stage, Some(parent)));
        }
        let worker = self.current();
        let lingers = |poll: &Poll<_>| dropped && poll.is_ready();
        let (poll, worker) = thread::polling(&self.life, worker, waker, guarded, lingers);
        (self.seat, self.scoped, self.lingers) = (worker.seat, worker.scoped, lingers(&poll));
        poll
    }

    /// What its thread's record says of it.
    #[inline]
    fn current(&self) -> Current {
        Current {
            row: self.row,
            seat: self.seat,
            stage: self.stage,
            scoped: self.scoped,
        }
    }

    /// Marks the thread, so that a destructor that blocks is seen for what it is.
    #[cold]
    fn begin_ending(&mut self) {
        let worker = self.current();
        thread::ending(&self.life, worker);
        self.lingers = true;
    }

    /// Settles how it ended, on the thread it ran on: errors are formatted here.
    #[inline]
    fn settle<T>(&mut self, ending: &Ending<T>, judge: impl FnOnce(&T) -> Judgement) {
        match ending {
            Ending::Finished(result) => match judge(result) {
                Judgement::Settled(way) => self.way = way,
                Judgement::Failed(text) => self.error(text),
            },
            Ending::Panicked(payload) => self.panic(payload.as_ref()),
            Ending::Aborted => {}
        }
        if self.essential {
            self.essential_ended();
        }
    }

    #[cold]
    fn error(&mut self, text: String) {
        self.fail(Way::Failed, Failure::error(self.life.who(self.row), text));
    }

    #[cold]
    fn panic(&mut self, payload: &(dyn Any + Send)) {
        self.fail(
            Way::Panicked,
            Failure::panic(self.life.who(self.row), payload),
        );
    }

    #[cold]
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

    #[cold]
    fn panicked_in_destructor(&self) {
        self.life
            .fail(Failure::destructor(self.life.who(self.row)).of_task(tokio::task::try_id()));
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
            None => self.life.take_seat(self.row, self.stage, None),
        };
        self.seat = Some(seat);
        self.waits = true;
        if self.life.wait_in(seat, self.stage, context.waker()) {
            context.waker().wake_by_ref();
        }
    }
}

impl Drop for Ticket {
    #[inline]
    fn drop(&mut self) {
        // The worker's own panics are caught: this one comes from a destructor.
        if std::thread::panicking() && !self.was_panicking {
            self.panicked_in_destructor();
        }
        let last = if self.lingers {
            thread::left(self.row)
        } else {
            None
        };
        if let Some(seat) = self.seat {
            self.life.seats.leave(seat);
        }
        if let Some(last) = last.filter(|last| Some(*last) != self.seat) {
            self.life.seats.leave(last);
        }
        if self.row == RowId::MAIN {
            self.life.main_gone();
        } else {
            let row = self.life.rows.get(self.row);
            row.end(self.way).fetch_add(1, Ordering::Release);
            if !self.life.is_undisturbed(disturbances(self.stage, false)) {
                self.life.note_end(row);
            }
            self.life.leave(self.stage);
        }
    }
}

pin_project! {
    /// A worker's future, tracked. Resolves early, to `Aborted`, when the stop has run out of time; tokio then
    /// drops the worker's own future in its own task.
    pub(crate) struct Tracked<F, J> {
        #[pin]
        future: F,
        judge: Option<J>,
        // Last, so that the worker counts as alive until its future is dropped.
        ticket: Ticket,
    }

    impl<F, J> PinnedDrop for Tracked<F, J> {
        fn drop(this: Pin<&mut Self>) {
            let ticket = this.project().ticket;
            ticket.was_panicking = std::thread::panicking();
            // Dropped from outside, by its task's abort or with its runtime.
            if needs_drop::<F>() && !ticket.lingers {
                ticket.begin_ending();
            }
        }
    }
}

impl<F, J> Tracked<F, J> {
    #[inline]
    pub(crate) fn new(future: F, judge: J, ticket: Ticket) -> Self {
        Self {
            future,
            judge: Some(judge),
            ticket,
        }
    }
}

impl<F, J> Future for Tracked<F, J>
where
    F: Future,
    J: FnOnce(&F::Output) -> Judgement,
{
    type Output = Done<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Done<F::Output>> {
        let this = self.project();
        let ticket = this.ticket;
        let ending = if ticket.life.is_aborting(ticket.stage) {
            ticket.begin_ending();
            Ending::Aborted
        } else {
            let future = this.future;
            let was_scoped = ticket.scoped;
            let waker = ticket.waker_id(context);
            match ticket.run(waker, needs_drop::<F>(), || future.poll(context)) {
                Poll::Ready(ending) => ending,
                Poll::Pending => {
                    if !ticket.waits {
                        ticket.sit(context);
                    }
                    if ticket.scoped && !was_scoped {
                        // It has a token since this poll. What waits by the seat alone goes to the token.
                        context.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
            }
        };
        let judge = this.judge.take();
        ticket.settle(&ending, |result| {
            judge.map_or(Judgement::WELL, |judge| judge(result))
        });
        Poll::Ready(Done::new(ending, ticket))
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
    // It will be there for a while: its seat says since when.
    let parent = ticket.parent.take();
    ticket.seat = Some(ticket.life.take_seat(ticket.row, ticket.stage, parent));
    let Poll::Ready(ending) = ticket.run(WakerId::NONE, false, || Poll::Ready(code())) else {
        unreachable!("a closure is ready when it returns")
    };
    ticket.settle(&ending, judge);
    Done::new(ending, &ticket)
}

/// One run of a blocking body inside a supervised worker: on tokio's pool, in the worker's name.
pub(crate) async fn blocking_run<R: Send + 'static>(
    code: impl FnOnce() -> R + Send + 'static,
) -> R {
    let worker = thread::caller();
    let run = move || match worker {
        Some((life, Some(current))) => {
            thread::polling(&life, current, WakerId::NONE, code, |_| false).0
        }
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
