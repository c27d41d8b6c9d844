//! How much time each caller has left before it would be aborted, on the paused clock.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graceful::until_remaining;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);

/// What a worker says that cannot fail.
type Said<T> = Result<T, Infallible>;

#[graceful::worker(stop_timeout = "500ms", on_timeout = "log")]
async fn bounded() -> Said<Vec<Option<Duration>>> {
    let mut left = vec![graceful::remaining()];
    graceful::stopping().await;
    left.push(graceful::remaining());
    sleep(Duration::from_millis(200)).await;
    left.push(graceful::remaining());
    Ok(left)
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn a_worker_with_a_budget_of_its_own_is_told_what_is_left_of_that() {
    let worker = bounded().spawn();
    sleep(SECOND).await;
    graceful::stop();
    assert_eq!(worker.await.unwrap(), [None, Some(HALF), Some(Duration::from_millis(300))]);
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn so_is_one_that_is_stopped_while_the_process_goes_on() {
    let worker = bounded().spawn();
    sleep(SECOND).await;
    worker.stop();
    assert_eq!(worker.await.unwrap(), [None, Some(HALF), Some(Duration::from_millis(300))]);
    assert_eq!(graceful::remaining(), None, "the process does not stop");
}

#[graceful::worker(stop_timeout = "500ms", on_timeout = "log")]
async fn parent(left: Arc<Mutex<Vec<Option<Duration>>>>) {
    let child = graceful::spawn("child", async move {
        graceful::stopping().await;
        let first = graceful::remaining();
        sleep(Duration::from_millis(200)).await;
        left.lock().unwrap().extend([first, graceful::remaining()]);
    });
    child.await.unwrap();
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn a_workers_budget_bounds_what_it_has_started() {
    let left = Arc::<Mutex<Vec<_>>>::default();
    let parent = parent(Arc::clone(&left)).spawn();
    sleep(SECOND).await;
    graceful::stop();
    parent.await.unwrap();
    assert_eq!(*left.lock().unwrap(), [Some(HALF), Some(Duration::from_millis(300))]);
}

#[graceful::test(stop_timeout = "10s")]
async fn code_that_blocks_is_bounded_by_the_budget_of_its_worker() {
    #[graceful::worker(blocking, stop_timeout = "500ms", on_timeout = "log")]
    #[allow(clippy::unnecessary_wraps)] // a worker that returns something returns a `Result`
    fn blocks() -> Said<Option<Duration>> {
        while !graceful::is_stopping() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(graceful::remaining())
    }
    let worker = blocks().spawn();
    graceful::stop();
    let left = worker.await.unwrap().unwrap();
    assert!(left <= HALF, "{left:?}");
}

#[graceful::test(stop_timeout = "1s", start_paused = true)]
async fn a_longer_budget_than_that_of_the_process_is_no_more_time() {
    #[graceful::worker(stop_timeout = "1m", on_timeout = "log")]
    async fn patient() -> Said<Option<Duration>> {
        graceful::stopping().await;
        Ok(graceful::remaining())
    }
    let worker = patient().spawn();
    sleep(SECOND).await;
    graceful::stop();
    assert_eq!(worker.await.unwrap(), Some(Duration::from_millis(900)));
}

/// What each hook saw.
type Seen = Arc<Mutex<Vec<(&'static str, Option<Duration>)>>>;

fn see(seen: &Seen, hook: &'static str) -> impl Future<Output = ()> + Send + use<> {
    let seen = Arc::clone(seen);
    async move {
        seen.lock().unwrap().push((hook, graceful::remaining()));
    }
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn a_hook_is_told_when_its_own_time_ends() {
    let seen = Seen::default();
    let (before, on) = (Arc::clone(&seen), Arc::clone(&seen));
    graceful::before_stop("before", move || see(&before, "before"));
    graceful::on_stop("on", move || see(&on, "on"));
    graceful::stop();
    graceful::stopping().await;
    sleep(SECOND).await;
    assert_eq!(*seen.lock().unwrap(), [("before", Some(5 * SECOND)), ("on", Some(9 * SECOND))]);
}

#[test]
fn after_an_abort_an_after_stop_hook_has_its_share() {
    let seen = Seen::default();
    let (first, second) = (Arc::clone(&seen), Arc::clone(&seen));
    let ran = std::panic::catch_unwind(move || {
        graceful::Builder::new().stop_timeout(2 * SECOND).signals([graceful::Signal::Terminate]).block_on(async move {
            graceful::after_stop("second", move || see(&second, "second"));
            graceful::after_stop("first", move || see(&first, "first"));
            graceful::spawn("stuck", pending::<()>());
            graceful::stop();
        })
    });
    assert!(ran.is_ok());
    let seen = seen.lock().unwrap();
    let [("first", Some(first)), ("second", Some(second))] = seen[..] else { panic!("{seen:?}") };
    // The abort leaves 200 ms of 2 s; hooks may run until 75 ms are left.
    let millis = |left: Duration| left.as_millis();
    assert!((30..=63).contains(&millis(first)), "{first:?}");
    assert!((60..=125).contains(&millis(second)), "{second:?}");
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn a_job_can_be_put_back_a_margin_before_the_abort() {
    let worker = graceful::spawn("consume", async {
        let asked = Instant::now();
        tokio::select! {
            () = pending() => unreachable!(),
            () = until_remaining(2 * SECOND) => Said::Ok(asked.elapsed()),
        }
    });
    sleep(SECOND).await;
    graceful::stop();
    assert_eq!(worker.await.unwrap(), 8 * SECOND, "1 s before the stop, and 7 of the 9 s after it");
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
async fn the_margin_is_counted_from_the_end_of_the_callers_own_budget() {
    #[graceful::worker(stop_timeout = "500ms", on_timeout = "log")]
    async fn consume() -> Said<Duration> {
        until_remaining(Duration::from_millis(100)).await;
        Ok(graceful::remaining().unwrap())
    }
    let worker = consume().spawn();
    sleep(SECOND).await;
    worker.stop();
    assert_eq!(worker.await.unwrap(), Duration::from_millis(100));
}

#[graceful::test(stop_timeout = "2s", start_paused = true)]
async fn a_margin_longer_than_the_budget_is_over_when_the_caller_is_told() {
    let worker = graceful::spawn("consume", async {
        let asked = Instant::now();
        until_remaining(60 * SECOND).await;
        Said::Ok((asked.elapsed(), graceful::is_stopping()))
    });
    sleep(SECOND).await;
    graceful::stop();
    assert_eq!(worker.await.unwrap(), (SECOND, true));
}

#[graceful::test(stop_timeout = "4s", start_paused = true)]
async fn the_process_may_stop_while_a_worker_has_time_of_its_own_left() {
    #[graceful::worker(stop_timeout = "1m", on_timeout = "log")]
    async fn consume() -> Said<Duration> {
        let asked = Instant::now();
        until_remaining(SECOND).await;
        Ok(asked.elapsed())
    }
    let worker = consume().spawn();
    sleep(SECOND).await;
    worker.stop();
    sleep(SECOND).await;
    graceful::stop();
    // 2 s, and 2.6 of the 3.6 s that the stop of the process leaves.
    let elapsed = worker.await.unwrap();
    assert_eq!(elapsed, Duration::from_millis(4600));
}

#[graceful::test(stop_timeout = "60s", start_paused = true)]
async fn the_time_of_a_worker_above_may_begin_later() {
    #[graceful::worker(stop_timeout = "1s", on_timeout = "log")]
    async fn parent(waited: Arc<Mutex<Vec<Duration>>>) {
        let child = graceful::spawn("child", async move {
            graceful::stopping().await;
            let told = Instant::now();
            until_remaining(HALF).await;
            waited.lock().unwrap().push(told.elapsed());
        });
        child.stop();
        child.await.unwrap();
    }
    let waited = Arc::<Mutex<Vec<_>>>::default();
    let parent = parent(Arc::clone(&waited)).spawn();
    sleep(SECOND).await;
    parent.stop();
    parent.await.unwrap();
    assert_eq!(*waited.lock().unwrap(), [SECOND + HALF]);
}

#[graceful::test(stop_timeout = "3s", start_paused = true)]
async fn a_worker_without_a_budget_that_is_stopped_alone_has_time() {
    let worker = graceful::spawn("consume", until_remaining(SECOND));
    sleep(SECOND).await;
    worker.stop();
    sleep(60 * SECOND).await;
    assert!(!worker.is_finished());
    graceful::stop();
    sleep(2 * SECOND).await;
    assert!(worker.is_finished());
}

#[graceful::test(stop_timeout = "none", start_paused = true)]
async fn without_a_deadline_there_is_no_moment_before_it() {
    let worker = graceful::spawn("consume", async {
        Said::Ok(tokio::time::timeout(60 * SECOND, until_remaining(SECOND)).await.is_err())
    });
    graceful::stop();
    assert!(worker.await.unwrap(), "it has resolved");
}
