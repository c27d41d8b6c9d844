//! The options of a worker: restarts, repetitions, budgets of its own, refusals, children.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use graceful::{Cause, OnFailure, Stage, State, Worker, WorkerError, WorkerHandle};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

type Counter = Arc<AtomicU32>;

fn count(counter: &Counter) -> u32 {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

#[graceful::worker(on_failure = "log")]
async fn logs(runs: Counter) -> Result<(), String> {
    count(&runs);
    Err("broken".to_owned())
}

#[graceful::worker(on_failure = "restart", backoff = "100ms..1s")]
async fn fails_twice(runs: Counter) -> Result<u32, String> {
    match count(&runs) {
        1 => Err("broken".to_owned()),
        2 => panic!("broken"),
        run => Ok(run),
    }
}

#[graceful::worker(on_failure = "restart", backoff = "100ms..100ms", max_restarts = 3)]
async fn never_well(runs: Counter) -> Result<(), String> {
    count(&runs);
    Err("broken".to_owned())
}

#[graceful::worker(on_failure = "restart", backoff = "1ms..1ms", max_restarts = 1)]
async fn fails_again_when_told(runs: Counter) -> Result<(), String> {
    if count(&runs) > 1 {
        graceful::stopping().await;
    }
    Err("broken".to_owned())
}

#[graceful::worker(on_failure = "restart", backoff = "1h..1h")]
async fn slow_to_return() -> Result<(), String> {
    Err("broken".to_owned())
}

#[graceful::worker(every = "10s")]
async fn ticks(runs: Counter) -> Result<(), String> {
    match count(&runs) {
        2 => Err("broken".to_owned()),
        3 => panic!("broken"),
        _ => Ok(()),
    }
}

#[graceful::worker(every = "10s")]
async fn overslept(runs: Counter) {
    if count(&runs) == 1 {
        sleep(25 * SECOND).await;
    }
}

#[graceful::worker(blocking, every = "10s")]
fn sweeps(runs: Counter) {
    count(&runs);
}

#[graceful::worker(blocking, on_failure = "restart")]
fn starts_another(started: mpsc::UnboundedSender<WorkerHandle<()>>) {
    let child = graceful::spawn("child", async { graceful::stopping().await });
    let _ = started.send(child);
    while !graceful::is_stopping() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[graceful::worker(essential)]
async fn essential(until: oneshot::Receiver<()>) {
    graceful::run_until_stopping(until).await;
}

#[graceful::worker(stop_timeout = "2s")]
async fn takes_its_time() {
    pending::<()>().await;
}

#[graceful::worker(when_stopping = "refuse")]
async fn not_any_more() {}

#[graceful::test]
async fn a_failure_that_is_logged_stops_nobody() {
    let runs = Counter::default();
    assert!(matches!(logs(runs.clone()).spawn().await, Err(WorkerError::Failed(_))));
    graceful::spawn("plain", async {}).await.unwrap();
    assert!(!graceful::is_stopping());
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[graceful::test(start_paused = true)]
async fn a_worker_is_restarted_after_an_error_and_after_a_panic() {
    let runs = Counter::default();
    let began = Instant::now();
    assert_eq!(fails_twice(runs).spawn().await.unwrap(), 3);
    let took = began.elapsed();
    assert!((150..=300).contains(&took.as_millis()), "two pauses, 100 ms and 200 ms less the jitter: {took:?}");
    let status = graceful::status();
    let worker = &status.workers[0];
    assert_eq!((worker.restarted, worker.finished), (2, 1));
    assert_eq!((worker.failed, worker.panicked), (1, 1));
}

#[graceful::test(start_paused = true)]
async fn a_failure_in_a_stop_asks_for_no_restart_and_is_none_too_many() {
    let runs = Counter::default();
    fails_again_when_told(runs.clone()).spawn(); // a failure that counts would fail this test
    sleep(SECOND).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[graceful::test(start_paused = true)]
async fn too_many_restarts_within_a_minute_are_a_failure() {
    let runs = Counter::default();
    assert!(never_well(runs.clone()).spawn().await.is_err());
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert!(matches!(graceful::cause(), Some(Cause::Failure(name)) if &*name == "never_well"));
}

/// Two failures in ten minutes, one every four: a minute would not see them together.
#[graceful::worker(on_failure = "restart", backoff = "4m..4m", max_restarts = "2 in 10m")]
async fn seldom_well(runs: Counter) -> Result<(), String> {
    count(&runs);
    Err("broken".to_owned())
}

#[graceful::test(start_paused = true)]
async fn too_many_restarts_within_a_time_of_its_own_are_a_failure() {
    let runs = Counter::default();
    assert!(seldom_well(runs.clone()).spawn().await.is_err());
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

#[graceful::test(start_paused = true)]
async fn limit_and_waits_of_restarts_may_come_from_a_call() {
    let runs = Counter::default();
    let began = Instant::now();
    let worker = never_well(runs.clone()).max_restarts(1, SECOND * 600).backoff(SECOND * 60, SECOND * 60);
    assert!(worker.spawn().await.is_err());
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert!((SECOND * 30..=SECOND * 60).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[graceful::test(start_paused = true)]
async fn the_end_of_one_that_a_call_makes_essential_is_a_stop() {
    graceful::spawn("other", graceful::stopping());
    Worker::new("only", || async {}).essential().spawn().await.unwrap();
    graceful::wait_for(State::Stopping).await;
    assert!(matches!(graceful::cause(), Some(Cause::Essential(name)) if &*name == "only"));
}

/// Once a day, and not at each start of the process.
#[graceful::worker(every = "1d", initial_delay = "8h")]
async fn daily(runs: Counter) {
    count(&runs);
}

#[graceful::test(start_paused = true)]
async fn a_first_run_may_be_later() {
    let runs = Counter::default();
    let handle = daily(runs.clone()).spawn();
    let hour = SECOND * 3600;
    for (hours, expected) in [(7, 0), (2, 1), (22, 1), (2, 2)] {
        sleep(hour * hours).await;
        assert_eq!(runs.load(Ordering::SeqCst), expected);
    }
    assert!(!handle.is_finished());
}

#[graceful::test(start_paused = true)]
async fn a_first_run_that_is_pending_does_not_hold_the_stop() {
    let runs = Counter::default();
    let handle = daily(runs.clone()).spawn();
    sleep(SECOND).await;
    let began = Instant::now();
    graceful::stop();
    assert!(handle.await.is_err());
    assert_eq!((began.elapsed(), runs.load(Ordering::SeqCst)), (Duration::ZERO, 0));
}

#[graceful::test(start_paused = true)]
async fn a_period_may_come_from_a_call() {
    let (slow, often, late) = (Counter::default(), Counter::default(), Counter::default());
    let counting = |runs: &Counter| {
        let runs = runs.clone();
        Worker::new("counting", move || {
            count(&runs);
            std::future::ready(())
        })
    };
    daily(slow.clone()).every(SECOND * 10).initial_delay(Duration::ZERO).spawn();
    counting(&often).every(SECOND).spawn();
    counting(&late).every(SECOND).initial_delay(SECOND * 5).spawn();
    sleep(SECOND * 9 + SECOND / 2).await;
    let runs = [slow, often, late].map(|runs| runs.load(Ordering::SeqCst));
    assert_eq!(runs, [1, 10, 5]);
}

#[graceful::test]
#[should_panic(expected = "this worker cannot be run again")]
async fn what_runs_once_has_no_period() {
    drop(logs(Counter::default()).every(SECOND));
}

#[graceful::test]
#[should_panic(expected = "the period must be longer than zero")]
async fn a_period_is_not_zero() {
    drop(daily(Counter::default()).every(Duration::ZERO));
}

#[graceful::test(start_paused = true)]
async fn a_restart_that_is_pending_does_not_hold_the_stop() {
    let handle = slow_to_return().spawn();
    sleep(SECOND).await;
    let began = Instant::now();
    graceful::stop();
    assert!(handle.await.is_err());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[graceful::test(start_paused = true)]
async fn a_ticker_runs_at_once_and_then_in_each_period_whatever_a_tick_comes_to() {
    let runs = Counter::default();
    let handle = ticks(runs.clone()).spawn();
    sleep(35 * SECOND).await;
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert!(!graceful::is_stopping());
    graceful::stop();
    handle.await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 4);
}

#[graceful::test(start_paused = true)]
async fn a_ticker_does_not_overlap_and_skips_what_it_missed() {
    let runs = Counter::default();
    overslept(runs.clone()).spawn();
    sleep(29 * SECOND).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    sleep(2 * SECOND).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[graceful::test(start_paused = true)]
async fn a_ticker_that_is_stopped_through_its_handle_ends() {
    let handle = ticks(Counter::default()).spawn();
    sleep(SECOND).await;
    handle.stop();
    handle.await.unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test(start_paused = true)]
async fn a_ticker_spawned_during_the_drain_does_not_begin() {
    graceful::before_stop("slow", || sleep(SECOND));
    graceful::stop();
    assert_eq!(graceful::state(), State::Draining);
    let runs = Counter::default();
    let _ = ticks(runs.clone()).spawn().await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[graceful::test(start_paused = true)]
async fn a_ticker_spawned_after_the_drain_does_not_begin() {
    graceful::stop();
    assert_eq!(graceful::state(), State::Stopping);
    let runs = Counter::default();
    let _ = ticks(runs.clone()).spawn().await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[graceful::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_blocking_worker_can_tick() {
    let runs = Counter::default();
    let handle = sweeps(runs.clone()).spawn();
    while runs.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    graceful::stop();
    handle.await.unwrap();
}

#[graceful::test]
async fn the_end_of_an_essential_worker_is_the_stop() {
    let (send, receive) = oneshot::channel();
    let handle = essential(receive).spawn();
    send.send(()).unwrap();
    handle.await.unwrap();
    assert!(graceful::is_stopping());
    assert!(matches!(graceful::cause(), Some(Cause::Essential(name)) if &*name == "essential"));
}

#[graceful::test]
async fn an_essential_worker_that_is_stopped_through_its_handle_stops_nobody() {
    let (_send, receive) = oneshot::channel();
    let handle = essential(receive).spawn();
    tokio::task::yield_now().await;
    handle.stop();
    handle.await.unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test(start_paused = true)]
#[should_panic(expected = "worker `takes_its_time` did not end within 2 s and was aborted")]
async fn a_worker_with_a_budget_of_its_own_is_aborted_when_it_is_over() {
    let handle = takes_its_time().spawn();
    tokio::task::yield_now().await;
    let began = Instant::now();
    graceful::stop();
    graceful::idle().await;
    assert_eq!(began.elapsed(), 2 * SECOND);
    assert!(handle.is_finished());
}

#[graceful::test]
async fn a_worker_can_be_refused_once_the_stop_has_begun() {
    not_any_more().spawn().await.unwrap();
    graceful::stop();
    assert!(matches!(not_any_more().spawn().await, Err(WorkerError::Refused)));
    assert_eq!(graceful::status().workers[0].refused, 1);
}

#[graceful::test(start_paused = true)]
async fn a_call_may_change_the_policy() {
    let runs = Counter::default();
    let failing = {
        let runs = runs.clone();
        Worker::new("changed", move || {
            let run = count(&runs);
            async move { if run < 3 { Err("broken") } else { Ok(()) } }
        })
    };
    failing.on_failure(OnFailure::Restart).spawn().await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert!(never_well(Counter::default()).on_failure(OnFailure::Log).spawn().await.is_err());
    assert!(!graceful::is_stopping());
}

#[graceful::test]
#[should_panic(expected = "this worker cannot be restarted")]
async fn a_worker_that_is_one_future_cannot_be_restarted() {
    let _ = not_any_more().on_failure(OnFailure::Restart);
}

#[graceful::test]
async fn a_worker_with_a_stage_of_its_own_is_nobodys_child() {
    let (send, receive) = oneshot::channel();
    let parent = graceful::spawn("parent", async move {
        let root = Worker::new("root", || async { graceful::stopping().await }).stage(Stage::Late).spawn();
        let child = Worker::new("child", || async { graceful::stopping().await }).spawn();
        let _ = send.send((root, child));
        graceful::stopping().await;
    });
    let (root, child) = receive.await.unwrap();
    parent.stop();
    child.await.unwrap();
    tokio::task::yield_now().await;
    assert!(!root.is_finished());
    graceful::stop();
}

#[graceful::test]
async fn what_a_blocking_worker_starts_that_can_be_restarted_is_its_child() {
    let (started, mut children) = mpsc::unbounded_channel();
    let parent = starts_another(started).spawn();
    let child = children.recv().await.unwrap();
    parent.stop();
    timeout(10 * SECOND, child).await.expect("told").unwrap();
    parent.await.unwrap();
    assert_eq!(graceful::state(), State::Starting);
}

#[graceful::test]
async fn children_go_on_when_their_parent_returns_and_it_ends_with_them() {
    let (send, receive) = oneshot::channel();
    let (go, wait) = oneshot::channel::<()>();
    let parent = graceful::spawn("parent", async move {
        let _ = send.send(graceful::spawn("child", async {
            let _ = wait.await;
            assert!(!graceful::is_stopping());
        }));
    });
    let child = receive.await.unwrap();
    tokio::task::yield_now().await;
    assert!(!child.is_finished());
    assert!(!parent.is_finished());
    let _ = go.send(());
    parent.await.unwrap();
    assert!(child.is_finished());
}

#[graceful::test]
async fn a_worker_may_stop_its_own_parent() {
    let parent = graceful::spawn("parent", async {
        let token = graceful::token();
        graceful::spawn("child", async move {
            token.cancel();
            assert!(graceful::is_stopping());
        });
        graceful::stopping().await;
    });
    parent.await.unwrap();
    assert_eq!(graceful::state(), State::Starting);
}

#[graceful::test]
async fn a_hundred_thousand_children_stop_with_their_parent() {
    let (send, receive) = oneshot::channel();
    let parent = graceful::spawn("parent", async move {
        let children: Vec<_> =
            (0..100_000).map(|_| graceful::spawn("child", async { graceful::stopping().await })).collect();
        tokio::task::yield_now().await;
        let _ = send.send(children);
        graceful::stopping().await;
    });
    let children = receive.await.unwrap();
    parent.stop();
    for child in children {
        child.await.unwrap();
    }
    assert!(!graceful::is_stopping());
}
