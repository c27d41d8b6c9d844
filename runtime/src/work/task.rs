//! A worker while it runs: the future tokio polls.
//!
//! This is the hot path. A worker that never waits costs two counters, and two stores around its poll; one
//! that waits takes a slot on top. Nothing is allocated beside tokio's own task.

use std::future::Future;
use std::mem::needs_drop;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::model::exit::Judged;
use crate::work::code::{Code, CodeProjection, Lingering};
use crate::work::completion::Completion;
use crate::work::probe;
use crate::work::registration::Registration;

pin_project! {
    /// A worker's future, tracked. Resolves when it and what it has started have ended: to `Aborted` if it was aborted.
    pub(crate) struct Tracked<F, S, R> {
        // Dropped as soon as it is done with, in the worker's name.
        #[pin]
        body: Code<F, R>,
        settle: S,
        // Last, so that the worker counts as alive until its future is dropped.
        registration: Registration,
    }

    impl<F, S, R> PinnedDrop for Tracked<F, S, R> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // Dropped from outside, with its runtime.
            if needs_drop::<F>() && this.body.is_running() {
                this.registration.drop_early(this.body);
            }
        }
    }
}

impl<F, S, R> Tracked<F, S, R>
where
    F: Future,
    S: Fn(F::Output) -> Judged<R>,
{
    /// `settle` says how the worker ended, by what the future gave.
    #[inline]
    pub(crate) fn new(future: F, settle: S, registration: Registration) -> Self {
        Self { body: Code::Running { future }, settle, registration }
    }
}

impl<F, S, R> Future for Tracked<F, S, R>
where
    F: Future,
    S: Fn(F::Output) -> Judged<R>,
{
    type Output = Completion<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Completion<R>> {
        let this = self.project();
        let (mut body, registration) = (this.body, this.registration);
        if !body.is_running() {
            return poll_lingering(body, registration, context);
        }
        if registration.is_aborted() {
            if !registration.only_waits() {
                registration.drop_early(body.as_mut());
                let completion = registration.aborted();
                return end(body, registration, completion, context);
            }
            registration.abort_children();
        }
        let was_scoped = registration.is_scoped();
        let waker = registration.waker_id(context);
        let asked = probe::asked(registration.life(), registration.entry, registration.waits());
        let mut returned = false;
        let run = || {
            let polled = match body.as_mut().future() {
                Some(running) => asked.poll(running, context),
                None => Poll::Pending,
            };
            polled.map(|result| {
                returned = true;
                body.set(Code::Gone);
                // An error's `Debug` is code of the worker's as well.
                (this.settle)(result)
            })
        };
        match registration.run(waker, run) {
            Ok(Poll::Ready(judged)) => {
                if registration.has_children() {
                    return end_with_children(body, registration, judged, context);
                }
                Poll::Ready(registration.ended(judged))
            }
            Ok(Poll::Pending) => {
                if registration.waits() {
                    registration.waits_on();
                } else {
                    registration.park(context);
                }
                if registration.is_scoped() && !was_scoped {
                    // It got a token in this poll: futures that wait by the slot alone have to register with it.
                    context.waker().wake_by_ref();
                }
                // Rule 3 of a scope: the waker, then the failure.
                registration.wait_for_children(context.waker());
                if let Some(failure) = registration.childs_failure(context.waker()) {
                    registration.drop_early(body.as_mut());
                    let completion = registration.failed_by_child(&failure);
                    return end(body, registration, completion, context);
                }
                Poll::Pending
            }
            Err(payload) => {
                let completion = registration.panicked(payload, returned);
                registration.drop_early(body.as_mut());
                end(body, registration, completion, context)
            }
        }
    }
}

/// Its own code has run to its end, and it has started others.
#[cold]
fn end_with_children<F, R>(
    body: Pin<&mut Code<F, R>>,
    registration: &mut Registration,
    judged: Judged<R>,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    let completion = registration.ended(judged);
    end(body, registration, completion, context)
}

/// The worker's own code has ended: so has the worker, unless what it has started goes on.
#[cold]
fn end<F, R>(
    mut body: Pin<&mut Code<F, R>>,
    registration: &mut Registration,
    completion: Completion<R>,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    let Some(wait) = registration.lingers() else {
        return Poll::Ready(completion);
    };
    body.set(Code::Lingering { rest: Box::new(Lingering { wait, completion: Some(completion) }) });
    poll_lingering(body, registration, context)
}

#[cold]
fn poll_lingering<F, R>(
    body: Pin<&mut Code<F, R>>,
    registration: &mut Registration,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    let CodeProjection::Lingering { rest } = body.project() else {
        return Poll::Pending;
    };
    if registration.poll_children_gone(&mut rest.wait, context).is_ready()
        && let Some(completion) = rest.completion.take()
    {
        return Poll::Ready(completion);
    }
    if !registration.waits() {
        registration.park(context);
    }
    Poll::Pending
}
