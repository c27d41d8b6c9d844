//! Workers that are more than one run: restarted, repeated, or with a budget of their own.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::life::lifecycle::Lifecycle;
use crate::life::limit::{Limit, RunLimit};
use crate::life::scope::Scope;
use crate::model::exit::{Exit, ExitKind};
use crate::model::failure::{Failure, FailureKind, Subject};
use crate::model::label::EntryId;
use crate::model::outcome;
use crate::model::policy::{OnFailure, OnTimeout, Policy};
use crate::model::state::State;
use crate::say::failures;
use crate::work::cancellation::{is_stopping, run_until_stopping, stopping};
use crate::work::guarded::Run;
use crate::work::restarts::Restarts;
use crate::work::ticks::{after, first, tick};
use crate::work::{current, failing, linger, parking};

/// Makes the next run, or says that there is no other.
pub(crate) type Next<R> = Box<dyn FnMut() -> Option<Run<R>> + Send>;

/// The failure in a result.
pub(crate) type Judge<R> = Box<dyn Fn(&R) -> Option<String> + Send>;

/// A worker's runs, one after the other, as its policy says. `next` makes a run, or says that there is no
/// other. This is polled as the worker itself, so `stopping()` means the worker's. A run has ended when what it has
/// started has ended as well.
///
/// This is compiled for each type of result, so what does not depend on it is elsewhere.
pub(crate) async fn supervise<R>(
    life: &Arc<Lifecycle>,
    entry: EntryId,
    parent: Option<&Arc<Scope>>,
    policy: &Policy,
    mut next: Next<R>,
    judge: Judge<R>,
) -> Exit<R> {
    let mut supervisor = Supervisor::new(life, entry, parent, policy);
    if policy.every.is_some() && life.phase.state() >= State::Draining {
        // The stop came before the first run.
        return Exit::Aborted;
    }
    if let Some(delay) = policy.initial_delay.filter(|_| policy.every.is_some()) {
        supervisor.due = first(delay);
        if !tick(life, supervisor.due).await {
            return Exit::Aborted;
        }
    }
    loop {
        let Some(run) = next() else {
            return Exit::Aborted;
        };
        supervisor.begin();
        let (ran, has_panicked) = within(supervisor.limit.clone().map(Limit::Run), &mut supervisor.timer, run).await;
        if has_panicked {
            supervisor.destructor_panicked();
        }
        let (exit, failure) = match ran {
            Ran::Ended(Exit::Returned(result) | Exit::Failed(result)) => {
                let error = judge(&result);
                let failure = error.map(|text| Failure::new(supervisor.subject(), FailureKind::Error(text)));
                let exit = if failure.is_none() { Exit::Returned(result) } else { Exit::Failed(result) };
                (exit, failure)
            }
            Ran::Ended(Exit::Panicked(payload)) => {
                let failure = Failure::new(supervisor.subject(), FailureKind::panic(payload.as_ref()));
                (Exit::Panicked(payload), Some(failure))
            }
            Ran::Ended(exit) => (exit, None),
            Ran::OutOfTime => {
                supervisor.overran();
                (Exit::Aborted, None)
            }
            Ran::ChildFailed(child) => {
                let failure = Failure::of_child(supervisor.subject(), &child);
                (Exit::ChildFailed(failure.to_string().into()), Some(failure))
            }
        };
        if !supervisor.comes_again(exit.kind(), failure).await {
            return exit;
        }
    }
}

/// How a run came to its end.
enum Ran<R> {
    Ended(Exit<R>),
    /// The worker's own budget is over.
    OutOfTime,
    /// A member has passed its failure to the run.
    ChildFailed(Failure),
}

