//! The lifecycle as a whole, in process and mostly on the paused clock: states, causes, joins, the abort.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use graceful::{Cause, State, WorkerError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[graceful::test]
async fn ready_and_not_ready_move_the_state_until_the_stop() {
    assert_eq!(graceful::state(), State::Starting);
    graceful::ready();
    graceful::ready();
    assert!(graceful::is_ready());
    graceful::not_ready();
    assert_eq!(graceful::state(), State::Starting);
    graceful::ready();
    graceful::stop();
    assert!(!graceful::is_ready());
    graceful::ready();
    assert_eq!(graceful::state(), State::Stopping);
}

#[graceful::test]
async fn wait_for_resolves_at_the_state_and_past_it() {
    let at = tokio::spawn(graceful::wait_for(State::Ready));
    let past = tokio::spawn(graceful::wait_for(State::Draining));
    tokio::task::yield_now().await;
    graceful::ready();
    at.await.unwrap();
    assert!(!past.is_finished());
    graceful::stop();
    past.await.unwrap();
}

#[graceful::test]
async fn the_first_cause_is_kept() {
    assert!(graceful::cause().is_none());
    graceful::stop();
    let line = line!() - 1;
    graceful::stop();
    match graceful::cause() {
        Some(Cause::Request(location)) => {
            assert_eq!((location.file(), location.line()), (file!(), line));
        }
        other => panic!("{other:?}"),
    }
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn remaining_counts_down_to_the_abort() {
    assert_eq!(graceful::remaining(), None);
    graceful::stop();
    assert_eq!(graceful::remaining(), Some(9 * SECOND));
    sleep(4 * SECOND).await;
    assert_eq!(graceful::remaining(), Some(5 * SECOND));
}

#[graceful::test(stop_timeout = "none")]
async fn without_a_deadline_there_is_always_time() {
    graceful::stop();
    assert_eq!(graceful::remaining(), Some(Duration::MAX));
}

#[graceful::test(start_paused = true)]
async fn idle_waits_for_the_last_worker_and_stops_none() {
    for seconds in 1..=5 {
        graceful::spawn("work", sleep(seconds * SECOND));
    }
    let began = Instant::now();
    graceful::idle().await;
    assert_eq!(began.elapsed(), 5 * SECOND);
    assert_eq!(graceful::state(), State::Starting);
}

#[graceful::test(start_paused = true)]
async fn idle_in_a_worker_waits_for_the_others() {
    graceful::spawn("work", sleep(SECOND));
    graceful::spawn("last", async {
        let began = Instant::now();
        graceful::idle().await;
        assert_eq!(began.elapsed(), SECOND);
    })
    .await
    .unwrap();
}

#[graceful::test]
async fn idle_resolves_at_once_without_workers() {
    graceful::idle().await;
}

#[graceful::test]
async fn a_handle_gives_what_the_worker_returned() {
    assert_eq!(graceful::spawn("ok", async { Ok::<_, String>(7) }).await.unwrap(), 7);
    graceful::spawn("unit", async {}).await.unwrap();
    let failed = graceful::spawn("err", async { Err::<(), _>("broken") }).await;
    assert!(matches!(failed, Err(WorkerError::Failed("broken"))));
}

#[graceful::test]
async fn a_failure_is_the_cause_of_the_stop_even_if_the_handle_took_it() {
    let failed = graceful::spawn("fails", async { Err::<(), _>("broken") }).await;
    assert!(failed.is_err());
    assert!(graceful::is_stopping());
    assert!(matches!(graceful::cause(), Some(Cause::Failure(name)) if &*name == "fails"));
}

#[graceful::test]
async fn a_panic_comes_out_of_the_handle() {
    match graceful::spawn("panics", async { panic!("text") }).await {
        Err(WorkerError::Panicked(panic)) => assert_eq!(panic.message(), "text"),
        other => panic!("{other:?}"),
    }
    match graceful::spawn("odd", async { std::panic::panic_any(7_u8) }).await {
        Err(WorkerError::Panicked(panic)) => {
            assert_eq!(panic.into_payload().downcast_ref(), Some(&7_u8));
        }
        other => panic!("{other:?}"),
    }
    assert!(graceful::is_stopping());
}

#[graceful::test]
async fn an_aborted_worker_is_dropped_and_stops_nobody() {
    let (send, receive) = oneshot::channel::<()>();
    let handle = graceful::spawn("parked", async move {
        let _held = send;
        pending::<()>().await;
    });
    tokio::task::yield_now().await;
    handle.abort();
    assert!(receive.await.is_err());
    assert!(matches!(handle.await, Err(WorkerError::Aborted)));
    assert!(!graceful::is_stopping());
    graceful::idle().await;
}

#[graceful::test]
async fn a_worker_spawned_while_stopping_runs_with_its_token_cancelled_and_is_joined() {
    graceful::stop();
    let ran = Arc::new(Mutex::new(false));
    graceful::spawn("late", {
        let ran = Arc::clone(&ran);
        async move {
            assert!(graceful::is_stopping());
            graceful::stopping().await;
            tokio::task::yield_now().await;
            *ran.lock().unwrap() = true;
        }
    });
    graceful::keep(Check(ran));
}

/// Proves at the very end that a worker was waited for.
struct Check(Arc<Mutex<bool>>);

impl Drop for Check {
    fn drop(&mut self) {
        assert!(*self.0.lock().unwrap());
    }
}

#[graceful::test]
async fn a_worker_spawned_when_all_is_over_is_refused() {
    struct Last;

    impl Drop for Last {
        fn drop(&mut self) {
            assert_eq!(graceful::state(), State::Stopped);
            let mut handle = pin!(graceful::spawn("too late", async {}));
            assert!(handle.is_finished());
            let result = handle.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(result, Poll::Ready(Err(WorkerError::Refused))));
        }
    }

    graceful::keep(Last);
}

