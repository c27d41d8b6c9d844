//! Lifecycle-managed mains for tokio services.
//!
//! Annotate `main` and your background functions. The tokio process then loses no signal, finishes the work in hand,
//! waits for every worker, ends by its deadline whatever the code does, and says in its exit code and last lines how
//! it ended.
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
//!     // Whatever may wait during the start-up ends when the stop comes.
//!     let Some(queue) = graceful::run_until_stopping(Queue::connect()).await else { return Ok(()) };
//!     consume(queue?).spawn(); // in the background, tracked, waited for at the stop
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
//! 1. [`ready()`]. [`not_ready`] takes it back. Neither has an effect once a stop was asked for.
//! 2. The first cause. [`is_ready`] is false; workers of the stage [`Early`](Stage::Early) are told to stop, and no
//!    worker with `every` begins another run; [`before_stop`] hooks run, all at once. Everything else goes on.
//! 3. The drain is over and the [`before_stop`] hooks are done, or half the budget is gone. Main and its workers are
//!    told to stop, and [`on_stop`] hooks run beside them. When these have ended, the stage [`Late`](Stage::Late) is
//!    told to stop, and when that has ended, [`Last`](Stage::Last).
//! 4. Everything has ended or was aborted. A tenth of the budget, 2 s at the most, is kept in reserve. When only that
//!    is left, what still runs is noted, and then its future is dropped, so that destructors run; stages whose turn
//!    had not come are told to stop, and aborted when half of the reserve is gone. In any case [`after_stop`] hooks
//!    come next, the last registered first, each with its share of what is left.
//! 5. Main's thread leaves the runtime, values given to [`keep`] are dropped, functions given to [`at_exit`] run, main
//!    returns its `ExitCode`. If main's thread does not get that far, these functions run and the report is written with
//!    a quarter of the reserve left, and at the end of the budget the watch ends the process.
//!
//! There is no drain when main has ended, when a person pressed Ctrl-C (a SIGINT, with a terminal on standard
//! error), and when the service was not [`ready()`] and set no drain. Main's end, and the first SIGINT after
//! another cause, end it early. It never takes more than half the budget. With no drain and no [`before_stop`]
//! hook the state is `Stopping` at once.
//!
//! A line names what the stop still waits for, after one second and then at doubling intervals: `still waiting
//! for: consume ×3 (2 s), main (2 s)`. These lines are the only report that survives a SIGKILL.
//!
//! What if …
//!
//! | case | answer |
//! |---|---|
//! | a stop is asked for twice | the first cause is kept, and the budget runs from it |
//! | main returns while workers live | they are stopped and waited for, blocking ones too; a warning names them |
//! | main returns or panics during the drain | the drain ends; the cause stays what it was; the exit code is main's, or 101 |
//! | a worker returns an error during the drain | the drain goes on; the exit code is 1 |
//! | a worker awaits its own handle, or that of a worker that awaits it | only the deadline ends that: it is named, code 124 |
//! | a worker is spawned before main's first await | it runs like any other |
//! | a worker is spawned while stopping | it runs, with its token cancelled, and is waited for; with `when_stopping = "refuse"` it is refused |
//! | a worker is spawned when its stage has ended | its handle resolves to [`Refused`](WorkerError::Refused) |
//! | a worker is spawned outside any lifecycle | a panic that names the missing attribute; `.await` works |
//! | a restart is pending when the worker is told to stop | the worker does not run again |
//! | a worker's body returns while its children live | they go on; its handle resolves when they have ended |
//! | a worker's body fails, panics or is aborted | its children are told to stop |
//! | a restart, or the next run of `every`, is due while children of the last run live | it begins when they have ended; a line says for which it waits |
//! | a worker waits for the handle of one that has started it | a warning; this wait ends at the deadline |
//! | a worker with `on_failure = "parent"` fails | the worker that has started it has failed, and its policy decides; the process, where main or a task has |
//! | a worker's own `stop_timeout` passes | what is left of it and below it is aborted; in a stop of the process code 124, otherwise what `on_failure` says; with `on_timeout = "log"` a line |
//! | a run of a worker with `every` fails | the failure is logged, and the next run comes |
//! | a worker with `initial_delay` is told to stop before its first run | it never runs; its handle resolves to [`Aborted`](WorkerError::Aborted) |
//! | such a run is due, or such a worker is spawned, after a stop was asked for | the run does not begin; the worker is refused |
//! | the destructor of a worker with `on_failure = "log"` panics, at its end or at an abort | a line, nothing else |
//! | a blocking worker is aborted, by its handle or by its own budget, while its code runs | it counts as aborted; the code cannot be interrupted, and the stop waits for it |
//! | an essential worker ends well | the process stops, code 0; one that is stopped through its handle stops nothing else |
//! | a worker has to be aborted at the stop, whatever its policy | it is named, code 124 |
//! | a `before_stop` hook hangs | it is aborted when half the budget is gone, and named, code 124; then main and its workers are told to stop |
//! | an `on_stop` hook returns an error | it is tried again, three times in all; then it is a failure, code 1 |
//! | an `after_stop` hook hangs | it is aborted when its share is over, and named; the others run |
//! | an [`after_stop_blocking`] hook hangs | it is named when its share is over; the others run, and the process ends without it |
//! | an `after_stop` hook blocks its thread | as long as it does, nothing else of a current-thread runtime runs, not even what it waits for |
//! | a hook spawns a worker | it is waited for like any other; from an `after_stop` hook it is refused |
//! | a hook is registered under the name of one that has begun | it runs as well |
//! | a hook is registered when its moment has come | it runs at once; an `after_stop` hook is the next, while these still run |
//! | [`ready()`] twice, or during a stop | no effect |
//! | [`reloads`] while SIGHUP is among `signals` | a panic at the call |
//! | code blocks its thread, or never yields | named as blocking; the watch ends the process at the deadline |
//! | untracked tasks are alive at the end | they are dropped, and their destructors get 50 ms |
//! | untracked blocking threads are alive at the end | the process ends without them |
//! | a second Ctrl-C | the process ends at once, code 130; the same signal twice within 100 ms counts once |
//! | a second SIGTERM | a line, nothing else |
//! | a signal was ignored when the process started, as `nohup` ignores SIGHUP | it stays ignored |
//! | code installs another handler for one of the signals, as `ctrlc::set_handler` does | unless that calls the handler before it, the signal stops nothing; a line says so within a second or two, and a report |
//! | a signal comes when the process stops for another cause | that cause is kept; [`stop_signals`] has the signal, also when the lifecycle is over |
//! | the start-up waits when the signal comes, as a connection that is tried again does | inside [`run_until_stopping`] it ends; elsewhere the deadline ends it, and the report says so |
//! | a worker has to put back what it works on before it is aborted | [`until_remaining`] resolves in time; a margin longer than the budget is over when the worker is told to stop |
//! | a worker fails again and again | it waits for its restarts: [`status`] says until when, and a line says so at growing intervals |
//! | a worker is polled and gets nowhere | [`progress`] and [`is_progressing`] show that |
//! | a function given to [`at_exit`] blocks or panics | it holds up the exit for 50 ms at the most, and the others not at all; a line, nothing else |
//! | the subscriber's filter leaves out the target `graceful`, as `my_app=debug` does | the lines are on standard error; `my_app=debug,graceful=info` records them |
//! | the platform kills before the deadline, as far as the environment tells | a warning within the first second, or when the service is ready before that; none if both can be set and `stop_timeout` was |
//! | an upgrade in place is asked for, and the new process ends, or is not ready in time | it is ended with its group, this one goes on, and a line says why; [`status`] and the metrics show it |
//! | SIGTERM while the new process of an upgrade starts | that one is ended first, then this one stops |
//! | an upgrade is asked for twice | there is one; both get its outcome |
//! | an upgrade is asked for as PID 1, or below a supervisor that would take this process's end for the service's | it is refused, with a line |
//! | on Windows, the console is closed, the user logs off, the system shuts down | a stop as by SIGTERM; the system ends the process some seconds later, and a line says so where the budget is longer |
//! | the process stood still past a deadline, for 200 ms or more (SIGSTOP, a frozen cgroup, a machine that is too busy) | when it goes on, what is due has 50 ms to finish; then come the abort and the end. This is granted once in a stop; a line says which of them it was |
//! | tokio's clock is paused, or moved, in a program | the stop goes by real time; in a test, by the test's clock |
//! | everything was joined, and the machine is too busy for the rest | the rest gets up to half a second more; the code stays what it is |
//! | standard error is a terminal that stops background writers (`stty tostop`) | lines are written all the same, and do not suspend the process |
//! | standard error does not block (`O_NONBLOCK`) and is full | the writer waits for it as for one that blocks |
//! | a thread older than the lifecycle spawns a worker while the runtime is being built | it waits for the runtime |
//! | a lifecycle after another one | works |
//! | a lifecycle inside a tokio runtime, or while another one runs | a panic at the caller's line; each test has its own |
//! | your code calls `std::process::exit` | the process ends at once: no hooks, no report; on Unix functions given to [`at_exit`] run |
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
//! | with `reraise`: a signal asked for the stop, and nothing but main's own result went wrong | death by that signal; 128 + its number where that is impossible, as in PID 1 |
//! | the environment has a wrong value, or the system grants no thread or no signal handler | 2, main was not run |
//!
//! The first failure decides. A signal, [`stop()`] and main's `Ok` are causes, not failures; neither is a failure that
//! a policy tolerates (`"log"`, `"restart"`), nor an error or panic of a [`before_stop`] hook. An exit code other than
//! 0, unless main's own is all there is to say, comes with a report on standard error, at most 2 KiB, its one-line summary
//! last: the cause, every failure with its text, how long each state took, and everything that had to be aborted: name, file and line, how many, how long,
//! whether it waits in an await or blocks its thread, and for which handle it waits; with the feature `taskdump`, in
//! which await.
//!
//! Main that means to choose the code by a worker's error leaves the decision to itself: the worker's failure is logged,
//! and main matches what the handle gives. With the policy `"stop"` the worker has decided before main returns, and the
//! report says that main's own code came later.
//!
//! ```no_run
//! # use std::process::ExitCode;
//! # use graceful::WorkerError;
//! # #[derive(Debug)] enum LoadError { NoConfig, Other }
//! #[graceful::worker(on_failure = "log")]
//! async fn load() -> Result<(), LoadError> {
//!     Err(LoadError::NoConfig)
//! }
//!
//! #[graceful::main]
//! async fn main() -> ExitCode {
//!     match load().spawn().await {
//!         Ok(()) => ExitCode::SUCCESS,
//!         Err(WorkerError::Failed(LoadError::NoConfig)) => ExitCode::from(78), // EX_CONFIG of sysexits.h
//!         Err(_) => ExitCode::FAILURE,
//!     }
//! }
//! ```
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
//! All behaviour is in this crate and can be used without macros: [`Builder`], [`Worker::new`], [`spawn()`],
//! [`spawn_blocking`]. [`Worker::boxed`] gives a worker's type a name.
//!
//! # Whose stop?
//!
//! No handle is passed around. [`token`], [`stopping`], [`is_stopping`] and [`run_until_stopping`] answer for the
//! caller: inside a worker for that worker, in main and everywhere else for main's stage. They find their lifecycle
//! from main, from a worker, from a plain `tokio::spawn` task, from a `spawn_blocking` closure and, in a program, from
//! any thread. The call settles whose stop is meant: `stopping()` called by a worker means that worker wherever the
//! future is polled. Two lifecycles in one process, as in tests, never mix. Outside any lifecycle they are inert: a
//! function that calls them can be tested by itself.
//!
//! A worker spawned by a worker is its child. A worker's life includes what it has started: see
//! [`parts_of_a_program`]. A worker with a stage of its own is no child.
//!
//! [`hold`] gives a part of an untracked task, such as an upload in a request handler, what a worker has from the
//! beginning: its stage waits for it, and reports name it.
//!
//! # The environment
//!
//! `GRACEFUL_STOP_TIMEOUT` and `GRACEFUL_DRAIN` win over the code: `30s`, `1m 30s`, `500ms`; for the first one
//! also `none`. `GRACEFUL_REPORT` is `text` or `json`: one line of JSON, times in milliseconds, with the feature
//! `serde`. Any other value, and a drain that is not shorter than the budget, is one line on standard error and
//! exit code 2, before main runs; so is a variable whose feature is missing. Another name that begins with `GRACEFUL_` is a
//! warning.
//!
//! Where `KUBERNETES_SERVICE_HOST` is set, as it is in every container of Kubernetes, the drain is 5 s unless set, or a
//! quarter of the budget if that is less: endpoints take that long to learn that a pod is not ready any more. The
//! default budget of 25 s is below the 30 s that Kubernetes grants.
//!
//! # Features
//!
//! * `tracing` (default): lines become events of the `tracing` subscriber, target `graceful`, once one is set. A filter
//!   that names targets needs `graceful=info` among them; where it takes none of the crate's lines, not even errors, they
//!   go to standard error. That cannot be seen where a layer's own filter decides for each event, as one with a span in a
//!   directive does. What a stop still waits for is on standard error whenever the subscriber does not take warnings of
//!   the crate; the report always.
//! * `serde`: [`Status`] and what is in it can be serialised; `GRACEFUL_REPORT=json`.
//! * `systemd`: where systemd expects it (`Type=notify`, `WatchdogSec=`), it is notified of readiness, the state, the
//!   stop, what it waits for and the time it may take; of reloads, where [`reloads`] is used; and with
//!   `extend_start` of a start that takes its time. Its watchdog is fed as long as the runtime runs tasks, and in a
//!   stop, which has its own deadline. When three quarters of `WatchdogSec=` have passed without a ping, a line names
//!   the workers that block the runtime; with `SIGABRT` in `dump` the status follows when systemd ends the process. In
//!   the journal each line has its level, so that `journalctl -p warning` finds what went wrong; a unit with
//!   `SyslogLevelPrefix=no` shows them as `<4>`.
//! * `http`: the module `http`. `http::serve(listener, app)` serves tonic's `Routes` and every other service of `tower`,
//!   and drops no request at a stop. The page [`zero_dropped_requests`] says what else it takes for no client to notice a
//!   restart.
//! * `axum`: the same for axum's `Router`.
//! * `net`: the module `net`. Listeners that systemd may hand over and that reset nobody when they close; streams whose
//!   close destroys nothing that was written.
//! * `tower`: the module `tower`, a layer for services in servers of other crates. The stop waits for their requests in
//!   hand. The page [`with_your_libraries`] says for each of these servers, and for clients, queues and telemetry, what
//!   there is to write.
//! * `metrics`: the recorder of the `metrics` facade, where one is installed, gets these once a second while something
//!   happens, and whenever the state changes: `graceful_state`, `graceful_stop_seconds{state}`,
//!   `graceful_workers{worker,outcome}`, `graceful_workers_live{worker}`, `graceful_workers_restarting{worker}`,
//!   `graceful_restarts_total{worker}`, `graceful_aborted_total{worker}`, `graceful_since_progress_seconds{worker}`
//!   (see [`progress`]), `graceful_hook_seconds{hook,stage}` and `graceful_hook_failures_total{hook,stage}`; with the
//!   feature `upgrade` also `graceful_generation`, `graceful_upgrade_under_way` and `graceful_upgrades_failed_total`.
//! * `page`: the module `page`. The status as a page for browsers that is live, on a port of its own with `http`, or mounted
//!   in a server of yours; it shows a stop to its end, and the browser keeps its timeline. `GRACEFUL_TIMELINE=stop.svg` in
//!   the environment writes that timeline as a file at the end of any program with this feature: the first thing to try
//!   when a stop is slow.
//! * `process`: `child`, a worker that is a child process. Its process group is told to stop, by a signal of your choice,
//!   waited for, and killed at the deadline. It may have the terminal, and its status can be that of this process. On
//!   Unix.
//! * `upgrade`: `upgrade()` and the options `upgrade`, `upgrade_timeout` and `pid_file` of `main`. A new process takes over
//!   the sockets of `listen()` and what `hand_over()` has for it, and this one stops; one that does not get ready changes
//!   nothing. Each line of a successor begins with its generation, `graceful[orders#2]: `. On Unix. The page
//!   [`which_restart_for_whom`] says when, and how under systemd.
//! * `miette`: `handle.await?` in functions that return `miette::Result`. [`WorkerError`] is a `Diagnostic`, which shows what
//!   the worker's own `miette::Report` has to show.
//! * `taskdump`: dumps and reports name the awaits in which workers wait, from the innermost line to the worker's own:
//!   `at src/db.rs:90 <- src/main.rs:12`. They come from tokio's task dumps, so the build needs
//!   `RUSTFLAGS="--cfg tokio_unstable"`, on Linux, for aarch64, s390x, x86 or x86-64; anywhere else the feature only
//!   makes a dump say so. The await is unknown for a worker that waits for something other than tokio, such as a
//!   channel of another crate, for one that blocks its thread, which is named instead, and for main in a dump on a
//!   runtime of many threads. Up to 64 workers of a function are examined. Without debug info
//!   (`debug = "line-tables-only"` in the profile is enough) functions are named, not lines. Reading debug info takes
//!   a tenth of a second or more, on a thread of its own: in a dump these lines follow the others, and a stop begins
//!   to read in the second half of its budget. A poll costs one load more.
//! * `test-util`: tokio's paused clock for `#[graceful::test(start_paused = true)]`. For dev-dependencies.
//!
//! # When not to use it
//!
//! * A library should take a [`CancellationToken`] or a future as an argument. It can call [`stopping`], which is
//!   inert without a lifecycle, but [`spawn()`] panics there: see [`converting_a_program`].
//! * Tasks that live for one function are better off in tokio's `JoinSet`: it joins them where they are used.
//! * A program that needs only "cancel and wait", without a deadline, a report or signals, has `TaskTracker` and
//!   `CancellationToken` of `tokio-util`; this crate is built on the latter.
//! * A program that may be killed at any moment needs no lifecycle: `#[tokio::main]`.
//!
//! # Design
//!
//! **Why threads of our own?** A task that never yields, or a blocking call on a current-thread runtime, stops every
//! signal listener and every deadline on that runtime. So threads of ours stand beside the user's runtime, each of
//! which can be held up by one thing more than the one before. The *watch* waits for signals, conducts the stop, holds
//! the deadline and ends the process as a last resort; nothing of the user's can block it. The *writer* writes; a full
//! pipe or a slow subscriber can hold it up. The watch waits for it no longer than a bounded moment. In a process with
//! real-time scheduling both have a higher priority than the program's threads.
//!
//! **Why does the watch conduct the stop?** A signal wakes it, and it wakes the workers: no third thread has to be
//! started or woken in between. With one, a worker of a multi-thread runtime ran 1.5 ms after a SIGTERM; without, it
//! runs about as soon as in a program written by hand. No step of a stop blocks: slots are locked for a few
//! instructions, wakers of tokio's own tasks push to a queue, hooks are spawned, and lines are left for the writer.
//! What may block is left to a *helper* thread, started when it is first needed: calling the wakers of code that waits
//! for a token it was given, for a state, or in [`idle()`]. If the system grants no thread, the writer does it. The
//! watch goes on meanwhile; a stage counts as ended only when these calls have returned. Tokens are kept apart from the
//! slots, since the locks of their tree are held for as long as it takes to cancel it. When main was the last to end,
//! its thread does the rest of the stop itself; it would only wait for the watch to do the same.
//!
//! **Why one plan and one function?** `stop/plan.rs` decides what is due, as a state machine without I/O and without a
//! clock of its own; `stop/conduct.rs` does it, step by step, and says until when to wait. The watch waits with
//! `poll(2)`, a test with tokio's timer: the same code under both.
//!
//! **Why is no signal lost?** The signals are blocked on the main thread before any of our threads is started,
//! unblocked only when the handlers are in place, and all that before the runtime is built. A signal
//! that comes meanwhile is pending; one that comes during a long start-up is remembered.
//!
//! **Why `_exit` at the deadline?** `std::process::exit` waits for atexit handlers and for other exits; on Windows, where
//! `TerminateProcess` takes its place, it flushes standard output, which may block forever. The orderly end returns from
//! main, so that standard output is flushed; the watch stays armed until the process is gone.
//!
//! **Why does PID 1 fork to reap?** An orphan becomes a child of PID 1 that looks like every other: the kernel does not
//! tell it from one that the program has started itself. To wait for any child, in the program, would take the status of
//! a `std::process::Child` from whoever waits for it later; to wait for a zombie only after some time would take it from
//! whoever waits even later. PID 1 of `tini` and `dumb-init` has one child of its own, so it can reap everything. So has
//! ours: with [`reap`](Builder::reap) a copy of the process stays behind as PID 1, and the program runs as its child. The
//! members of a group that `child` has made are another matter: nobody else can have started them, so they are reaped
//! by the program, all but the group's leader, which is tokio's.
//!
//! **Where is what?** The `mod` lines of `lib.rs` are the layers, and `.ci/layers` enforces them: outside tests a
//! folder uses only folders listed before it, and a file only files listed before it in its folder's `mod.rs`. Nouns
//! come first, verbs after: `life` is what a lifecycle keeps, and no part of it uses the whole; what works on a whole
//! lifecycle is a function of a later folder.
//!
//! **Why does calling a worker not start it?** A hidden spawn would make a function that cannot be tested, and
//! arguments or a handle would have to appear from somewhere. `.spawn()` is one word, and `.await` runs the body
//! right here.
//!
//! **Why `WorkerHandle<R>` and not `WorkerHandle<T, E>`?** Like tokio's `JoinHandle`, it names what the function
//! returns. With two parameters the result's type would need its bound in two places, and a worker with a
//! wrong result would get its error twice.
//!
//! **Why slots?** A worker that returns `Pending` for the first time takes a slot: its waker, its entry, since when.
//! The stop wakes slots; reports count them; an abort finds every waiting worker through them. [`stopping`] awaited by
//! a worker itself registers nowhere else, so it allocates nothing. A worker that never waits takes none.
//!
//! **Why scopes?** A worker that starts another one gets a scope: a count that can be waited for, a flag for the stop and
//! one for the abort, and a link to the scope that the worker itself belongs to. A child holds a reference to it, and asks
//! along its line; so starting a child costs that reference and the count, and stopping a part is one flag and one pass
//! over the slots. The worker's own task waits for the count, so its handle needs no second mechanism.
//!
//! **Why is the abort a poll?** Aborting sets a flag and wakes the slots; each worker's next poll ends early, and
//! tokio drops its future in its own task. A handle's `abort()` does the same, so that it reaches what the worker has
//! started before the handle resolves. What cannot be polled, since it blocks, cannot be aborted: it is named.
//!
//! **Why a coarse clock?** When a worker was last polled shows whether it is alive, and reading a clock costs more than
//! the poll of a small worker. So the watch counts the seconds, and a poll notes the count.
//!
//! **Why is every worker woken just before the abort?** Which worker waits for which handle is worth knowing only when
//! a stop does not end. So no list is kept; each handle notes its waiter when it is polled again, once. The same goes
//! for the await in which a worker waits, with the feature `taskdump`.
//!
//! # Limits
//!
//! With `panic = "abort"` a panic is the end of the process, by SIGABRT (134 in a shell): nothing is drained or
//! dropped, and there is no report. SIGKILL cannot be handled, nor can a signal between `exec` and the first line of
//! `main`. Forking is fine only before the lifecycle starts. `std::process::exit` ends the process at once. As PID 1
//! the process reaps only the children it waits for, unless it has [`reap`](Builder::reap). Where real-time threads of other
//! programs take every core, the end is late by as much as the kernel keeps the process from running. Under valgrind, which
//! runs one thread at a time and that slowly, a clean stop takes half a second. With `RUST_BACKTRACE=1` std can deadlock when
//! memory runs out while it prints a backtrace; during the start only SIGKILL ends that.
//!
//! On Windows the console's events stand in for signals: ctrl-c is SIGINT; ctrl-break, a closed console, logoff and shutdown
//! are SIGTERM; the others never come. A service is told of each user's logoff, and goes on. Whatever the budget is, the
//! system ends the process 5 s after its console was closed, its user logged off or a shutdown began, and a service 20 s
//! after that: set `stop_timeout` to less where that matters. Killing a process from outside, as `taskkill /F` and
//! `Child::kill` do, is a SIGKILL. With `reraise` the code is 128 + the signal's number.

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
#[doc = include_str!("../docs/converting_a_program.md")]
pub mod converting_a_program {}

