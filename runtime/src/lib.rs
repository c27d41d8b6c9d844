//! Lifecycle-managed mains for tokio services.
//!
//! Annotate `main` and your background functions. From then on the process stops the way production needs it
//! to: no signal is lost, the work in hand is finished, everything that was started is waited for, the
//! deadline holds whatever the code does, and the exit code and the last lines on standard error say what
//! happened.
//!
//! ```no_run
//! # #[derive(Clone)] struct Queue; struct Job; #[derive(Debug)] struct QueueError;
//! # impl Queue {
//! #     async fn connect() -> Result<Self, QueueError> { Ok(Queue) }
//! #     async fn next(&self) -> Option<Job> { None }
//! #     async fn commit(self) -> Result<(), QueueError> { Ok(()) }
//! # }
//! # impl Job { async fn run(self) -> Result<(), QueueError> { Ok(()) } }
//! #[graceful::worker(stop = "early")]
//! async fn consume(queue: Queue) -> Result<(), QueueError> {
//!     while let Some(job) = graceful::run_until_stopping(queue.next()).await.flatten() {
//!         job.run().await?; // the unit in hand is always finished
//!     }
//!     queue.commit().await
//! }
//!
//! #[graceful::main(stop_timeout = "25s", drain = "5s")]
//! async fn main() -> Result<(), QueueError> {
//!     let queue = Queue::connect().await?;
//!     consume(queue).spawn(); // in the background, tracked, waited for at the stop
//!     graceful::ready();
//!     graceful::stopping().await;
//!     Ok(())
//! }
//! ```
//!
//! # The timeline of a stop
//!
//! A stop has one cause, the first of: a signal, [`stop()`], a worker that failed, an [essential](macro@worker)
//! worker that ended, main's end. It has one budget, `stop_timeout`: from that moment until the process is gone.
//!
//! ```text
//!   Starting ─1─▶ Ready ─2─▶ Draining ─3─▶ Stopping ──────────────────────────4─▶ Stopped ────5─▶ gone
//!                            │             │             │          │             │              │
//!   told to stop:            early         main and      late       last          │              │
//!                            │             all others    │          │             │              │
//!   hooks:                   before_stop   on_stop       │          │             after_stop     │
//!                            │             │             │          │             │              │
//!                            ├─── drain ───┤             │          │     abort ─▶│              │
//!                            ├────────────────────────── stop_timeout ──────────────────────────▶│
//! ```
//!
//! 1. [`ready()`]. [`not_ready`] takes it back. It has no effect once a stop was asked for.
//! 2. The first cause. [`is_ready`] is false; workers of the stage [`Early`](Stage::Early) are told to stop, and no
//!    worker with `every` begins another run; [`before_stop`] hooks run, all at once. Everything else goes on.
//! 3. The drain is over and the [`before_stop`] hooks are done, or half the budget is gone. Main and its workers are
//!    told to stop, and [`on_stop`] hooks run beside them. When they have ended the stage [`Late`](Stage::Late) is
//!    told, and when that has ended, [`Last`](Stage::Last).
//! 4. Everybody has ended, or was aborted. A tenth of the budget, 2 s at the most, is kept in reserve. When only that is
//!    left, who still runs is noted, and then its future is dropped, so that destructors run; stages whose turn
//!    had not come are told, and aborted when half of the reserve has gone. In any case [`after_stop`] hooks
//!    come next, the last registered first, each with its share of what is left.
//! 5. Main's thread leaves the runtime, values given to [`keep`] are dropped, main returns its `ExitCode`. Where
//!    that does not happen, the report is written with a quarter of the reserve left, and at the end of the
//!    budget the watch ends the process.
//!
//! There is no drain when main has ended, when a person pressed Ctrl-C (a SIGINT, with a terminal on standard
//! error), and when the service never called [`ready()`] and set no drain. Main's end, and the first SIGINT after
//! another cause, end it early. It never takes more than half the budget. With no drain and no [`before_stop`]
//! hook the state is `Stopping` at once.
//!
//! While it waits, the stop says for whom, after one second and then at doubling intervals: `still waiting
//! for: consume ×3 (2 s), main (2 s)`. It is the only report that survives a SIGKILL.
//!
//! What if …
//!
//! | case | answer |
//! |---|---|
//! | a stop is asked for twice | the first cause is kept, and the budget runs from it |
//! | main returns while workers live | they are stopped and waited for, blocking ones too; a warning names them |
//! | main returns or panics during the drain | the drain ends; the cause stays what it was; the exit code is main's, or 101 |
//! | a worker fails during the drain | the drain goes on; the exit code is 1 |
//! | a worker waits for its own handle, or its parent's | nobody can end that but the deadline: it is named, code 124 |
//! | a worker is spawned before main's first await | it runs as any other |
//! | a worker is spawned while stopping | it runs, with its token cancelled, and is waited for; with `when_stopping = "refuse"` it is refused |
//! | a worker is spawned when its stage has ended | its handle says [`Refused`](WorkerError::Refused) |
//! | a worker is spawned where no lifecycle is | a panic that names the missing attribute; to `.await` it works |
//! | a parent ends before its children | they go on; the stop waits for them |
//! | a restart is pending when the stop comes | it does not come |
//! | a tick fails, or is due during the drain | it is logged, and the next one comes; it is not begun |
//! | a worker with `every` is spawned when a stop was asked for | it is refused |
//! | a worker with `on_failure = "log"` has a destructor that panics, at its end or at an abort | a line, nothing else |
//! | a blocking worker is aborted, by its handle or by its own budget, while its code runs | it counts as aborted; the code cannot be cut off, and the stop waits for it |
//! | an essential worker ends well, or is stopped through its handle | the process stops, code 0; nothing else happens |
//! | a worker has to be aborted at the stop, whatever its policy | it is named, code 124 |
//! | a `before_stop` hook hangs | it is aborted when half the budget is gone, and named, code 124; then main and its workers are told |
//! | an `on_stop` hook returns an error | it is tried again, three times in all; then it is a failure, code 1 |
//! | an `after_stop` hook hangs | it is aborted when its share is over, and named; the others run |
//! | a hook spawns a worker | it is waited for as any other |
//! | a hook is registered under the name of one that has begun | it runs as well |
//! | a hook is registered when its moment has come | it runs at once; an `after_stop` hook as long as these run |
//! | [`ready()`] twice, or during a stop | no effect |
//! | [`reloads`] while SIGHUP is among `signals` | a panic at the call |
//! | code blocks its thread, or never yields | named as blocking; the watch ends the process at the deadline |
//! | untracked tasks are alive at the end | they are dropped, and get 50 ms for their destructors |
//! | untracked blocking threads are alive at the end | nobody waits for them |
//! | a second Ctrl-C | the process ends at once, code 130; the same signal twice within 100 ms is one |
//! | a second SIGTERM | a line, nothing else |
//! | SIGINT or SIGTERM was ignored when the process started (`nohup`) | it stays ignored |
//! | code installs another handler for one of the signals | unless it calls the one before it the stop is not heard of; a line at the end, or in the report, names the signal |
//! | the process stood still past a deadline, for 200 ms or more (SIGSTOP, a frozen cgroup) | when it goes on, what is due has 50 ms to finish; then come the abort and the end. That is granted once in a stop |
//! | tokio's clock is paused, or moved, in a program | the stop goes by real time; in a test, by the test's clock |
//! | everybody was joined, and the machine is too busy for the rest | it has up to half a second more; the code stays what it is |
//! | standard error is a terminal that stops whoever writes from the background (`stty tostop`) | lines are written all the same: a line of ours suspends nobody |
//! | standard error does not block (`O_NONBLOCK`) and is full | it is waited for, as one that blocks |
//! | threads that were there before the lifecycle spawn a worker while its runtime is built | they wait for the runtime |
//! | a lifecycle after another one | works |
//! | a lifecycle inside a tokio runtime, or while another one runs | a panic at the caller's line; tests have theirs each |
//! | `std::process::exit` in code of yours | the process ends at once: no hooks, no report |
//!
//! # Exit codes
//!
//! | what happened | code |
//! |---|---|
//! | main's own result | as std: `Ok` is 0, `Err` is 1 with `Error: …`, an `ExitCode` as it is |
//! | a worker returned `Err`, and its policy was to stop | 1 |
//! | an [`on_stop`] or [`after_stop`] hook failed, panicked or could not be run | 1 |
//! | main or a worker panicked | 101, as std |
//! | the deadline passed with work still running: the process's, a worker's own, a hook's share (half the budget for [`before_stop`]) | 124, as `timeout(1)` |
//! | a second interrupt forced the exit | 130, as shells: 128 + SIGINT |
//! | with `reraise`: a signal asked for the stop, and nothing but main's own result went wrong | death by that signal; 128 + its number where that cannot be, as in PID 1 |
//! | a wrong value in the environment, no thread or handler to be had | 2, main was not run |
//!
//! The first failure decides. A signal, [`stop()`] and main's `Ok` are causes, not failures; a failure that a
//! policy tolerates (`"log"`, `"restart"`) and an error or panic of a [`before_stop`] hook are none either. An end
//! that is not 0 prints a report on standard error, at most 2 KiB, its one-line summary last: the cause, every
//! failure with its text, how long each state took, and everybody who had to be aborted: name, file and line, how
//! many, how long, whether it waits in an await or blocks its thread, and who waits for whose handle; with the feature
//! `taskdump`, in which await.
//!
//! # What the attributes expand to
//!
//! ```text
//! #[graceful::main(stop_timeout = "25s")]       fn main() -> ExitCode {
//! async fn main() -> Result<(), Error> {            async fn main() -> Result<(), Error> { … }
//!     …                                    ──▶      graceful::__private::main(
//! }                                                     Builder::new().stop_timeout(…), main())
//!                                               }
//!
//! #[graceful::worker]                           fn consume(queue: Queue)
//! async fn consume(queue: Queue)                    -> Worker<impl Body<Output = Result<(), Error>>> {
//!     -> Result<(), Error> {                        async fn …(queue: Queue) -> Result<(), Error> { … }
//!     …                                    ──▶      static FUNCTION: Function = Function::new("consume", …);
//! }                                                 once(&FUNCTION, …(queue), |result| judge(result))
//!                                               }
//! ```
//!
//! Everything that behaves lives in this crate and can be used without macros: [`Builder`], [`Worker::new`],
//! [`spawn()`], [`spawn_blocking`].
//!
//! # Whose stop?
//!
//! No handle is passed around. [`token`], [`stopping`], [`is_stopping`] and [`run_until_stopping`] answer for
//! the caller: inside a worker for that worker, in main and everywhere else for main's stage. They find their
//! lifecycle from main, from a worker, from a plain `tokio::spawn` task, from a `spawn_blocking` closure and,
//! in a program, from any thread. What they return is settled when they are called: `stopping()` made by a
//! worker means that worker wherever it is polled. Two lifecycles in one process, as in tests, never mix.
//! Outside any lifecycle they are inert: a function that asks can be tested by itself.
//!
//! A worker spawned by a worker is its child: stopping the parent, through its handle or its token, stops the
//! child. A stage of its own makes it nobody's child.
//!
//! [`hold`] does for a part of an untracked task, such as an upload in a request handler, what a worker has from the
//! beginning: its stage waits for it, and it is named.
//!
//! # The environment
//!
//! `GRACEFUL_STOP_TIMEOUT` and `GRACEFUL_DRAIN` win over the code: `30s`, `1m 30s`, `500ms`; for the first one
//! also `none`. `GRACEFUL_REPORT=json` makes the report one line of JSON, times in milliseconds; it takes the feature
//! `serde`. Anything else, and a drain that is not shorter than the budget, is one line on standard error and
//! exit code 2, before main runs.
//!
//! Where `KUBERNETES_SERVICE_HOST` is set, as it is in every container of Kubernetes, a drain that nobody set is 5 s,
//! or a quarter of the budget if that is less: endpoints take that long to hear that a pod is going. The default
//! budget of 25 s is below the 30 s that Kubernetes grants.
//!
//! # Features
//!
//! * `tracing` (default): lines become events of the `tracing` subscriber, target `graceful`, once one is set.
//!   The report goes to standard error always.
//! * `serde`: [`Status`] and what is in it can be serialised; `GRACEFUL_REPORT=json`.
//! * `systemd`: where systemd waits to be told (`Type=notify`, `WatchdogSec=`), it is: readiness, the state, the stop, the
//!   time the stop may take. Its watchdog is fed as long as the runtime runs tasks, and in a stop, which has its
//!   own deadline.
//! * `tower`: the module `tower`, a layer for services of axum, tonic and hyper. The stop waits for their
//!   requests in hand. The page [`zero_dropped_requests`] says what else a restart takes that no client notices.
//! * `metrics`: the recorder of the `metrics` facade, where one is installed, is told once a second and whenever the
//!   state changes: `graceful_state`, `graceful_stop_seconds{state}`, `graceful_workers{worker,outcome}`,
//!   `graceful_workers_live{worker}`, `graceful_restarts_total{worker}`, `graceful_aborted_total{worker}`,
//!   `graceful_hook_seconds{hook,stage}` and `graceful_hook_failures_total{hook,stage}`.
//! * `process`: `child`, a worker that is a child process. Its process group is told to stop, waited for, and killed
//!   at the deadline. On Unix.
//! * `taskdump`: dumps and reports name the awaits in which workers wait, from the innermost line to the worker's own:
//!   `at src/db.rs:90 <- src/main.rs:12`. They come from tokio's task dumps, so it takes a build with
//!   `RUSTFLAGS="--cfg tokio_unstable"`, on Linux, for aarch64, s390x, x86 or x86-64; anywhere else the feature changes
//!   nothing, but that a dump says so. Who waits for something that is not tokio's, such as a channel of another crate,
//!   is not seen; neither is what blocks its thread, which is named with the thread, nor main in a dump on a
//!   runtime of many threads. Up to 64 workers of a function are looked at. Without debug info
//!   (`debug = "line-tables-only"` in the profile is enough) it is functions, not lines. To read it takes a
//!   tenth of a second or more, on a thread of its own: in a dump these lines follow the others, and a stop begins
//!   in the second half of its budget. A poll costs one load more.
//! * `test-util`: tokio's paused clock for `#[graceful::test(start_paused = true)]`. For dev-dependencies.
//!
//! # When not to use it
//!
//! * A library should take a [`CancellationToken`] or a future as an argument. It can call [`stopping`], which is
//!   inert without a lifecycle, but [`spawn()`] panics there.
//! * Tasks that live for one function are better off in tokio's `JoinSet`: it joins them where they are used.
//! * Where nothing but "cancel and wait" is needed, without a deadline, a report or signals, `tokio-util`'s
//!   `TaskTracker` and `CancellationToken` do that, and this crate is built on the latter.
//! * A program that may be killed at any moment needs no lifecycle: `#[tokio::main]`.
//!
//! # Design
//!
//! **Why threads of our own?** A task that never yields, a blocking call on a current-thread runtime: and
//! whatever listens on the same runtime hears no signal and holds no deadline. So threads of ours stand beside
//! the user's runtime, each of which can be held up by one thing more than the one before. The *watch* waits
//! for signals, conducts the stop, holds the deadline and ends the process as a last resort; nothing of the user's can
//! block it. The *writer* writes; a full pipe or a slow subscriber can hold it up. The watch waits for it no longer than
//! a bounded moment. In a process that runs in real time both have a higher priority than the threads of the program.
//!
//! **Why does the watch conduct the stop?** A signal wakes it, and it wakes the workers: no third thread has to be
//! started or woken in between. Until now a worker of a multi-thread runtime ran 1.5 ms after a SIGTERM; now it does so
//! as soon as in a program written by hand. No step of a stop blocks: slots are locked for a few instructions, wakers of
//! tokio's own tasks push to a queue, hooks are spawned, and lines are left for the writer. What may block is left to a
//! *helper* thread, which is started when there is such a thing: the wakers of those who wait for a token that was handed
//! out, for a state, or in [`idle()`]. Where no thread is to be had, the writer does it. The stop goes on meanwhile, and does
//! not end before they have returned. Tokens are kept apart from the slots, since the
//! locks of their tree are held for as long as it takes to cancel it. Where main was the last to end, its thread does the rest of the stop itself; it would
//! only wait for the watch to do the same.
//!
//! **Why one plan and one function?** `stop/plan.rs` decides what is due, as a state machine without I/O and without a
//! clock of its own; `stop/conduct.rs` does it, step by step, and says until when to wait. The watch waits with `poll(2)`,
//! a test with tokio's timer: the same code under both.
//!
//! **Why is no signal lost?** The signals are held back on the main thread before any of our threads is started,
//! let through only when the handlers are in place, and all that before the runtime is built. A signal
//! that comes meanwhile waits; one that comes during a long start-up is remembered.
//!
//! **Why `_exit` at the deadline?** `std::process::exit` waits for atexit handlers and for other exits. The orderly
//! end returns from main, so that standard output is flushed; the watch stays armed until the process is gone.
//!
//! **Where is what?** The `mod` lines below are the layers, and `.ci/layers` holds them: a folder uses only those above it, and
//! a file only those above it in its folder's `mod.rs`. Nouns below, verbs above: what a lifecycle keeps has never heard of
//! it; what works on a whole lifecycle is a function further down this list.
//!
//! **Why does calling a worker not start it?** A hidden spawn would make a function that cannot be tested, and
//! arguments or a handle would have to appear from somewhere. `.spawn()` is one word, and `.await` runs the body
//! right here.
//!
//! **Why `WorkerHandle<R>` and not `WorkerHandle<T, E>`?** As tokio's `JoinHandle`, it names what the function
//! returns. With two parameters the result's type would need its bound in two places, and a worker with a
//! wrong result would get its error twice.
//!
//! **Why slots?** A worker that returns `Pending` for the first time takes a slot: its waker, its name, since
//! when. The stop wakes slots; reports count them; an abort finds everybody through them. [`stopping`] awaited by
//! a worker itself registers nowhere else, so it allocates nothing. A worker that never waits takes none.
//!
//! **Why is the abort a poll?** Aborting sets a flag and wakes the slots; each worker's next poll ends early, and
//! tokio drops its future in its own task. What cannot be polled, since it blocks, cannot be aborted: it is named.
//!
//! **Why a tick?** Whether a worker is alive shows in when it was last polled, and a look at the clock costs more than
//! the poll of a small worker. So the watch counts the seconds, and a poll notes the count.
//!
//! **Why is everybody woken just before the abort?** Who waits for whose handle is worth knowing only when a stop does
//! not end. So nobody keeps a list; they are asked, once, by being polled again. The same goes for where they wait,
//! with the feature `taskdump`.
//!
//! # Limits
//!
//! With `panic = "abort"` a panic is the end of the process, by SIGABRT (134 in a shell): nothing is drained or
//! dropped, and there is no report. SIGKILL cannot be handled, nor can a signal between `exec` and the first line of
//! `main`. Forking is fine only before the lifecycle starts. `std::process::exit` ends the process at once. As PID 1
//! the process reaps only the children it waits for. On Windows, ctrl-c and ctrl-break, close, shutdown and logoff
//! stand in for SIGINT and SIGTERM; that part has been written, not run.

