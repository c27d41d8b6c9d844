//! The attributes of `graceful`: [`macro@main`], [`macro@worker`] and [`macro@test`].
//!
//! Use them through the crate `graceful`, which has the code that the expansions call. An expansion is thin:
//! the function stays as it was written, inside another function that passes it to the runtime. rustc reports
//! errors in it at the user's own tokens.
//!
//! # How it is built
//!
//! The files are the path of the tokens: `attr` parses the options, which `attr/table.rs` lists; `item` parses
//! the function's signature and keeps its body as tokens; `valid` checks both; `expand` writes the result;
//! `pipeline` calls the four in this order. No error ends the expansion: all errors are collected, and the
//! function is written without the parts that are wrong, so that neither rustc nor an editor reports
//! follow-on errors.
//!
//! # What it costs to build
//!
//! proc-macro2, quote and syn, which tokio's own `macros` feature needs as well. A cold debug build of a tokio
//! hello-world took 3.5 s on two cores with rustc 1.95; with tokio's `macros` feature 4.8 s; with `graceful`,
//! its attributes included and that feature off, 6.4 s (`cargo clean && time cargo build` in each program).

mod duration;
mod errors;

mod attr;

mod item;

mod valid;

mod expand;

mod pipeline;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes an `async fn main` a process that stops gracefully.
///
/// The signal handlers are installed before any of your code runs. Then the body runs on a new tokio runtime
/// until it returns or a stop begins. The process waits for the workers that were started, ends within its
/// budget whatever the code does, and its exit code says how it ended.
///
/// ```no_run
/// #[graceful::main]
/// async fn main() {
///     println!("press Ctrl-C");
///     graceful::stopping().await;
/// }
/// ```
///
/// `main` may return whatever a plain `main` may: `()`, `Result<(), E>`, `ExitCode`, `Result<ExitCode, E>`,
/// `!`, `impl Termination`.
///
/// # Options
///
/// A duration is text with units (`"25s"`, `"1m 30s"`, `"500ms"`; `ns`, `us`, `ms`, `s`, `m`, `h`, `d`),
/// checked while compiling, or any expression of type [`Duration`](https://doc.rust-lang.org/std/time/struct.Duration.html).
///
/// | option | meaning | default |
/// |---|---|---|
/// | `stop_timeout = "25s"` | The budget of a stop: from its beginning until the process has ended. `"none"` removes the limit. Set it a little shorter than your supervisor's timeout; use `"none"` under a debugger. | 25 s |
/// | `drain = "5s"` | How long the process goes on serving at the beginning of a stop, while readiness is already false; a part of the budget, half of it at the most. Set it to the time that your load balancer takes to notice. | 5 s inside Kubernetes, else none |
/// | `signals = ["SIGTERM", "SIGINT"]` | The complete list of signals that start a stop: `SIGTERM`, `SIGINT`, `SIGQUIT`, `SIGHUP`, `SIGUSR1`, `SIGUSR2`. Set it when another program stops yours with one of the others. | `SIGTERM` and `SIGINT` |
/// | `reraise` | After a clean stop by a signal, the process ends by that signal. For command-line tools, whose shell checks the cause. | off |
/// | `reap` | As PID 1 the process reaps every orphan of its container, as `tini` does, and takes nobody's child: it forks first, and PID 1 is a copy that only reaps and passes signals on. As another process it changes nothing. For a container whose programs leave daemons behind, without `docker run --init`. | off |
/// | `dump = "SIGUSR1"` | A signal, or a list of them, that prints `status()`: the state of every worker, which one blocks which thread, and for how long, even while every thread of the runtime is blocked; it stops nothing. With the feature `taskdump` it also prints where workers wait. The JVM and Go use `"SIGQUIT"`. For a service that seems to hang. `"SIGABRT"` prints it too, and the process then dies of the signal: systemd sends it when its watchdog was not fed. | none |
/// | `upgrade = "SIGUSR2"` | A signal, or a list of them, that starts the program again and hands it the sockets: when the new process is ready, this one stops (`graceful::upgrade()`). With the feature `upgrade`, on Unix. For a service whose clients must not notice a new version, on a machine of its own or under systemd. | none |
/// | `upgrade_timeout = "60s"` | How long the new process may take until it is ready: after that it is ended, and this one goes on. Set it to more than the longest start. | 60 s |
/// | `pid_file = "/run/api.pid"` | A file with the number of the process that serves, written when that is ready: text, or any expression that converts into a path. With the feature `upgrade`, on Unix. For scripts that send the signal. | none |
/// | `extend_start = "10m"` | How long the start may take under systemd, from the start of the process until `ready()`, whatever the unit's `TimeoutStartSec=` says: systemd is asked for more time. With the feature `systemd`, in a unit of `Type=notify`. For a start that is slow now and then. | what the unit says |
/// | `flavor = "current_thread"` | tokio's runtime with one thread; `"multi_thread"` for several. One thread is enough for a process that mostly waits. | `"multi_thread"` |
/// | `worker_threads = 4` | How many threads poll tasks: a number above zero, or any expression of type `usize`. Set it when the process shares its machine. | one for each core |
/// | `name = "api"` | The name of the process in its log lines (`graceful[api]: …`) and reports: text, or any expression that converts into a string. Set it when several programs write to the same place. | none |
/// | `crate = my_crate::graceful` | Where to find `graceful`, bare or as a string. Set it when the crate is renamed or re-exported, or in a macro that expands to this attribute. | `::graceful` |
///
/// # Another name than `main`
///
/// A function called `main` is taken for that of the program: when it returns, the process has to end. A function of
/// another name keeps its arguments and returns an [`ExitCode`](https://doc.rust-lang.org/std/process/struct.ExitCode.html), so that
/// a plain `main` can parse the command line first. rustc warns if `main` does not return that exit code: the process
/// would end with 0 whatever happened. The options may use the arguments.
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::time::Duration;
///
/// fn main() -> ExitCode {
///     run(Duration::from_secs(25))
/// }
///
/// #[graceful::main(stop_timeout = limit)]
/// async fn run(limit: Duration) {
///     println!("stops within {limit:?}");
/// }
/// ```
///
/// # What it expands to
///
/// ```text
/// #[must_use = "it is the exit code of the process: return it from `main`"]
/// fn main() -> ::std::process::ExitCode {
///     async fn main() -> anyhow::Result<()> {
///         // the body
///     }
///     ::graceful::__private::main(
///         <::graceful::Builder>::new().stop_timeout(::core::time::Duration::new(25, 0)),
///         main(),
///     )
/// }
/// ```
///
/// Doc comments, visibility, lint levels, `#[inline]`, `#[cfg]`, `#[deprecated]` and `#[must_use]` stay on the
/// outer function. Every other attribute, such as `#[tracing::instrument]`, goes to the inner one.
///
/// # The following restrictions apply
///
/// Each is an error of its own, at the token that is wrong, and all of them are reported at once.
///
/// The function
///
/// - is a function: no struct, enum, union, trait, impl block, module, constant, static, type alias, import;
/// - is `async`, and not `const`, `unsafe`, `extern` or variadic;
/// - has no `self` and has a body;
/// - returns no number, `Option` or other type that no `main` returns;
/// - takes no arguments and is not generic when it is called `main`;
/// - has no other attribute that starts a runtime, such as `#[tokio::main]`, above or below this one, nor one that makes
///   other items of it, such as `#[bon::builder]`.
///
/// The options
///
/// - are known, set once, and separated by commas;
/// - have a value of the kind that the table says, after an `=`; flags may stand alone, or be `true` or `false`;
/// - `drain` is half of `stop_timeout` at the most, where both are known while compiling;
/// - `signals` has `SIGTERM`, not `SIGABRT`, and none twice;
/// - `dump` has no signal that stops the process, and none twice;
/// - `upgrade` has no signal that stops the process or is one of `dump`, not `SIGABRT`, and none twice;
/// - `worker_threads` is not used with `flavor = "current_thread"`.
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::main(attribute.into(), &item.into()).into()
}