#[cfg(doc)]
#[doc = include_str!("../docs/parts_of_a_program.md")]
pub mod parts_of_a_program {}

#[cfg(doc)]
#[doc = include_str!("../docs/which_restart_for_whom.md")]
pub mod which_restart_for_whom {}

#[cfg(doc)]
#[doc = include_str!("../docs/with_your_libraries.md")]
pub mod with_your_libraries {}

#[cfg(doc)]
#[doc = include_str!("../docs/zero_dropped_requests.md")]
pub mod zero_dropped_requests {}

pub use graceful_macros::{main, test, worker};
pub use tokio_util::sync::CancellationToken;

pub use model::box_error::BoxError;
pub use model::event::Event;
pub use model::hook::{HookStage, Progress};
pub use model::name::ToName;
pub use model::outcome::Outcome;
pub use model::policy::{OnFailure, OnTimeout};
pub use model::state::{Cause, Stage, State};
pub use model::still_running::Blocking;
pub use os::signal::Signal;
pub use report::rows::{Activity, HoldStatus, HookStatus, LastFailure, MainStatus, WorkerStatus};
#[cfg(all(unix, feature = "upgrade"))]
pub use report::status::UpgradeStatus;
pub use report::status::{Moment, Status, Timings, status};
pub use run::builder::Builder;
#[cfg(all(unix, feature = "process"))]
pub use with::child::{ChildCommand, ChildError, child};
#[cfg(feature = "http")]
pub use with::http;
#[cfg(feature = "net")]
pub use with::net;
#[cfg(feature = "net")]
pub use with::net::listen;
#[cfg(feature = "page")]
pub use with::page;
#[cfg(feature = "tower")]
pub use with::tower;
#[cfg(all(unix, feature = "upgrade"))]
pub use with::upgrade::{UpgradeError, hand_over, handed_over, upgrade};
pub use work::at_exit::at_exit;
pub use work::body::Body;
pub use work::cancellation::{RunUntilStopping, Stopping, is_stopping, run_until_stopping, stopping, token};
pub use work::control::{cause, idle, is_ready, keep, not_ready, ready, state, stop, stop_signals, wait_for};
pub use work::handle::{Panic, WorkerError, WorkerHandle};
pub use work::hold::{Hold, hold};
pub use work::hook::{after_stop, after_stop_blocking, before_stop, on_stop};
pub use work::progress::{is_progressing, progress};
pub use work::reload::{Reloads, reloads};
pub use work::remaining::{remaining, until_remaining};
pub use work::worker::{BoxWorker, Worker, spawn, spawn_blocking};

/// Not public API. Used by generated code.
#[doc(hidden)]
pub mod __private {
    // For `crate = ..`: an expansion finds everything here, by the same names as at the root.
    pub use super::__private;
    pub use crate::{Builder, OnFailure, OnTimeout, Signal, Stage, Worker};

    pub use crate::life::function::Function;
    pub use crate::model::error_source::{ErrorOf, HasError, IsError, NoError};
    pub use crate::model::outcome::judge;
    pub use crate::run::builder::{PausedClock, main, run};
    pub use crate::run::test::test;
    pub use crate::work::body::Body;
    pub use crate::work::clone_args::{clone_for_every, clone_for_restart, copy_for_every, copy_for_restart};
    pub use crate::work::worker::{again, blocking, blocking_again, once};
}
