//! A poll within which a worker says where it waits, with tokio's task dumps (feature `taskdump`).

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

/// How many futures of one worker are looked at: the arms of its `select!`.
const LEAVES: usize = 16;
/// How far up a stack is followed.
const DEEPEST: usize = 256;

thread_local! {
    /// Whether the poll under way on this thread is one that is looked at.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the poll that is about to begin is to be looked at. A first one is not: who is there waits for nothing yet.
#[inline]
pub(crate) fn asked(life: &Arc<Lifecycle>, entry: EntryId, waits: bool) -> Asked {
    let is_asking = life.diagnostics.probes.is_asking.load(Ordering::Relaxed) && waits;
    Asked(is_asking.then(|| Call::of(life, entry)))
}

/// What [`asked`] found out.
pub(crate) struct Asked(Option<Box<Call>>);

/// A poll while somebody asks.
struct Call {
    life: Arc<Lifecycle>,
    entry: EntryId,
    is_admitted: bool,
    /// What the thread knew of the entry before. That the worker was asked is not what anybody means by its last poll.
    mark: u64,
}

impl Call {
    /// In a box, so that a poll that nobody asked for has little to carry.
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
    /// Polls the future, and looks at it first where that was asked for.
    #[inline]
    pub(crate) fn poll<F: Future>(self, mut future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(call) = self.0
            && let ready @ Poll::Ready(_) = look(&call, future.as_mut(), context)
        {
            return ready;
        }
        // Those who were looked at may have left nobody to wake them.
        future.poll(context)
    }
}

/// Polls a future whose leaves say where they are.
#[cold]
fn look<F: Future>(call: &Call, future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    if let Some(seen) = current::seen() {
        seen.put_mark_back(call.entry, call.mark);
    }
    if !call.is_admitted {
        return Poll::Pending;
    }
    let mut stacks = Vec::new();
    let looking = Looking::begin();
    let poll = trace_with(
        || future.poll(context),
        |meta| {
            if stacks.len() < LEAVES {
                stacks.push(stack(meta));
            }
        },
    );
    drop(looking);
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

/// The poll under way is one that is looked at, while this lives.
struct Looking;

impl Looking {
    fn begin() -> Self {
        LOOKING.set(true);
        Self
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.set(false);
    }
}

/// A future of ours, which waits for nothing of tokio's, says where it is as if it did.
#[inline]
pub(crate) fn leaf(context: &mut Context<'_>) {
    if LOOKING.get() {
        let _ = pin!(tokio::task::yield_now()).poll(context);
    }
}
