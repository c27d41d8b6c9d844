//! The order of a stop on the paused clock: drain, hooks, stages, holds.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graceful::{Builder, Cause, Stage, State, Worker};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// A test with a drain. The attribute has no such option: tests rarely need one.
fn draining<F: Future>(drain: Duration, test: F) -> F::Output {
    let builder = Builder::new().stop_timeout(20 * SECOND).drain(drain).current_thread();
    graceful::__private::test(builder.start_paused(graceful::__private::PausedClock), test)
}

/// What happened, in order, with the seconds since the beginning.
#[derive(Clone)]
struct Log(Arc<Mutex<Vec<(&'static str, u64)>>>, Instant);

impl Log {
    fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    fn add(&self, what: &'static str) {
        self.0.lock().unwrap().push((what, self.1.elapsed().as_secs()));
    }

    fn take(&self) -> Vec<(&'static str, u64)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Asserts at the very end, when all hooks have run.
    fn expect(&self, expected: &'static [(&'static str, u64)]) {
        graceful::keep(Expected(self.clone(), expected));
    }
}

struct Expected(Log, &'static [(&'static str, u64)]);

impl Drop for Expected {
    fn drop(&mut self) {
        assert_eq!(self.0.take(), self.1);
    }
}

/// A worker that logs when it is told to stop, and ends then.
fn told(log: &Log, what: &'static str, stage: Stage) {
    let log = log.clone();
    let worker = Worker::new(what, move || {
        let log = log.clone();
        async move {
            graceful::stopping().await;
            log.add(what);
        }
    });
    worker.stage(stage).spawn();
}

#[test]
fn while_it_drains_everything_but_early_workers_is_served() {
    draining(5 * SECOND, async {
        let log = Log::new();
        told(&log, "early", Stage::Early);
        told(&log, "main", Stage::Main);
        graceful::ready();
        sleep(SECOND).await;
        graceful::stop();
        assert_eq!(graceful::state(), State::Draining);
        assert!(!graceful::is_ready());
        assert!(!graceful::is_stopping());
        graceful::stopping().await;
        assert_eq!(graceful::state(), State::Stopping);
        log.add("here");
        sleep(SECOND).await;
        assert_eq!(log.take(), [("early", 1), ("main", 6), ("here", 6)]);
    });
}

#[test]
fn a_service_that_never_was_ready_drains_when_it_was_asked_to() {
    draining(5 * SECOND, async {
        graceful::stop();
        let began = Instant::now();
        graceful::stopping().await;
        assert_eq!(began.elapsed(), 5 * SECOND);
    });
}

#[test]
fn mains_return_ends_the_drain() {
    draining(5 * SECOND, async {
        let log = Log::new();
        told(&log, "worker", Stage::Main);
        log.expect(&[("worker", 2)]);
        graceful::ready();
        graceful::stop();
        sleep(2 * SECOND).await;
    });
}

