//! A worker's body in a box, so that its type can be written down.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::model::outcome::Returned;
use crate::model::policy::Policy;
use crate::work::body::Body;
use crate::work::completion::Completion;
use crate::work::registration::Registration;

/// A body of any kind that returns `R`: what a [`BoxWorker`](crate::BoxWorker) holds.
pub struct Boxed<R>(Box<dyn AnyBody<R>>);

impl<R> Boxed<R> {
    pub(crate) fn new(body: impl Body<Output = R>) -> Self {
        Self(Box::new(body))
    }
}

impl<R> fmt::Debug for Boxed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Boxed").finish_non_exhaustive()
    }
}

/// [`Body`] without its types, which a box cannot name.
trait AnyBody<R>: Send {
    fn blocks(&self) -> bool;
    fn repeats(&self) -> bool;
    fn inline(self: Box<Self>) -> BoxedRun<R>;
    fn start(self: Box<Self>, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<R>>;
    fn supervise(
        self: Box<Self>,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<R>>;
}

/// One run of a body in a box.
type BoxedRun<R> = Pin<Box<dyn Future<Output = R> + Send>>;

impl<B: Body> AnyBody<B::Output> for B {
    fn blocks(&self) -> bool {
        Body::blocks(self)
    }

    fn repeats(&self) -> bool {
        Body::repeats(self)
    }

    fn inline(self: Box<Self>) -> BoxedRun<B::Output> {
        Box::pin(Body::inline(*self))
    }

    fn start(self: Box<Self>, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<B::Output>> {
        Body::start(*self, registration, runtime)
    }

    fn supervise(
        self: Box<Self>,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<B::Output>> {
        Body::supervise(*self, registration, runtime, policy)
    }
}

impl<R: Returned> Body for Boxed<R> {
    type Output = R;
    type Future = BoxedRun<R>;

    fn blocks(&self) -> bool {
        self.0.blocks()
    }

    fn repeats(&self) -> bool {
        self.0.repeats()
    }

    fn inline(self) -> BoxedRun<R> {
        self.0.inline()
    }

    fn start(self, registration: Registration, runtime: &Handle) -> JoinHandle<Completion<R>> {
        self.0.start(registration, runtime)
    }

    fn supervise(
        self,
        registration: Registration,
        runtime: &Handle,
        policy: Option<Box<Policy>>,
    ) -> JoinHandle<Completion<R>> {
        self.0.supervise(registration, runtime, policy)
    }
}