#[graceful::test]
async fn a_name_given_at_the_call_is_the_handles() {
    let handle = graceful::Worker::new("plain", || async {}).named("fancy").spawn();
    assert_eq!(handle.name(), "fancy");
    assert!(!handle.is_finished());
    handle.await.unwrap();
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn main_is_waited_for_after_it_asked_for_the_stop() {
    graceful::stop();
    sleep(8 * SECOND).await;
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn a_worker_that_finishes_at_the_instant_of_the_abort_has_made_it() {
    graceful::spawn("just in time", sleep(9 * SECOND));
    graceful::stop();
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
#[should_panic(expected = "just too late (")]
async fn a_worker_that_finishes_after_the_instant_of_the_abort_has_not() {
    graceful::spawn("just too late", sleep(9 * SECOND + Duration::from_millis(1)));
    graceful::stop();
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
#[should_panic(expected = "real io (")]
async fn real_io_during_a_stop_on_the_paused_clock_runs_into_the_budget_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut near, _) = listener.accept().unwrap();
    far.set_nonblocking(true).unwrap();
    let far = tokio::net::TcpStream::from_std(far).unwrap();
    graceful::spawn("real io", async move { far.readable().await });
    graceful::stop();
    let began = std::time::Instant::now();
    // Another thread answers, in real time; the paused clock does not wait for it.
    std::thread::spawn(move || {
        std::thread::sleep(5 * SECOND);
        let _ = std::io::Write::write_all(&mut near, b"x");
    });
    graceful::keep(Quick(began));
}

/// Proves that no real time went by.
struct Quick(std::time::Instant);

impl Drop for Quick {
    fn drop(&mut self) {
        assert!(self.0.elapsed() < 2 * SECOND);
    }
}

#[graceful::test]
#[should_panic(expected = "worker `fails` failed: \"broken\"")]
async fn a_test_fails_when_a_worker_of_it_failed() {
    graceful::spawn("fails", async { Err::<(), _>("broken") });
}

#[graceful::test]
#[should_panic(expected = "worker `panics` panicked: text")]
async fn a_test_fails_when_a_worker_of_it_panicked() {
    graceful::spawn("panics", async { panic!("text") });
}

/// More than are kept.
async fn fail_33_times_and_take_all_but(untaken: usize) {
    for number in (0..33).filter(|&number| number != untaken) {
        let failed = graceful::spawn(&format!("worker {number}"), async { Err::<(), _>("broken") });
        assert!(failed.await.is_err());
    }
}

#[graceful::test]
#[should_panic(expected = "workers of the test failed or were aborted")]
async fn a_test_fails_when_a_worker_of_it_failed_after_many_whose_failures_were_taken() {
    fail_33_times_and_take_all_but(32).await;
    graceful::spawn("worker 32", async { Err::<(), _>("broken") });
}

#[graceful::test]
async fn failures_that_were_taken_are_none_of_the_tests_however_many_there_are() {
    fail_33_times_and_take_all_but(33).await;
}

#[test]
#[should_panic(expected = "`dump` names a signal that stops the process")]
fn a_signal_that_dumps_cannot_be_made_one_that_asks_for_the_stop() {
    use graceful::{Builder, Signal};
    let dumps = Builder::new().dump([Signal::Quit]);
    let _ = dumps.signals([Signal::Terminate, Signal::Quit]);
}

#[graceful::test]
async fn a_name_that_takes_the_place_of_an_old_one_begins_with_nothing() {
    // Those that are checked first are in use; others are found nevertheless.
    let _held: Vec<_> = (0..20).map(|number| graceful::hold(&format!("upload {number}"))).collect();
    for number in 0..600 {
        let named = graceful::spawn(&format!("connection {number}"), async {});
        named.await.unwrap();
    }
    let status = graceful::status();
    assert!(status.workers.len() < 300);
    assert!(status.workers.iter().all(|worker| worker.finished == 1));
}

struct Unspeakable;

impl std::fmt::Debug for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words")
    }
}