/// Makes a function a worker: a background task that the runtime tracks, and waits for at the stop.
///
/// Calling the function returns a `Worker`, which does nothing yet. `.spawn()` starts it in the background and returns a
/// handle; `.await` runs the body once, in the current task and unsupervised, for tests; `.boxed()` gives it a type with a
/// name, `BoxWorker<R>`, for structs, lists and traits.
///
/// ```no_run
/// #[graceful::worker]
/// async fn consume(queue: Vec<String>) -> Result<(), std::io::Error> {
///     for job in queue {
///         if graceful::is_stopping() {
///             break;
///         }
///         println!("{job}");
///     }
///     Ok(())
/// }
///
/// #[graceful::main]
/// async fn main() {
///     consume(vec!["a job".to_owned()]).spawn();
///     graceful::stopping().await;
/// }
/// ```
///
/// A worker returns `()` or `Result<T, E>` with `E: Debug`. Its arguments are owned, and the body is `Send`.
/// In the body the function's name is the worker's: a worker may spawn itself again.
///
/// An `Err` stops the process unless `on_failure` says otherwise. An error that concerns one unit of work only, such
/// as one connection, is handled inside the worker. The methods of `Worker` set an option for a single call, from any value:
/// `.named(…)`, `.stage(…)`, `.stop_timeout(…)`, `.on_failure(…)`, `.max_restarts(…)`, `.backoff(…)`, `.essential()`,
/// `.every(config.period)`, `.initial_delay(…)`.
///
/// A worker's life includes what it has started: a worker that it spawns is its child. Its handle resolves when it and its
/// children have ended; stopping it stops them; a restart begins when the last run's children are gone. A body that
/// returns well leaves its children running; one that fails, panics or is aborted has them told to stop.
///
/// # Options
///
/// A duration is text with units (`"5s"`, `"1m 30s"`, `"500ms"`), checked while compiling, or a constant
/// expression of type [`Duration`](https://doc.rust-lang.org/std/time/struct.Duration.html): it becomes a part of a `static`.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "consume"` | The name of the worker in log lines and reports: text, or a constant `&'static str`. Set it when the function's name says too little. | the function's name |
/// | `on_failure = "stop"` | What an `Err` or a panic does. `"stop"` stops the process: for work that the process cannot do without. `"log"` writes a log line, and the process goes on: for work that may be lost. `"restart"` runs the worker again, with copies of its arguments: for work that depends on an unreliable peer. `"parent"` makes it the failure of the worker that spawned this one: its other children are told to stop, and its policy decides. A panic in a destructor of the worker counts as well. | `"stop"`; `"log"` with `every` |
/// | `max_restarts = 5` | How many restarts within a minute are allowed, or within another time: `"3 in 10m"`; one more is a failure of the process: a number above zero, or a constant `u32`. Set it where a new process may help. The waits of `backoff` must leave it within reach. | unlimited |
/// | `backoff = "100ms..10s"` | The first and the longest wait before a restart. Each wait is twice the one before, less a jitter of up to a half; after a run of a minute the waits start again with the first. Two constants work too: `MIN..MAX`. Set it when the peer needs more time, or less. | `"100ms..10s"` |
/// | `essential` | The process has no purpose without this worker: however it ends, its end starts the process's stop, unless it was stopped through its handle. | off |
/// | `every = "60s"` | Runs the body periodically; the period is from start to start, and the first run starts at once unless `initial_delay` says otherwise. Runs never overlap, what they have started included; a missed run is skipped, and none starts once the stop has begun. For sweeps, refreshes and reports. For a period known at run time: `.every(…)` at the call. | once |
/// | `initial_delay = "60s"` | How long after the spawn the first run of `every` starts. Set it where a run at each start of the process would be one too many. It begins again with each process: with `"24h"` a service that is deployed every day never runs. | none |
/// | `stop_timeout = "5s"` | The worker's own budget within the process's, from the cancellation of its token, for it and for what it has started; then these are aborted and reported. In a stop of the process the exit code is 124, otherwise it counts as a failure. For work that is not worth the whole budget. | the process's budget |
/// | `on_timeout = "log"` | What it means that the `stop_timeout` of this worker passes: `"log"` writes a log line, and nothing has failed. For work that may be cut off, such as the connection of a slow client. | `"fail"` |
/// | `stop = "early"` | When its token is cancelled: `"early"`, at the beginning of the drain, for workers that accept new work; `"late"`, after main and the ordinary workers, for workers that these depend on; `"last"`, after all others, for health and metrics. | together with main |
/// | `when_stopping = "refuse"` | A worker that is spawned after main's token was cancelled is dropped instead of run, and its handle says so. For work that can wait for the next start of the process. | it runs, with its token cancelled |
/// | `blocking` | The function is a plain `fn` that runs on one of tokio's blocking threads. For long computations and for libraries that block. | off |
/// | `crate = my_crate::graceful` | Where to find `graceful`, bare or as a string. | `::graceful` |
///
/// # What it expands to
///
/// ```text
/// fn consume(queue: Queue) -> ::graceful::Worker<impl ::graceful::__private::Body<Output = R>> {
///     struct __GracefulBody;
///     impl __GracefulBody {
///         async fn consume(mut queue: Queue) -> R {
///             // the body
///         }
///     }
///     static __GRACEFUL_FUNCTION: ::graceful::__private::Function =
///         <::graceful::__private::Function>::new("consume", ::core::module_path!(), "src/main.rs", 8)
///             .stage(<::graceful::Stage>::Early);
///     let __body = __GracefulBody::consume(queue);
///     let __remember = ..; // the source of an `R`'s error, for `?` on the handle
///     ::graceful::__private::once(
///         &__GRACEFUL_FUNCTION,
///         __body,
///         move |__result: &_| ::graceful::__private::judge(&*__result, &__remember),
///     )
/// }
/// ```
///
/// Doc comments, visibility, lint levels, `#[inline]`, `#[cfg]`, `#[deprecated]` and a `#[must_use]` with a
/// message stay on the outer function; a bare `#[must_use]` is dropped, because `Worker` has one. Every other
/// attribute goes to the inner function: with `#[tracing::instrument]`, above or below, the span has the
/// function's name and covers the run of the body.
///
/// # The following restrictions apply
///
/// Each is an error of its own, at the token that is wrong, and all of them are reported at once.
///
/// The function
///
/// - is a function: no struct, enum, union, trait, impl block, module, constant, static, type alias, import;
/// - is `async`, or a plain `fn` with `blocking` that returns no future, and not `const`, `unsafe`, `extern` or variadic;
/// - has no `self`, no `Self` but in items inside its body, and has a body;
/// - is not called `main`, and has no attribute of an entry point or a test, nor one that makes other items of it, such
///   as `#[bon::builder]`;
/// - borrows nothing: no reference and no lifetime other than `'static` in its arguments;
/// - returns `()` or `Result<T, E>` with `E: Debug`, and both are `Send`: `Box<dyn Error + Send + Sync>`;
/// - holds only `Send` values across an `.await`; rustc names the `.await`;
/// - has arguments that are `Clone` with `on_failure = "restart"` or `every`.
///
/// The options
///
/// - are known, set once, and separated by commas;
/// - have a value of the kind that the table says, after an `=`; flags may stand alone, or be `true` or `false`;
/// - `max_restarts` and `backoff` need `on_failure = "restart"`, a backoff begins with the shorter wait, and leaves
///   `max_restarts` within reach;
/// - `on_timeout` needs `stop_timeout`;
/// - `initial_delay` needs `every`;
/// - `every` is longer than zero, and goes neither with `essential` nor with `on_failure = "restart"`;
/// - `blocking` does not go with `async`.
#[proc_macro_attribute]
pub fn worker(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::worker(attribute.into(), &item.into()).into()
}

