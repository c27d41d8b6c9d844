//! Polls that record where a worker waits, with tokio's task dumps (feature `taskdump`).

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::runtime::dump::{TraceMeta, trace_with};

use crate::life::lifecycle::Lifecycle;
use crate::life::probes::Stack;
use crate::model::label::EntryId;
use crate::work::current;

/// How many futures of one worker are recorded: the arms of its `select!`.
const LEAVES: usize = 16;
/// How far up a stack is followed.
const DEEPEST: usize = 256;

thread_local! {
    /// Whether the poll under way on this thread is traced.
    static IS_TRACING: Cell<bool> = const { Cell::new(false) };
}

/// Whether to trace the poll that is about to begin. A worker's first poll is not traced: it waits for nothing yet.
#[inline]
pub(crate) fn asked(life: &Arc<Lifecycle>, entry: EntryId, waits: bool) -> Asked {
    let is_asking = life.diagnostics.probes.is_asking.load(Ordering::Relaxed) && waits;
    Asked(is_asking.then(|| Call::of(life, entry)))
}

/// The answer of [`asked`].
pub(crate) struct Asked(Option<Box<Call>>);

/// A poll during a dump.
struct Call {
    life: Arc<Lifecycle>,
    entry: EntryId,
    is_admitted: bool,
    /// The entry's last-polled mark before this poll, which does not count as the worker's last.
    mark: u64,
}

impl Call {
    /// In a box, so that an ordinary poll has little to carry.
    #[cold]
    #[allow(clippy::unnecessary_box_returns)] // the hot path has nothing but the pointer
    fn of(life: &Arc<Lifecycle>, entry: EntryId) -> Box<Self> {
        Box::new(Self {
            life: Arc::clone(life),
            entry,
            is_admitted: life.diagnostics.probes.admit(entry),
            mark: current::seen().map_or(0, |seen| seen.mark(entry)),
        })
    }
}

impl Asked {
    /// Polls the future; during a dump, traces it first.
    #[inline]
    pub(crate) fn poll<F: Future>(self, mut future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(call) = self.0
            && let ready @ Poll::Ready(_) = trace(&call, future.as_mut(), context)
        {
            return ready;
        }
        // Traced futures may have registered no waker.
        future.poll(context)
    }
}

/// Polls a future whose leaves record where they are.
#[cold]
fn trace<F: Future>(call: &Call, future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    if let Some(seen) = current::seen() {
        seen.put_mark_back(call.entry, call.mark);
    }
    if !call.is_admitted {
        return Poll::Pending;
    }
    let mut stacks = Vec::new();
    let tracing = Tracing::begin();
    let poll = trace_with(
        || future.poll(context),
        |meta| {
            if stacks.len() < LEAVES {
                stacks.push(stack(meta));
            }
        },
    );
    drop(tracing);
    call.life.diagnostics.probes.note(call.entry, stacks);
    poll
}

/// The stack of a leaf, from the future that is awaited to the task.
fn stack(meta: &TraceMeta) -> Stack {
    let mut stack = Stack::new();
    let mut is_above = false;
    backtrace::trace(|frame| {
        let function = frame.symbol_address().cast_const();
        if meta.root_addr == Some(function) {
            return false;
        }
        if is_above {
            stack.push(frame.ip() as usize);
        }
        is_above |= function == meta.trace_leaf_addr;
        stack.len() < DEEPEST
    });
    stack
}

/// The poll under way is traced while this lives.
struct Tracing;

impl Tracing {
    fn begin() -> Self {
        IS_TRACING.set(true);
        Self
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        IS_TRACING.set(false);
    }
}

/// Called by a future of this crate, which waits for nothing of tokio's: records where it is as if it did.
#[inline]
pub(crate) fn leaf(context: &mut Context<'_>) {
    if IS_TRACING.get() {
        let _ = pin!(tokio::task::yield_now()).poll(context);
    }
}