/// Polls `run` to its end, until the `timer` has run out, or until a member passes its failure to it. Returns also whether its
/// destructor panicked.
async fn within<R>(limit: Option<Limit>, timer: &mut Option<Timer>, mut run: Run<R>) -> (Ran<R>, bool) {
    let ran = poll_fn(|context| {
        if let Poll::Ready(exit) = current::limited(limit.clone(), || run.as_mut().poll(context)) {
            return Poll::Ready(Ran::Ended(exit));
        }
        if let Some(failure) = current::childs_failure() {
            return Poll::Ready(Ran::ChildFailed(failure));
        }
        is_over(timer, context).map(|()| Ran::OutOfTime)
    })
    .await;
    (ran, !outcome::discard(run))
}

/// Resolves when a run has had its time.
type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whether a run has had its time: ready once.
fn is_over(timer: &mut Option<Timer>, context: &mut Context<'_>) -> Poll<()> {
    let Some(running) = timer else {
        return Poll::Pending;
    };
    running.as_mut().poll(context).map(|()| *timer = None)
}

/// What goes on between the runs of a worker.
struct Supervisor<'a> {
    life: &'a Arc<Lifecycle>,
    entry: EntryId,
    /// The scope that the worker belongs to.
    parent: Option<&'a Arc<Scope>>,
    policy: &'a Policy,
    restarts: Restarts<'a>,
    /// When the last tick was due.
    due: Instant,
    /// When the run began.
    began: Instant,
    /// The worker's own budget for the run.
    limit: Option<Arc<RunLimit>>,
    /// Runs out with it, from when the worker, or what the run has started, is told to stop.
    timer: Option<Timer>,
}

impl<'a> Supervisor<'a> {
    fn new(life: &'a Arc<Lifecycle>, entry: EntryId, parent: Option<&'a Arc<Scope>>, policy: &'a Policy) -> Self {
        let now = Instant::now();
        Self {
            life,
            entry,
            parent,
            policy,
            restarts: Restarts::new(policy),
            due: now,
            began: now,
            limit: None,
            timer: None,
        }
    }

    /// A run begins.
    fn begin(&mut self) {
        self.began = Instant::now();
        self.limit = self.policy.stop_timeout.map(RunLimit::new).map(Arc::new);
        self.timer = self.limit.clone().map(|limit| -> Timer {
            Box::pin(async move {
                stopping().await;
                sleep(limit.begin()).await;
            })
        });
    }

    fn subject(&self) -> Subject {
        self.life.registry.get(self.entry).subject()
    }

    fn fail(&self, failure: Failure) {
        let failure = failure.of_task(tokio::task::try_id());
        failing::by_policy(self.life, self.entry, self.parent, failure);
    }

    fn destructor_panicked(&self) {
        self.fail(Failure::new(self.subject(), FailureKind::Destructor));
    }

    /// A run, with what it has started, did not end within the worker's own budget.
    fn overran(&self) {
        let kind = FailureKind::Overrun(self.policy.stop_timeout.unwrap_or_default());
        let failure = Failure::new(self.subject(), kind).of_task(tokio::task::try_id());
        if self.policy.on_timeout == OnTimeout::Log {
            self.life.writer.say(failures::logged(&failure));
        } else if self.life.phase.is_stop_begun() {
            self.life.note_failure(failure);
        } else {
            failing::by_policy_in_the_end(self.life, self.entry, self.parent, failure);
        }
    }

