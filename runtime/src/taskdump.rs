//! Where those who wait do so, by file and line: with tokio's task dumps, where these are to be had.
//!
//! Nobody notes where he waits. When it is asked for, those who sit are woken, and each is polled once within
//! [`trace_with`]: futures of tokio's then say where they are polled from and that they are not ready, whether they are
//! or not. A poll like any other follows at once, so that nothing is lost by it. Whoever blocks his thread is not
//! polled, and says nothing.
//!
//! A stack is a few addresses. What these mean is looked up by a thread of its own: that reads the debug info of the
//! program, which may take longer than a stop has left.

mod lines;
mod lookup;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::sleep;
use std::time::Duration;

use tokio::runtime::dump::{TraceMeta, trace_with};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::Id;
use tokio::time::Instant;

use crate::beside;
use crate::lifecycle::Lifecycle;
use crate::line::Line;
use crate::message;
use crate::rows::{Label, RowId};
use crate::stuck::Stuck;
use crate::thread;

/// How many of one row, and in all, are looked at. Looking takes some 20 µs each, on the threads of the runtime.
const LOOKED_AT: (usize, usize) = (64, 512);
/// How many futures of one worker are looked at: the arms of its `select!`.
const LEAVES: usize = 16;
/// How far up a stack is followed.
const DEEPEST: usize = 256;
/// How long a dump waits for those it has woken.
const PATIENCE: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_millis(5);
/// How long before the abort what takes long is begun.
const PREPARING: Duration = Duration::from_secs(2);

/// How many threads look up what addresses mean. One that follows a stack would have to wait for them, and that is
/// nothing for a poll.
static LOOKING_UP: AtomicU32 = AtomicU32::new(0);

fn is_looking_up() -> bool {
    LOOKING_UP.load(Ordering::Relaxed) > 0
}

thread_local! {
    /// Whether the poll under way on this thread is one that is looked at.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// The return addresses of one await, the innermost first.
type Stack = Vec<usize>;

/// Who has said where he waits, while somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Taskdump {
    is_asking: AtomicBool,
    round: Mutex<Round>,
    /// Whether a dump is being made.
    is_dumping: AtomicBool,
    /// Whether what reports look up has been looked up before.
    is_prepared: AtomicBool,
    /// What was found out then, for those who have no time to answer once more.
    earlier: Mutex<Vec<Await>>,
}

#[derive(Debug, Default)]
struct Round {
    /// How many are asking: a dump, the report, or both at once.
    askers: u32,
    /// Who was looked at: each task once, and main, which is none.
    seen: HashSet<Option<Id>>,
    /// Those who are looked at will be aborted next.
    is_the_last: bool,
    /// How many have said all they will say.
    answered: usize,
    /// How many of each row have been.
    looked_at: HashMap<RowId, usize>,
    /// How many wait in the same way: what they await at once, in each of their stacks.
    waiting: HashMap<(RowId, Vec<Stack>), usize>,
}

impl Taskdump {
    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place among those who are looked at, once a task, while there are any.
    #[cold]
    fn admit(&self, row: RowId) -> bool {
        let mut round = self.round();
        let total = round.looked_at.values().sum::<usize>();
        let of_row = round.looked_at.get(&row).copied().unwrap_or(0);
        let has_room = round.askers > 0 && total < LOOKED_AT.1 && of_row < LOOKED_AT.0;
        if !has_room || !round.seen.insert(tokio::task::try_id()) {
            return false;
        }
        round.looked_at.insert(row, of_row + 1);
        let is_admitted = !is_looking_up() && (round.is_the_last || is_woken_by_the_scheduler(row));
        round.answered += usize::from(!is_admitted);
        is_admitted
    }

    fn note(&self, row: RowId, stacks: Vec<Stack>) {
        let mut round = self.round();
        round.answered += 1;
        if round.askers > 0 {
            *round.waiting.entry((row, stacks)).or_default() += 1;
        }
    }

    fn earlier(&self) -> MutexGuard<'_, Vec<Await>> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many have answered so far.
    fn answered(&self) -> usize {
        self.round().answered
    }
}

/// Whether a future that is looked at has its wakers called afterwards, by tokio's scheduler. Main's on a runtime of
/// many threads has not: one of several futures in it, which had just become ready, would not be polled again.
fn is_woken_by_the_scheduler(row: RowId) -> bool {
    let is_alone = |runtime: Handle| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
    row != RowId::MAIN || Handle::try_current().is_ok_and(is_alone)
}

/// Whether the poll that is about to begin is to be looked at. A first one is not: who is there waits for nothing yet.
#[inline]
pub(crate) fn asked(life: &Arc<Lifecycle>, row: RowId, waits: bool) -> Asked {
    let is_asking = life.taskdump.is_asking.load(Ordering::Relaxed) && waits;
    Asked(is_asking.then(|| Call::of(life, row)))
}

/// What [`asked`] found out.
pub(crate) struct Asked(Option<Box<Call>>);

