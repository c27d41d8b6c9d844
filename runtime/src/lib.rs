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
//! #[graceful::worker]
//! async fn consume(queue: Queue) -> Result<(), QueueError> {
//!     while let Some(job) = graceful::run_until_stopping(queue.next()).await.flatten() {
//!         job.run().await?; // the unit in hand is always finished
//!     }
//!     queue.commit().await
//! }
//!
//! #[graceful::main(stop_timeout = "25s")]
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
//! A stop has one cause, the first of: a signal, [`stop()`], a worker that failed or panicked, main's end. It
//! has one budget, `stop_timeout`: from that moment until the process is gone.
//!
//! ```text
//!   Starting ──▶ Ready ──────▶ Stopping ─────────────────────────────▶ Stopped ──▶ gone
//!                         │        │                      │       │        │          │
//!                      a cause     │                    abort   report     │     end of budget
//!                                  │                      │       │        │
//!   told to stop: is_stopping(), ──┘                      │       │        └── kept values are dropped,
//!   token(), stopping(); main and                         │       │            main returns its ExitCode
//!   the workers finish by themselves                      │       │
//!                                                         │       └── at the latest, a quarter of the
//!   who still runs is named, then its future is dropped, ─┘           reserve before the end
//!   so that destructors run: a tenth of the budget, 2 s at
//!   the most, is kept back for this (the reserve)
//! ```
//!
//! [`State::Draining`] is part of the order of states; in this version it takes no time.
//!
//! While it waits, the stop says for whom, after one second and then at doubling intervals: `still waiting
//! for: consume ×3 (2 s), main (2 s)`. It is the only report that survives a SIGKILL.
//!
//! What if …
//!
//! | case | answer |
//! |---|---|
//! | main returns while workers live | they are stopped and waited for; a warning names them |
//! | a worker is spawned while stopping | it runs, with its token cancelled, and is waited for |
//! | a worker is spawned when all is over | its handle says [`Refused`](WorkerError::Refused) |
//! | code blocks its thread, or never yields | named as blocking; the watch ends the process at the deadline |
//! | untracked tasks are alive at the end | they are dropped, and get 50 ms for their destructors |
//! | untracked blocking threads are alive at the end | nobody waits for them |
//! | a second Ctrl-C | the process ends at once, code 130; the same signal twice within 100 ms is one |
//! | a second SIGTERM | a line, nothing else |
//! | SIGINT or SIGTERM was ignored when the process started (`nohup`) | it stays ignored |
//!
//! # Exit codes
//!
//! | what happened | code |
//! |---|---|
//! | main's own result | as std: `Ok` is 0, `Err` is 1 with `Error: …`, an `ExitCode` as it is |
//! | a worker returned `Err` | 1 |
//! | main or a worker panicked | 101, as std |
//! | the deadline passed with work still running | 124, as `timeout(1)` |
//! | a second interrupt forced the exit | 130, as shells: 128 + SIGINT |
//! | a wrong value in the environment, no thread or handler to be had | 2, main was not run |
//!
//! The first failure decides. A signal, [`stop()`] and main's `Ok` are causes, not failures. An end that is not
//! 0 prints a report on standard error, at most 2 KiB, its one-line summary last: the cause, every failure
//! with its text, and everybody who had to be aborted: name, file and line, how many, how long, and whether it
//! waits in an await or blocks its thread.
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
//! child.
//!
//! # The environment
//!
//! `GRACEFUL_STOP_TIMEOUT` wins over the code: `30s`, `1m 30s`, `500ms`, `none`. Anything else is one line on
//! standard error and exit code 2, before main runs.
//!
//! # Features
//!
//! * `tracing` (default): lines become events of the `tracing` subscriber, target `graceful`, once one is set.
//!   The report goes to standard error always.
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
//! whatever listens on the same runtime hears no signal and holds no deadline. So three threads stand beside
//! the user's runtime, each of which can be held up by one thing more than the one before. The *watch* waits
//! for signals and for the deadline and ends the process as a last resort; nothing of the user's can block it. The
//! *coordinator* conducts the stop; a waker of the user's that sleeps can hold it up. The *scribe* writes; a
//! full pipe or a slow subscriber can hold it up. The watch waits for neither.
//!
//! **Why is no signal lost?** The signals are held back on the main thread before any of our threads is started,
//! let through only when the handlers are in place, and all that before the runtime is built. A signal
//! that comes meanwhile waits; one that comes during a long start-up is remembered.
//!
//! **Why `_exit` at the deadline?** `std::process::exit` waits for atexit handlers and for other exits. The orderly
//! end returns from main, so that standard output is flushed; the watch stays armed until the process is gone.
//!
//! **Why does calling a worker not start it?** A hidden spawn would make a function that cannot be tested, and
//! arguments or a handle would have to appear from somewhere. `.spawn()` is one word, and `.await` runs the body
//! right here.
//!
//! **Why `WorkerHandle<R>` and not `WorkerHandle<T, E>`?** As tokio's `JoinHandle`, it names what the function
//! returns. With two parameters the result's type would need its bound in two places, and a worker with a
//! wrong result would get its error twice.
//!
//! **Why seats?** A worker that returns `Pending` for the first time takes a seat: its waker, its name, since
//! when. The stop wakes seats; reports count them; an abort finds everybody through them. [`stopping`] awaited by
//! a worker itself registers nowhere else, so it allocates nothing. A worker that never waits takes none.
//!
//! **Why is the abort a poll?** Aborting sets a flag and wakes the seats; each worker's next poll ends early, and
//! tokio drops its future in its own task. What cannot be polled, since it blocks, cannot be aborted: it is named.
//!
//! # Limits
//!
//! With `panic = "abort"` a panic is the end of the process: nothing is drained. SIGKILL cannot be handled, nor can a
//! signal between `exec` and the first line of `main`. Forking is fine only before the lifecycle starts.
//! `std::process::exit` ends the process at once. On Windows, ctrl-c and ctrl-break, close, shutdown and logoff
//! stand in for SIGINT and SIGTERM; that part has been written, not run.

