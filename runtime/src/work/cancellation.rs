//! What a caller asks about its own stop: the token, the future, the flag.
//!
//! A worker that waits in [`stopping`] by itself is woken through its slot and registers nowhere else. A future
//! polled with another waker (in another task or a `FuturesUnordered`), or whose worker has a token, waits for a token.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::life::lifecycle::Lifecycle;
#[cfg(feature = "http")]
use crate::life::phase::Interest;
use crate::life::slot_key::SlotKey;
use crate::model::label::EntryId;
use crate::model::state::Stage;
use crate::work::ambient::Caller;
use crate::work::current;
use crate::work::parking;
use crate::work::probe;

/// The caller's own cancellation token.
///
/// Inside a worker it is that worker's: cancelled when the worker is told to stop, and cancelling it stops that
/// worker and the workers below it, nothing else. In main, in an untracked task or on another thread it
/// is a child of the stage's token. Outside any lifecycle it is a new token, which nothing else cancels.
///
/// A token costs an allocation the first time a worker asks for it. [`stopping`] costs none.
pub fn token() -> CancellationToken {
    let Some(caller) = asking() else {
        return CancellationToken::new();
    };
    caller.life.tokens.note_given();
    match caller.current {
        Some(current) => caller.own_token(current),
        None => parking::child_token(&caller.life, Stage::Main),
    }
}

/// Whether the caller was told to stop: true exactly when its [`token`] is cancelled.
///
/// Made for loops that compute: a thread-local look-up and one load, without a lock, unless the caller asked for
/// its token, a worker was stopped apart from its stage, or one that asked for its token has started others.
/// Always `false` outside any lifecycle.
#[inline]
pub fn is_stopping() -> bool {
    !current::is_undisturbed() && look()
}

/// The caller, which asks about its stop. The report says so if nobody does for main.
#[inline]
pub(crate) fn asking() -> Option<Caller> {
    let caller = Caller::find()?;
    let is_main = caller.current.is_some_and(|current| current.entry == EntryId::MAIN);
    caller.life.members.main.note_asked(is_main);
    Some(caller)
}

#[cold]
fn look() -> bool {
    asking().is_some_and(|caller| {
        // Taking a slot, so that a worker stopped through its handle before it had one learns of it.
        let slot = caller.current.map(|current| current::slot(&caller.life, current));
        let is_stopping = parking::is_stopping(&caller.life, caller.stage(), slot);
        if is_stopping {
            parking::note_told(&caller.life, caller.stage(), slot);
        }
        is_stopping
    })
}

/// A future that resolves when the caller is told to stop.
///
/// It is `Send` and `'static`, made for `with_graceful_shutdown(graceful::stopping())` and for the arm of a
/// `select!`. It is about the caller of this function, wherever the future is polled.
/// Outside any lifecycle it never resolves. One that outlives its worker resolves with the worker's stage.
///
/// # Cancel safety
///
/// Dropping it loses nothing; it can be made again.
pub fn stopping() -> Stopping {
    let whose = asking().map(|caller| {
        let slot = caller.current.map(|current| current::slot(&caller.life, current));
        Whose { stage: caller.stage(), life: caller.life, slot }
    });
    let is_over = !current::is_undisturbed() && whose.as_ref().is_some_and(Whose::is_stopping);
    Stopping { whose, elsewhere: None, is_over }
}

/// The future [`stopping`] returns.
#[must_use = "a future does nothing until it is awaited"]
pub struct Stopping {
    whose: Option<Whose>,
    /// Set once it was polled with another waker than the worker's, or the worker has its own token.
    elsewhere: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Set once its stop has come: of a worker that is gone, that may not be known any more.
    is_over: bool,
}

struct Whose {
    life: Arc<Lifecycle>,
    stage: Stage,
    slot: Option<SlotKey>,
}

impl Whose {
    fn is_stopping(&self) -> bool {
        self.is_stopping_as(self.is_scoped())
    }

    /// The same where the caller knows already what [`is_scoped`](Self::is_scoped) says.
    fn is_stopping_as(&self, scoped: Option<bool>) -> bool {
        if scoped == Some(false) {
            parking::is_stopping_unscoped(&self.life, self.stage, self.slot)
        } else {
            parking::is_stopping(&self.life, self.stage, self.slot)
        }
    }