/// A poll while somebody asks.
struct Call {
    life: Arc<Lifecycle>,
    row: RowId,
    is_admitted: bool,
    /// What the thread knew of the row before. That the worker was asked is not what anybody means by its last poll.
    mark: u64,
}

impl Call {
    /// In a box, so that a poll that nobody asked for has little to carry.
    #[cold]
    #[allow(clippy::unnecessary_box_returns)] // the hot path has nothing but the pointer
    fn of(life: &Arc<Lifecycle>, row: RowId) -> Box<Self> {
        Box::new(Self {
            life: Arc::clone(life),
            row,
            is_admitted: life.taskdump.admit(row),
            mark: thread::mark(row),
        })
    }
}

impl Asked {
    /// Polls the future, and looks at it first where that was asked for.
    #[inline]
    pub(crate) fn poll<F: Future>(
        self,
        mut future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
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
    thread::put_mark_back(call.row, call.mark);
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
    call.life.taskdump.note(call.row, stacks);
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

/// Asks those who will be aborted next. [`Awaits::of`] has their answers.
pub(crate) fn ask_at_last(life: &Lifecycle) {
    ask(life, true);
}

/// Has those who sit polled once more, so that they say where they wait. Returns how many were woken.
fn ask(life: &Lifecycle, is_the_last: bool) -> usize {
    let mut round = life.taskdump.round();
    if round.askers == 0 {
        *round = Round::default();
    }
    round.askers += 1;
    round.is_the_last |= is_the_last;
    life.taskdump.is_asking.store(true, Ordering::Release);
    drop(round);
    let mut woken = HashMap::<_, usize>::new();
    let mut total = 0;
    life.seats.wake_those(|row, _| {
        let of_row = woken.entry(row).or_default();
        let is_wanted = *of_row < LOOKED_AT.0 && total < LOOKED_AT.1;
        *of_row += usize::from(is_wanted);
        total += usize::from(is_wanted);
        is_wanted
    });
    total
}

/// What was said since it was asked.
fn collect(life: &Lifecycle) -> Said {
    let mut round = life.taskdump.round();
    round.askers = round.askers.saturating_sub(1);
    let said = if round.askers == 0 {
        life.taskdump.is_asking.store(false, Ordering::Relaxed);
        std::mem::take(&mut *round).waiting
    } else {
        round.waiting.clone()
    };
    drop(round);
    let said = said.into_iter();
    Said(
        said.map(|((row, stacks), count)| (life.rows.label(row), stacks, count))
            .collect(),
    )
}

/// Which functions' workers (main's, where there is none) wait where, and how many: in addresses.
struct Said(Vec<(Option<Label>, Vec<Stack>, usize)>);

impl Said {
    /// The same in file and line. Takes its time.
    fn look_up(self) -> Vec<Await> {
        LOOKING_UP.fetch_add(1, Ordering::Relaxed);
        let awaits = self.read();
        LOOKING_UP.fetch_sub(1, Ordering::Relaxed);
        awaits
    }

    fn read(self) -> Vec<Await> {
        let mut book = lookup::Book::default();
        let mut awaits: Vec<Await> = Vec::new();
        let mut totals = HashMap::<_, usize>::new();
        for (label, stacks, count) in self.0 {
            *totals.entry(label.clone()).or_default() += count;
            // Two arms of a `select!` are one place.
            let stacks: HashSet<_> = stacks.iter().map(|stack| book.read(stack)).collect();
            for stack in stacks.into_iter().filter(|stack| !stack.is_empty()) {
                let same = |other: &&mut Await| other.label == label && other.stack == stack;
                match awaits.iter_mut().find(same) {
                    Some(other) => other.count += count,
                    None => awaits.push(Await {
                        label: label.clone(),
                        stack,
                        count,
                        looked_at: 0,
                        is_earlier: false,
                    }),
                }
            }
        }
        let labels: Vec<_> = awaits
            .iter()
            .filter_map(|one| one.label.as_ref())
            .map(|label| label.file)
            .collect();
        let roots = book.roots(&labels);
        for one in &mut awaits {
            one.looked_at = totals.get(&one.label).copied().unwrap_or(one.count);
            for frame in &mut one.stack {
                *frame = lines::shortened(frame, &roots);
            }
        }
        let name = |one: &Await| one.label.as_ref().map(|label| label.name.clone());
        awaits.sort_by_cached_key(|one| (name(one), usize::MAX - one.count, one.stack.clone()));
        awaits
    }
}

/// Workers of one function, or main, that wait in the same place.
#[derive(Clone, Debug)]
pub(crate) struct Await {
    /// `None` for main.
    label: Option<Label>,
    /// `src/db.rs:90`, from the innermost to the outermost.
    pub(crate) stack: Vec<String>,
    pub(crate) count: usize,
    /// How many of the function were looked at.
    pub(crate) looked_at: usize,
    /// They waited there some time before the abort, and have not answered since.
    pub(crate) is_earlier: bool,
}

/// What a dump says of them.
struct Dump(Vec<Await>);

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(
                "where they wait: nobody has said so: their threads are blocked, or it is nothing of tokio's",
            );
        }
        f.write_str("where they wait:")?;
        for one in &self.0 {
            let name = one.label.as_ref().map_or("main", |label| &label.name);
            write!(f, "\n  {}", message::name(name))?;
            if one.count > 1 {
                write!(f, " ×{}", one.count)?;
            }
            if one.looked_at == LOOKED_AT.0 {
                write!(f, " of the {} looked at", one.looked_at)?;
            }
            write!(f, " at {}", one.stack.join(" <- "))?;
        }
        Ok(())
    }
}