    /// Waits until what the last run has started has ended, and until another run is due. Returns whether one is.
    fn comes_again(
        &mut self,
        kind: ExitKind,
        failure: Option<Failure>,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let mut goes_on = kind != ExitKind::Aborted && self.goes_on(failure.as_ref());
            let mut failure = failure;
            if let Some(children) = current::started() {
                if kind == ExitKind::Aborted {
                    parking::abort_scope(self.life, &children);
                } else if kind != ExitKind::Returned {
                    self.stop_members(&children);
                }
                while let Some(child) = self.children_gone(&children, goes_on).await {
                    self.stop_members(&children);
                    let later = Failure::of_child(self.subject(), &child);
                    if kind == ExitKind::Aborted {
                        failing::by_policy_in_the_end(self.life, self.entry, self.parent, later);
                        continue;
                    }
                    if goes_on && failure.is_some() {
                        // The run has failed already, and another one follows.
                        self.life.writer.say(failures::logged(&later));
                        continue;
                    }
                    goes_on = self.goes_on(Some(&later));
                    failure.get_or_insert(later);
                }
                if goes_on && children.is_owner_aborted() {
                    // The worker was aborted meanwhile.
                    goes_on = false;
                    if let Some(failure) = &failure {
                        self.life.writer.say(failures::logged(failure));
                    }
                }
                // What the next run starts is in another scope.
                current::forget_children();
            }
            if !goes_on {
                return false;
            }
            let entry = self.life.registry.get(self.entry);
            if let Some(period) = self.policy.every {
                self.due = after(self.due, period);
                let mut between = entry.between_runs(current::thread(), kind, None);
                between.comes = tick(self.life, self.due).await;
                between.comes
            } else {
                let pause = self.restarts.pause();
                self.say_restart(failure.as_ref(), pause);
                let mut between = entry.between_runs(current::thread(), kind, Some(Instant::now() + pause));
                between.comes = run_until_stopping(sleep(pause)).await.is_some();
                between.comes
            }
        })
    }

    fn say_restart(&self, failure: Option<&Failure>, pause: Duration) {
        let Some(failure) = failure else { return };
        self.life.writer.say(failures::restarting(failure, pause));
        if let Some(times) = self.restarts.are_a_habit() {
            let lately = self.life.registry.get(self.entry).trouble.lately().restarts;
            self.life.writer.say(failures::restarts_again_and_again(failure, times, lately));
        }
    }

    /// Tells what a run has started to stop. The worker's own budget bounds that, whether it is told itself or not.
    fn stop_members(&mut self, children: &Arc<Scope>) {
        if !children.is_stopped() && !is_stopping() {
            self.timer = self.limit.as_ref().map(|limit| -> Timer { Box::pin(sleep(limit.begin())) });
        }
        parking::stop_scope(self.life, children);
    }

    /// Waits until what a run has started has ended, and aborts it when the worker's own budget is over. Returns early
    /// with a failure that a member has passed to the run.
    async fn children_gone(&mut self, children: &Arc<Scope>, is_restart: bool) -> Option<Failure> {
        let lingering = self.life.registry.get(self.entry).linger(children);
        let mut gone = linger::children_gone(Arc::clone(self.life), self.entry, Arc::clone(children), is_restart);
        let failure = loop {
            let ended = poll_fn(|context| {
                let gone = gone.as_mut().poll(context);
                if let Some(failure) = children.take_failure() {
                    return Poll::Ready(Some(Some(failure)));
                }
                if gone.is_ready() {
                    return Poll::Ready(Some(None));
                }
                is_over(&mut self.timer, context).map(|()| None)
            });
            if let Some(failure) = ended.await {
                break failure;
            }
            self.overran();
            parking::abort_scope(self.life, children);
        };
        drop(lingering);
        failure
    }

    /// What the policy makes of how a run ended: whether another one may follow.
    fn goes_on(&mut self, failure: Option<&Failure>) -> bool {
        let repeats = self.policy.every.is_some();
        let Some(failure) = failure else {
            return repeats;
        };
        self.life.registry.get(self.entry).trouble.note_failure(failure.kind.to_string());
        match failing::meaning(self.life, self.entry, self.parent) {
            OnFailure::Log => {
                self.life.writer.say(failures::logged(failure));
                repeats
            }
            OnFailure::Restart if is_stopping() => {
                self.life.writer.say(failures::logged(failure));
                false
            }
            OnFailure::Restart if self.restarts.allow(self.began) => true,
            OnFailure::Parent => {
                failing::pass_up(self.life, self.parent, failure.clone().of_task(tokio::task::try_id()));
                false
            }
            meaning @ (OnFailure::Stop | OnFailure::Restart) => {
                let used_up = self.policy.max_restarts.filter(|_| meaning == OnFailure::Restart);
                self.life.fail(failure.clone().after_restarts(used_up).of_task(tokio::task::try_id()));
                false
            }
        }
    }
}