#[test]
fn a_failure_while_draining_lets_the_drain_go_on() {
    draining(5 * SECOND, async {
        graceful::ready();
        graceful::stop();
        let failed = graceful::spawn("fails", async { Err::<(), _>("broken") }).await;
        assert!(failed.is_err());
        assert!(matches!(graceful::cause(), Some(Cause::Request(_))));
        let began = Instant::now();
        graceful::stopping().await;
        assert_eq!(began.elapsed(), 5 * SECOND);
    });
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn before_stop_hooks_are_heard_before_anybody_is_told() {
    let log = Log::new();
    told(&log, "worker", Stage::Main);
    for (name, seconds) in [("slow", 3), ("quick", 1)] {
        let log = log.clone();
        graceful::before_stop(name, move || async move {
            sleep(seconds * SECOND).await;
            log.add(name);
        });
    }
    graceful::stop();
    sleep(SECOND / 2).await;
    // A second call changes nothing.
    graceful::stop();
    assert_eq!(graceful::state(), State::Draining);
    assert!(!graceful::is_stopping());
    graceful::stopping().await;
    sleep(SECOND).await;
    assert_eq!(log.take(), [("quick", 1), ("slow", 3), ("worker", 3)]);
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
#[should_panic(expected = "before_stop hook `hangs` did not end within 10 s")]
async fn a_before_stop_hook_that_hangs_takes_half_the_budget_and_is_a_failure() {
    graceful::before_stop("hangs", pending::<()>);
    let began = Instant::now();
    graceful::stop();
    graceful::stopping().await;
    assert_eq!(began.elapsed(), 10 * SECOND);
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn stages_stop_one_after_the_other() {
    let log = Log::new();
    for (name, stage) in [("last", Stage::Last), ("late", Stage::Late), ("main", Stage::Main)] {
        told(&log, name, stage);
    }
    log.expect(&[("main", 0), ("work in hand", 2), ("late", 2), ("last", 2)]);
    let worker = log.clone();
    graceful::spawn("slow", async move {
        graceful::stopping().await;
        sleep(2 * SECOND).await;
        worker.add("work in hand");
    });
    tokio::task::yield_now().await;
    graceful::stop();
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn hooks_run_in_their_order() {
    let log = Log::new();
    let note = |name: &'static str, seconds: u32| {
        let log = log.clone();
        move || async move {
            sleep(seconds * SECOND).await;
            log.add(name);
        }
    };
    log.expect(&[("before", 1), ("on", 3), ("after, last registered", 4), ("after, first registered", 5)]);
    graceful::before_stop("b", note("before", 1));
    let on = note("on", 2);
    let mut on = Some(on);
    graceful::on_stop("o", move || on.take().expect("it is tried once")());
    graceful::after_stop("first", note("after, first registered", 1));
    graceful::after_stop("last", note("replaced", 1));
    graceful::after_stop("last", note("after, last registered", 1));
    graceful::stop();
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn a_hook_registered_under_the_name_of_a_running_one_runs_too() {
    let log = Log::new();
    log.expect(&[("second", 0), ("first", 2)]);
    graceful::on_stop("flush", move || {
        let log = log.clone();
        async move {
            let second = log.clone();
            graceful::on_stop("flush", move || noted(&second, "second"));
            sleep(2 * SECOND).await;
            log.add("first");
        }
    });
    graceful::stop();
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn hooks_of_one_name_that_come_late_run_side_by_side() {
    let log = Log::new();
    log.expect(&[("one", 2), ("other", 2)]);
    graceful::stop();
    for name in ["one", "other"] {
        let log = log.clone();
        graceful::spawn(name, async move {
            graceful::on_stop("flush", move || {
                let log = log.clone();
                async move {
                    sleep(2 * SECOND).await;
                    log.add(name);
                }
            });
        });
        sleep(Duration::from_millis(10)).await;
    }
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn a_before_stop_hook_registered_under_the_name_of_a_running_one_runs_too() {
    let log = Log::new();
    log.expect(&[("second", 0), ("first", 2), ("told", 2)]);
    told(&log, "told", Stage::Main);
    graceful::before_stop("flush", move || async move {
        let second = log.clone();
        graceful::before_stop("flush", move || noted(&second, "second"));
        sleep(2 * SECOND).await;
        log.add("first");
    });
    graceful::stop();
    graceful::stopping().await;
}

/// A hook that writes down that it ran.
fn noted(log: &Log, what: &'static str) -> impl Future<Output = ()> + use<> {
    let log = log.clone();
    async move { log.add(what) }
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn an_on_stop_hook_is_tried_three_times_with_growing_pauses() {
    let log = Log::new();
    let tries = log.clone();
    let mut left = 3;
    graceful::on_stop("flaky", move || {
        tries.add("try");
        left -= 1;
        let outcome = if left == 0 { Ok(()) } else { Err("not yet") };
        async move { outcome }
    });
    log.expect(&[("try", 0), ("try", 0), ("try", 0)]);
    graceful::stop();
}

#[graceful::test(start_paused = true)]
#[should_panic(expected = "on_stop hook `broken` failed: \"no\"")]
async fn an_on_stop_hook_that_keeps_failing_is_a_failure() {
    graceful::on_stop("broken", || async { Err::<(), _>("no") });
    graceful::stop();
}

#[graceful::test(start_paused = true)]
async fn a_before_stop_hook_that_fails_is_a_warning() {
    graceful::before_stop("broken", || async { Err::<(), _>("no") });
    graceful::before_stop("panics", || async { panic!("no") });
    graceful::stop();
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
#[should_panic(expected = "after_stop hook `hangs` did not end within")]
async fn an_after_stop_hook_that_hangs_leaves_the_others_their_share() {
    let log = Log::new();
    log.expect(&[("other", 4)]);
    let other = log.clone();
    graceful::after_stop("other", move || async move { other.add("other") });
    graceful::after_stop("hangs", pending::<()>);
}

#[graceful::test(start_paused = true)]
#[should_panic(expected = "after_stop hook `panics` panicked: oh")]
async fn a_hook_that_panics_keeps_nobody_from_running() {
    let log = Log::new();
    log.expect(&[("other", 0)]);
    let other = log.clone();
    graceful::after_stop("other", move || async move { other.add("other") });
    graceful::after_stop("panics", || async { panic!("oh") });
}

/// Another task lives; but no thread polls one that could be dropping the result.
#[graceful::test(start_paused = true)]
async fn a_result_that_is_kept_holds_up_no_stop() {
    let worker = graceful::spawn("kept", async { Ok::<_, String>("kept".to_owned()) });
    while !worker.is_finished() {
        tokio::task::yield_now().await;
    }
    graceful::keep(worker);
    tokio::spawn(pending::<()>());
    let began = Instant::now();
    graceful::after_stop("at once", move || async move {
        assert!(began.elapsed() < Duration::from_millis(5));
    });
}

#[graceful::test(start_paused = true)]
async fn a_result_that_was_taken_is_not_waited_for() {
    let worker = graceful::spawn("taken", async { Ok::<_, String>("taken".to_owned()) });
    worker.await.unwrap();
    let began = Instant::now();
    graceful::after_stop("at once", move || async move {
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
}

#[graceful::test(start_paused = true)]
async fn a_hook_registered_after_its_moment_runs_at_once() {
    let log = Log::new();
    log.expect(&[("late before", 1), ("late on", 1)]);
    graceful::stop();
    sleep(SECOND).await;
    let (before, mut on) = (log.clone(), Some(log.clone()));
    graceful::before_stop("b", move || async move { before.add("late before") });
    tokio::task::yield_now().await;
    graceful::on_stop("o", move || {
        let on = on.take();
        async move {
            if let Some(on) = on {
                on.add("late on");
            }
        }
    });
    tokio::task::yield_now().await;
}

#[graceful::test(start_paused = true)]
async fn a_hook_may_spawn_a_worker_which_is_waited_for() {
    let log = Log::new();
    log.expect(&[("worker of a hook", 2)]);
    let worker = log.clone();
    let mut worker = Some(worker);
    graceful::on_stop("spawns", move || {
        let worker = worker.take();
        async move {
            graceful::spawn("w", async move {
                assert!(graceful::is_stopping());
                sleep(2 * SECOND).await;
                if let Some(worker) = worker {
                    worker.add("worker of a hook");
                }
            });
        }
    });
    graceful::stop();
}

#[graceful::test(stop_timeout = "20s", start_paused = true)]
async fn a_hold_keeps_its_stage_open() {
    let log = Log::new();
    told(&log, "late", Stage::Late);
    log.expect(&[("released", 3), ("late", 3)]);
    let hold = graceful::hold("upload");
    assert!(hold.is_held());
    let released = log.clone();
    tokio::spawn(async move {
        sleep(3 * SECOND).await;
        released.add("released");
        drop(hold);
    });
    tokio::task::yield_now().await;
}

#[graceful::test(stop_timeout = "1s", start_paused = true)]
#[should_panic(expected = "upload (tests/stages.rs:")]
async fn a_hold_that_is_never_released_is_named() {
    let hold = graceful::hold("upload");
    tokio::spawn(async move {
        let _hold = hold;
        pending::<()>().await;
    });
}

#[graceful::test(stop_timeout = "10s", start_paused = true)]
#[should_panic(expected = "stuck (tests/stages.rs:")]
async fn later_stages_are_told_at_the_abort_and_may_end_by_themselves() {
    let log = Log::new();
    told(&log, "last", Stage::Last);
    log.expect(&[("last", 9)]);
    graceful::spawn("stuck", pending::<()>());
}

#[graceful::test]
async fn reloads_end_at_the_stop() {
    let mut reloads = graceful::reloads();
    let waiting = tokio::spawn(async move { reloads.recv().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    graceful::stop();
    assert_eq!(waiting.await.unwrap(), None);
}

#[graceful::test(start_paused = true)]
async fn status_counts_and_names() {
    graceful::spawn("ends", async {}).await.unwrap();
    graceful::spawn("waits", async { graceful::stopping().await });
    let _hold = graceful::hold("upload");
    graceful::after_stop("db", || async {});
    tokio::spawn(pending::<()>());
    tokio::task::yield_now().await;
    let status = graceful::status();
    assert_eq!(status.state, State::Starting);
    assert_eq!(status.cause, None);
    let rows: Vec<_> = status.workers.iter().map(|w| (w.name.as_str(), w.live, w.started, w.finished)).collect();
    assert_eq!(rows, [("ends", 0, 1, 1), ("waits", 1, 1, 0)]);
    assert_eq!(status.holds[0].live, 1);
    assert_eq!(status.hooks[0].name, "db");
    assert_eq!(status.untracked, 2, "the one above, and the one that conducts the test's stop");
    graceful::stop();
    let text = graceful::status().to_string();
    assert!(text.starts_with("stopping, up "), "{text}");
    assert!(text.contains("; stop: stop() at tests/stages.rs:"), "{text}");
}