#[graceful::test]
#[should_panic(expected = "worker `fails` failed: an error whose Debug panicked: no words")]
async fn an_error_that_cannot_be_shown_is_a_failure_that_says_so() {
    graceful::spawn("fails", async { Err::<(), _>(Unspeakable) });
}

#[graceful::test(stop_timeout = "1s", start_paused = true)]
#[should_panic(expected = "stuck (tests/lifecycle.rs:")]
async fn a_test_fails_when_a_worker_of_it_had_to_be_aborted() {
    graceful::spawn("stuck", pending::<()>());
}

#[graceful::test]
#[should_panic(expected = "the test's own words")]
async fn a_tests_own_panic_is_the_one_that_is_seen() {
    graceful::spawn("fails", async { Err::<(), _>("broken") });
    panic!("the test's own words");
}

#[graceful::test(stop_timeout = "1s", start_paused = true)]
#[should_panic(expected = "the test was aborted")]
async fn a_test_that_hangs_after_its_own_stop_is_aborted() {
    graceful::stop();
    pending::<()>().await;
}

#[graceful::test]
async fn a_test_may_return_a_result() -> Result<(), WorkerError<String>> {
    graceful::spawn("ok", async { Ok::<_, String>(()) }).await
}

#[graceful::test(stop_timeout = "1s", start_paused = true)]
#[should_panic(expected = "parked (")]
async fn destructors_run_at_the_abort_and_kept_values_after_them() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |name| Note { name, order: Arc::clone(&order) };
    graceful::keep(Order(["parked", "kept last", "kept first"], Arc::clone(&order)));
    graceful::keep(note("kept first"));
    graceful::keep(note("kept last"));
    let guard = note("parked");
    graceful::spawn("parked", async move {
        let _guard = guard;
        pending::<()>().await;
    });
    graceful::stop();
}

type Names = Arc<Mutex<Vec<&'static str>>>;

/// Writes its name down when it is dropped.
struct Note {
    name: &'static str,
    order: Names,
}

