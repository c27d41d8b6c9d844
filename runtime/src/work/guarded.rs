//! A future whose panics are caught: a run of a supervised worker, or a hook.

use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::model::exit::Exit;

/// A run of a worker, its panics caught.
pub(crate) type Run<R> = Pin<Box<dyn Future<Output = Exit<R>> + Send>>;

/// A run, its panics caught, and those of its destructor.
pub(crate) fn guarded<F>(run: F) -> Run<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    Box::pin(async move {
        let mut run = pin!(Some(run));
        poll_fn(|context| {
            let poll = || {
                let poll = match run.as_mut().as_pin_mut() {
                    Some(running) => running.poll(context),
                    None => Poll::Pending,
                };
                if poll.is_ready() {
                    run.set(None);
                }
                poll
            };
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(poll) => poll.map(Exit::Returned),
                Err(payload) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| run.set(None))).map_err(mem::forget);
                    Poll::Ready(Exit::Panicked(payload))
                }
            }
        })
        .await
    })
}