/// Makes an `async fn` a test in a lifecycle of its own.
///
/// The test runs as `main` would: it may spawn workers, start the stop and wait for it. It installs no signal
/// handlers, and tests that run in parallel are independent. The test fails when it panics, and when one of
/// its workers failed, panicked or had to be aborted and the test did not take that result from its handle.
/// No signal stops it: a test of a stop calls `graceful::stop()`.
///
/// ```
/// #[graceful::worker]
/// async fn double(n: u32) -> Result<u32, String> {
///     n.checked_mul(2).ok_or_else(|| "too much".to_owned())
/// }
///
/// #[graceful::test]
/// async fn doubling_doubles() {
///     assert_eq!(double(2).await, Ok(4));
///     assert!(double(u32::MAX).spawn().await.is_err());
/// }
/// ```
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `stop_timeout = "5s"` | The budget of the test's stop: text with units, or any expression of type [`Duration`](https://doc.rust-lang.org/std/time/struct.Duration.html). | as for `main` |
/// | `start_paused` | tokio's paused clock: when every task waits, the time advances to the next timer at once. For tests of timeouts. Needs the feature `test-util`. Pending input and output, and threads of other runtimes, do not keep the clock from advancing. | off |
/// | `flavor = "multi_thread"` | tokio's runtime with several threads; `"current_thread"` for one. | `"current_thread"` |
/// | `worker_threads = 2` | How many threads poll tasks: a number above zero, or any expression of type `usize`. | one for each core |
/// | `crate = my_crate::graceful` | Where to find `graceful`, bare or as a string. | `::graceful` |
///
/// # What it expands to
///
/// ```text
/// #[::core::prelude::v1::test]
/// fn doubling_doubles() {
///     async fn doubling_doubles() {
///         // the body
///     }
///     ::graceful::__private::test(
///         <::graceful::Builder>::new().current_thread().test_named(concat!(module_path!(), "::doubling_doubles")),
///         doubling_doubles(),
///     )
/// }
/// ```
///
/// Other attributes stay on the outer function, as with `#[tokio::test]`: `#[should_panic]`, `#[test_log::test]`,
/// `#[serial]`, `#[ntest::timeout]`. Those for async bodies, such as `#[tracing::instrument]`, go to the inner one.
/// What makes several tests of one function, such as `#[rstest]` and `#[test_case]`, stands above `#[graceful::test]`.
///
/// # The following restrictions apply
///
/// Each is an error of its own, at the token that is wrong, and all of them are reported at once.
///
/// The function
///
/// - is a function: no struct, enum, union, trait, impl block, module, constant, static, type alias, import;
/// - is `async`, and not `const`, `unsafe`, `extern` or variadic;
/// - has no `self` and has a body;
/// - takes no arguments and is not generic;
/// - has no other attribute that makes it a test, such as `#[test]` or `#[tokio::test]`, and none below that makes
///   several of it, such as `#[rstest]`.
///
/// The options
///
/// - are known, set once, and separated by commas;
/// - have a value of the kind that the table says, after an `=`; flags may stand alone, or be `true` or `false`;
/// - `worker_threads` needs `flavor = "multi_thread"`;
/// - `start_paused` does not go with `flavor = "multi_thread"`.
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::test(attribute.into(), &item.into()).into()
}