impl Drop for Note {
    fn drop(&mut self) {
        self.order.lock().unwrap().push(self.name);
    }
}

/// Proves the order in which names were written.
struct Order([&'static str; 3], Names);

impl Drop for Order {
    fn drop(&mut self) {
        assert_eq!(*self.1.lock().unwrap(), self.0);
    }
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
#[should_panic(expected = "the test was aborted")]
async fn main_that_waits_for_a_later_stage_during_the_stop_ends_at_the_deadline() {
    let late = graceful::Worker::new("late", || async { graceful::stopping().await }).stage(graceful::Stage::Late);
    let late = late.spawn();
    graceful::stop();
    let _ = late.await;
}

#[graceful::test]
async fn a_workers_error_says_what_became_of_it_and_hands_on_the_source() {
    use std::error::Error;

    #[derive(Debug)]
    struct Wrapped(std::fmt::Error);

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[graceful::worker]
    async fn annotated() -> Result<(), Wrapped> {
        Err(Wrapped(std::fmt::Error))
    }

    /// As before, of a type that no attribute has seen.
    #[derive(Debug)]
    struct Unseen(Wrapped);

    impl std::fmt::Display for Unseen {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Error for Unseen {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.source()
        }
    }

    let source = |error: &dyn Error| error.source().map(ToString::to_string);
    let failed = annotated().spawn().await.unwrap_err();
    assert_eq!(failed.to_string(), "wrapped");
    assert_eq!(source(&failed), Some(std::fmt::Error.to_string()));

    let fails = graceful::spawn("fails", async { Err::<(), _>(Unseen(Wrapped(std::fmt::Error))) });
    let failed = fails.await.unwrap_err();
    assert_eq!((failed.to_string(), source(&failed)), ("wrapped".to_owned(), None));
    assert_eq!(source(&failed.boxed()), Some(std::fmt::Error.to_string()));

    let waits = graceful::spawn("waits", pending::<Result<(), Wrapped>>());
    waits.abort();
    let aborted = waits.await.unwrap_err();
    assert_eq!(aborted.to_string(), "the worker was aborted");
    assert!(aborted.source().is_none());
}

/// Names what the test below does; unset where it runs as any other.
const TASK: &str = "TESTS_TASK";

#[graceful::test(stop_timeout = "100ms")]
async fn in_a_process_of_its_own() {
    match std::env::var(TASK).as_deref() {
        Ok("spins") => loop {
            std::hint::spin_loop();
        },
        Ok("yields") => {
            let began = Instant::now();
            while began.elapsed() < 4 * SECOND {
                tokio::task::yield_now().await;
            }
        }
        _ => {}
    }
}

/// Runs beside the one above, for longer than that is allowed to.
#[graceful::test]
async fn beside_it_in_that_process() {
    if std::env::var(TASK).as_deref() == Ok("spins") {
        sleep(6 * SECOND).await;
    }
}

/// The watch checks first after a second, and again when a budget and a second are over.
#[cfg(unix)]
#[test]
fn a_test_that_never_yields_is_ended_and_one_that_is_busy_is_not() {
    let start = |task| {
        let mut harness = std::process::Command::new(std::env::current_exe().unwrap());
        harness.args(["--exact", "--test-threads=2", "in_a_process_of_its_own", "beside_it_in_that_process"]);
        graceful_tests::Child::start(harness.env(TASK, task))
    };
    let began = std::time::Instant::now();
    let (spins, yields) = (start("spins"), start("yields"));
    let spins = spins.end();
    spins.assert_code(124);
    // Not captured by the test harness.
    spins.assert_said("the test lifecycle::in_a_process_of_its_own (tests/lifecycle.rs:");
    spins.assert_said(") cannot be aborted: some of its code never yields");
    // The other one's result is not lost.
    spins.assert_printed("test beside_it_in_that_process ... ok");
    spins.assert_gone_between(began, Duration::from_millis(6500), 15 * SECOND);
    let yields = yields.end();
    yields.assert_code(0);
    yields.assert_silent_about("never yields");
}
