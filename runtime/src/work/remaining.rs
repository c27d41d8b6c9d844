//! Until when the calling code may go on before it is aborted.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::life::lifecycle::Lifecycle;
use crate::life::limit::{Limit, RunLimit};
use crate::life::scope::Scope;
use crate::life::slot_key::SlotKey;
use crate::model::state::Stage;
use crate::work::ambient::Caller;
use crate::work::cancellation::stopping;
use crate::work::{current, parking};

/// The time left until the caller would be aborted.
///
/// * In main, in a worker and in an untracked task: until the abort, which comes a tenth of the budget of the process, 2 s
///   at the most, before its end. A worker of a stage that has not been told to stop by then has half of that in addition.
/// * In a worker with a `stop_timeout` of its own, or below one: what is left of that, if it is less, from when it was told
///   to stop. During the drain it has not been told, and has the time of the process.
/// * In a [`before_stop`](crate::before_stop) hook: what is left of half the budget; in an [`on_stop`](crate::on_stop)
///   hook, what is left until the abort; in an [`after_stop`](crate::after_stop) hook, what is left of its share.
///
/// `None` while neither the process stops nor a worker whose own `stop_timeout` bounds the caller, and outside any
/// lifecycle; [`Duration::MAX`] where there is no deadline. A destructor that runs at the abort is told what the process
/// has left. [`until_remaining`] waits for it to become small.
pub fn remaining() -> Option<Duration> {
    Deadline::find()?.remaining()
}

/// Resolves when the caller is stopping and has no more than `margin` left before it would be aborted: when
/// [`remaining`] has fallen to it. The moment to put a job back into its queue.
///
/// ```no_run
/// # use std::time::Duration;
/// # struct Job; impl Job { async fn run(&mut self) {} async fn put_back(self) {} }
/// # async fn work(mut job: Job) {
/// tokio::select! {
///     () = job.run() => {}
///     () = graceful::until_remaining(Duration::from_secs(1)) => job.put_back().await,
/// }
/// # }
/// ```
///
/// It answers for the caller, as [`stopping`](crate::stopping()) does. With a `margin` longer than the budget it
/// resolves when the caller is told to stop; in a hook, at once. Where there is no deadline, and outside any lifecycle,
/// it never resolves. It needs its thread: code that blocks it is not interrupted.
///
/// # Cancel safety
///
/// Dropping it loses nothing.
pub fn until_remaining(margin: Duration) -> impl Future<Output = ()> + Send + 'static {
    let (stopping, deadline) = (stopping(), Deadline::find());
    async move {
        let Some(deadline) = deadline else {
            return pending().await;
        };
        if !matches!(deadline.own, Some(Limit::Hook(_))) {
            stopping.await;
        }
        deadline.until(margin).await;
    }
}

/// What bounds the time of the calling code.
struct Deadline {
    life: Arc<Lifecycle>,
    stage: Stage,
    /// Set where the caller has a limit of its own.
    slot: Option<SlotKey>,
    own: Option<Limit>,
    /// The scope that the caller belongs to.
    parent: Option<Arc<Scope>>,
}

impl Deadline {
    fn find() -> Option<Self> {
        let caller = Caller::find()?;
        let (own, parent) = (current::limit(), current::parent());
        let slot = caller.current.filter(|_| own.is_some()).map(|current| current::slot(&caller.life, current));
        Some(Self { stage: caller.stage(), life: caller.life, slot, own, parent })
    }

    fn remaining(&self) -> Option<Duration> {
        let own = match &self.own {
            Some(Limit::Hook(until)) => {
                let left = |until: Instant| until.saturating_duration_since(self.life.now());
                return Some(until.map_or(Duration::MAX, left));
            }
            Some(Limit::Run(limit)) => limit.remaining(parking::is_stopping(&self.life, self.stage, self.slot)),
            None => None,
        };
        let is_stage_told = self.life.phase.is_cancelled(self.stage);
        let above = self.parent.iter().flat_map(Scope::line).filter_map(|scope| {
            let limit = scope.limit()?;
            limit.remaining(is_stage_told || scope.is_line_stopped())
        });
        above.chain(own).chain(self.of_the_process()).min()
    }

    fn of_the_process(&self) -> Option<Duration> {
        let phase = &self.life.phase;
        let budget = phase.budget()?;
        let comes_later = phase.is_aborting(Stage::Main) && !phase.is_aborting(self.stage);
        let at = if comes_later { budget.half_reserve() } else { budget.abort_at() };
        Some(at.map_or(Duration::MAX, |at| at.saturating_duration_since(self.life.now())))
    }

    async fn until(&self, margin: Duration) {
        loop {
            let left = self.remaining().map(|left| left.saturating_sub(margin));
            match left {
                Some(Duration::ZERO) => return,
                Some(left) => drop(timeout(left, self.changed()).await),
                None => self.changed().await,
            }
        }
    }

    /// Resolves when the time of another budget begins, which may leave less: that of the process, of the caller's worker
    /// or of one above it.
    async fn changed(&self) {
        let mut begins: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
        if self.life.phase.budget().is_none() {
            begins.push(Box::pin(self.life.notifier.until(|| self.life.phase.budget().is_some())));
        }
        for limit in self.limits().filter(|limit| !limit.has_begun()) {
            begins.push(Box::pin(limit.begun()));
        }
        poll_fn(|context| {
            let any = begins.iter_mut().any(|begins| begins.as_mut().poll(context).is_ready());
            if any { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The budgets of the caller's worker and of those above it.
    fn limits(&self) -> impl Iterator<Item = &RunLimit> {
        let own = match &self.own {
            Some(Limit::Run(limit)) => Some(&**limit),
            _ => None,
        };
        own.into_iter().chain(self.parent.iter().flat_map(Scope::line).filter_map(|scope| scope.limit()))
    }
}