mod os;
mod model;
mod say;
mod life;
mod work;
mod report;
mod stop;
mod with;
mod run;

#[cfg(doc)]
#[doc = include_str!("../docs/zero_dropped_requests.md")]
pub mod zero_dropped_requests {}

pub use graceful_macros::{main, test, worker};
pub use tokio_util::sync::CancellationToken;

pub use model::event::Event;
pub use model::hook::{HookStage, Progress};
pub use model::outcome::Outcome;
pub use model::policy::{OnFailure, OnTimeout};
pub use model::state::{Cause, Stage, State};
pub use model::still_running::Blocking;
pub use os::signal::Signal;
pub use report::status::{Activity, HoldStatus, HookStatus, MainStatus, Moment, Status, Timings, WorkerStatus, status};
pub use run::builder::Builder;
#[cfg(all(unix, feature = "process"))]
pub use with::child::{ChildError, child};
#[cfg(feature = "tower")]
pub use with::tower;
pub use work::cancellation::{RunUntilStopping, Stopping, is_stopping, run_until_stopping, stopping, token};
pub use work::control::{cause, idle, is_ready, keep, not_ready, ready, remaining, state, stop, wait_for};
pub use work::handle::{Panic, WorkerError, WorkerHandle};
pub use work::hold::{Hold, hold};
pub use work::hook::{after_stop, before_stop, on_stop};
pub use work::reload::{Reloads, reloads};
pub use work::worker::{Worker, spawn, spawn_blocking};

/// Not public API. Used by generated code.
#[doc(hidden)]
pub mod __private {
    pub use crate::life::function::Function;
    pub use crate::model::outcome::judge;
    #[cfg(feature = "test-util")]
    pub use crate::run::builder::PausedClock;
    pub use crate::run::builder::{main, run};
    pub use crate::run::test::test;
    pub use crate::work::body::Body;
    pub use crate::work::clone_args::{clone_for_every, clone_for_restart, copy_for_every, copy_for_restart};
    pub use crate::work::worker::{again, blocking, blocking_again, once};
}