/// The places of those who were stuck, from when they have been looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaits(Arc<(Mutex<LookedUp>, Condvar)>);

#[derive(Debug, Default)]
struct LookedUp {
    is_under_way: bool,
    awaits: Vec<Await>,
}

impl Awaits {
    /// Takes what was said since [`ask_at_last`], and has it looked up.
    pub(crate) fn of(life: &Lifecycle) -> Self {
        let said = collect(life);
        let awaits = Self::default();
        *awaits.lock() = LookedUp {
            is_under_way: true,
            awaits: life.taskdump.earlier().clone(),
        };
        let result = awaits.clone();
        let look_up = move || {
            let found = said.look_up();
            let mut looked_up = result.lock();
            let is_silent = |one: &Await| found.iter().all(|other| other.label != one.label);
            looked_up.awaits.retain(is_silent);
            looked_up.awaits.extend(found);
            looked_up.is_under_way = false;
            drop(looked_up);
            result.0.1.notify_all();
        };
        if beside::start("graceful-lookup", Box::new(look_up)).is_err() {
            awaits.lock().is_under_way = false;
        }
        awaits
    }

    /// Waits until they have been looked up, for `limit` at the most.
    pub(crate) fn wait(&self, limit: Duration) {
        let is_under_way = |looked_up: &mut LookedUp| looked_up.is_under_way;
        drop(
            self.0
                .1
                .wait_timeout_while(self.lock(), limit, is_under_way),
        );
    }

    /// Where these wait, as far as has been looked up.
    pub(crate) fn of_those(&self, stuck: &Stuck) -> Vec<Await> {
        if stuck.label().is_none() && !stuck.is_main() {
            return Vec::new();
        }
        let looked_up = self.lock();
        let awaits = looked_up.awaits.iter();
        awaits
            .filter(|one| one.label.as_ref() == stuck.label())
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, LookedUp> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has said where those who wait do so. Nobody who is stuck, and no debug info, holds up anybody but a thread of its
/// own; a dump that is asked for meanwhile has no such lines.
pub(crate) fn publish(life: &Arc<Lifecycle>) {
    if life.taskdump.is_dumping.swap(true, Ordering::AcqRel) {
        return;
    }
    let dumped = Arc::clone(life);
    let dump = move || {
        let dump = Dump(find_out(&dumped));
        dumped.scribe.say(Line::report(dump.to_string()));
        dumped.taskdump.is_dumping.store(false, Ordering::Release);
    };
    if beside::start("graceful-dump", Box::new(dump)).is_err() {
        life.taskdump.is_dumping.store(false, Ordering::Release);
    }
}

/// Asks everybody, and waits for those who answer. For a thread that has time.
fn find_out(life: &Lifecycle) -> Vec<Await> {
    let woken = ask(life, false);
    let asked = Instant::now();
    while life.taskdump.answered() < woken && asked.elapsed() < PATIENCE {
        sleep(SOON);
    }
    // They are polled once more each, which is on account of this as well.
    sleep(SOON);
    collect(life).look_up()
}

/// Has it found out beforehand, once, when a stop has taken half of its budget and the abort is near: looking up for
/// the first time takes a hundred times as long as later. Returns when the coordinator is to be here again, which wants
/// to be woken at `deadline`.
pub(crate) fn prepare(life: &Arc<Lifecycle>, deadline: Option<Instant>) -> Option<Instant> {
    let moments = life
        .budget()
        .map(|budget| (budget.half(), budget.abort_at()));
    let Some((Some(half), Some(abort_at))) = moments else {
        return deadline;
    };
    let due = abort_at
        .checked_sub(PREPARING)
        .map_or(half, |at| at.max(half));
    if due > life.now() {
        return Some(deadline.map_or(due, |deadline| deadline.min(due)));
    }
    if !life.taskdump.is_prepared.swap(true, Ordering::Relaxed) {
        let life = Arc::clone(life);
        let prepare = move || {
            let mut found = find_out(&life);
            for one in &mut found {
                one.is_earlier = true;
            }
            *life.taskdump.earlier() = found;
        };
        // Without a thread there is nothing earlier to fall back on.
        let _ = beside::start("graceful-lookup", Box::new(prepare));
    }
    deadline
}