    /// Whether this worker has a token of its own, if it is being polled here.
    fn is_scoped(&self) -> Option<bool> {
        current::is_scoped(&self.life, self.slot?)
    }

    /// The token to wait for where the slot is not enough.
    fn token(&self) -> CancellationToken {
        match self.slot {
            Some(slot) => parking::own_token(&self.life, self.stage, slot),
            None => parking::stage_token(&self.life, self.stage),
        }
    }
}

#[cfg(feature = "http")]
impl Stopping {
    /// Whether nothing has been told to stop, for the worker being polled here, unless it has a token of its own. One
    /// that has polled this future is woken when that changes.
    #[inline]
    pub(crate) fn is_far(&self) -> bool {
        let is_quiet = |whose: &Whose| {
            whose.life.phase.is_quiet(Interest::of(whose.stage, false)) && whose.is_scoped() == Some(false)
        };
        self.whose.as_ref().is_some_and(is_quiet)
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_stopping = self.whose.as_ref().is_some_and(Whose::is_stopping);
        f.debug_struct("Stopping").field("is_stopping", &is_stopping).finish_non_exhaustive()
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { whose: Some(whose), elsewhere, is_over } = &mut *self else {
            return Poll::Pending;
        };
        let scoped = whose.is_scoped();
        *is_over = *is_over || whose.is_stopping_as(scoped);
        if *is_over {
            parking::note_told(&whose.life, whose.stage, whose.slot);
            return Poll::Ready(());
        }
        // The poll that is under way will be repeated when the slot's waker is called.
        let is_woken_by_its_slot = scoped == Some(false) && current::is_workers_own(context.waker());
        if elsewhere.is_none() && is_woken_by_its_slot {
            probe::leaf(context);
            return Poll::Pending;
        }
        let waker = context.waker();
        if !current::is_mains(waker) && !current::is_workers_own(waker) {
            whose.life.tokens.note_given();
        }
        let wait = elsewhere.get_or_insert_with(|| Box::pin(whose.token().cancelled_owned()));
        ready!(wait.as_mut().poll(context));
        parking::note_told(&whose.life, whose.stage, whose.slot);
        Poll::Ready(())
    }
}

/// Runs `future` until it is done or the caller is told to stop, whichever comes first.
///
/// Returns `Some` with the future's output, or `None` when the stop came first; then the future is dropped.
/// When the caller is stopping already the future is not polled at all. When both are ready at once the
/// output wins, so that nothing taken from a queue is lost.
///
/// # Cancel safety
///
/// As cancel safe as `future`: at the stop it is dropped at the await it is in. Give it the *waiting* (`recv`,
/// `next`, `sleep`), not the work. A call that has already taken something when it is dropped loses it: `BLPOP` of Redis
/// and whatever else takes from a queue on the other side, `read_exact`, `read_line`, `write_all`.
///
/// # What is here already
///
/// A stop ends the wait even if the next unit is here, in a buffer or in a channel. Where that has to be finished too,
/// as with commands that a client has sent in one go, poll the source first:
///
/// ```
/// # use tokio::sync::mpsc::Receiver;
/// /// The next command that is here, or that comes before the stop.
/// async fn next(commands: &mut Receiver<String>) -> Option<String> {
///     tokio::select! {
///         biased;
///         command = commands.recv() => command,
///         () = graceful::stopping() => None,
///     }
/// }
/// ```
///
/// A source that never runs dry keeps this going until the deadline.
pub fn run_until_stopping<F: Future>(future: F) -> RunUntilStopping<F> {
    RunUntilStopping { future, stopping: stopping(), polled: false }
}

pin_project! {
    /// The future [`run_until_stopping`] returns.
    #[must_use = "a future does nothing until it is awaited"]
    #[derive(Debug)]
    pub struct RunUntilStopping<F> {
        #[pin]
        future: F,
        stopping: Stopping,
        polled: bool,
    }
}

impl<F: Future> Future for RunUntilStopping<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        if !std::mem::replace(this.polled, true) && this.stopping.whose.as_ref().is_some_and(Whose::is_stopping) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(output) = this.future.poll(context) {
            return Poll::Ready(Some(output));
        }
        Pin::new(this.stopping).poll(context).map(|()| None)
    }
}
