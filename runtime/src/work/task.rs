//! A worker while it runs: the future tokio polls.
//!
//! This is the hot path. A worker that never waits costs two counters, and two stores around its poll; one
//! that waits takes a slot on top. Nothing is allocated beside tokio's own task.

use std::any::Any;
use std::future::Future;
use std::mem::needs_drop;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::model::exit::Judged;
use crate::model::failure::Failure;
use crate::work::code::{AnyCode, Code, Lingering};
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
        let interest = registration.interest();
        if registration.is_aborted(interest) {
            if !registration.only_waits() {
                return end_early(body, registration, None, context);
            }
            registration.abort_children();
        }
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
        match registration.run(interest, waker, run) {
            Ok(Poll::Ready(Judged::Well(result))) if registration.ends_alone() => {
                Poll::Ready(registration.ended_well(result))
            }
            Ok(Poll::Ready(judged)) => end_with_care(body, registration, judged, context),
            Ok(Poll::Pending) => match registration.pends(interest, context) {
                None => Poll::Pending,
                Some(failure) => end_early(body, registration, Some(&failure), context),
            },
            Err(payload) => panicked(body, registration, payload, returned, context),
        }
    }
}

// What few workers need is compiled once for each type of result.

/// Its own code has run to its end. It has started others, is essential, or not all was well.
#[cold]
fn end_with_care<R>(
    code: Pin<&mut dyn AnyCode<R>>,
    registration: &mut Registration,
    judged: Judged<R>,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    let completion = registration.ended(judged);
    end(code, registration, completion, context)
}

/// Its own code ends early: with this failure of a member, or aborted.
#[cold]
fn end_early<R>(
    mut code: Pin<&mut dyn AnyCode<R>>,
    registration: &mut Registration,
    failure: Option<&Failure>,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    registration.drop_early(code.as_mut());
    let completion = match failure {
        Some(failure) => registration.failed_by_child(failure),
        None => registration.aborted(),
    };
    end(code, registration, completion, context)
}

/// `returned`: its code had returned, and a destructor panicked afterwards.
#[cold]
fn panicked<R>(
    mut code: Pin<&mut dyn AnyCode<R>>,
    registration: &mut Registration,
    payload: Box<dyn Any + Send>,
    returned: bool,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    let completion = registration.panicked(payload, returned);
    registration.drop_early(code.as_mut());
    end(code, registration, completion, context)
}

/// The worker's own code has ended: so has the worker, unless what it has started goes on.
#[cold]
fn end<R>(
    mut code: Pin<&mut dyn AnyCode<R>>,
    registration: &mut Registration,
    completion: Completion<R>,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    let Some(wait) = registration.lingers() else {
        return Poll::Ready(completion);
    };
    code.as_mut().end(Some(Box::new(Lingering { wait, completion: Some(completion) })));
    poll_lingering(code, registration, context)
}

#[cold]
fn poll_lingering<R>(
    code: Pin<&mut dyn AnyCode<R>>,
    registration: &mut Registration,
    context: &mut Context<'_>,
) -> Poll<Completion<R>> {
    let Some(rest) = code.rest() else {
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