mod builder;
mod duration;
mod process;
mod settings;

mod signal;
mod sys;
mod watch;

mod alive;
mod ambient;
mod budget;
mod lifecycle;
mod state;
mod thread;

mod copies;
mod handle;
mod policy;
mod rows;
mod scope;
mod seats;
mod supervise;
mod task;
mod worker;

mod control;
mod hold;
mod hooks;
mod reload;

mod coordinator;
mod stop;

mod exit;
mod message;
mod report;
mod scribe;
mod status;
mod stuck;

mod testing;

pub use builder::Builder;
pub use control::{
    cause, idle, is_ready, keep, not_ready, ready, remaining, state, stop, wait_for,
};
pub use graceful_macros::{main, test, worker};
pub use handle::{Panic, WorkerError, WorkerHandle};
pub use hold::{Hold, hold};
pub use hooks::{HookStage, Progress, after_stop, before_stop, on_stop};
pub use policy::OnFailure;
pub use reload::{Reloads, reloads};
pub use scope::{RunUntilStopping, Stopping, is_stopping, run_until_stopping, stopping, token};
pub use signal::Signal;
pub use state::{Cause, Stage, State};
pub use status::{HoldStatus, HookStatus, Status, Timings, WorkerStatus, status};
pub use tokio_util::sync::CancellationToken;
pub use worker::{Outcome, Worker, spawn, spawn_blocking};

/// Not public API. Used by generated code.
#[doc(hidden)]
pub mod __private {
    pub use crate::copies::{clone_for_every, clone_for_restart, copy_for_every, copy_for_restart};
    pub use crate::process::{main, run};
    pub use crate::rows::Function;
    #[cfg(feature = "test-util")]
    pub use crate::testing::PausedClock;
    pub use crate::testing::test;
    pub use crate::worker::{Body, again, blocking, blocking_again, judge, once};
}
