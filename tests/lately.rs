//! What a status says of workers that fail again and again, of one that is stuck among many, and of one that makes no
//! progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use graceful::{Stage, Worker, WorkerStatus};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

fn row(name: &str) -> WorkerStatus {
    graceful::status().workers.into_iter().find(|worker| worker.name == name).expect("a row")
}

/// What the table says of it.
fn line(name: &str) -> String {
    let table = graceful::status().to_string();
    table.lines().find(|line| line.trim_start().starts_with(name)).expect("a line").to_owned()
}

#[graceful::worker(on_failure = "restart", backoff = "8s..8s")]
async fn flaky() -> Result<(), &'static str> {
    Err("no route to host")
}

#[graceful::test(start_paused = true)]
async fn a_worker_that_waits_for_its_restart_says_so() {
    flaky().spawn();
    sleep(SECOND).await;
    let row = row("flaky");
    assert_eq!((row.live, row.restarting, row.started, row.failed), (1, 1, 1, 1), "no second run has begun");
    assert_eq!((row.restarted, row.restarted_lately), (0, 0));
    // Eight seconds, less a jitter of up to a half, less the one that has passed.
    let next = row.next_restart.expect("a restart");
    assert!((3 * SECOND..=7 * SECOND).contains(&next), "{next:?}");
    let last = row.last_failure.expect("it failed");
    assert_eq!((&*last.text, last.ago), (r#"failed: "no route to host""#, SECOND));
    let line = line("flaky");
    assert!(line.contains("1 restarting, the next in "), "{line}");
    assert!(line.contains(r#"; 1 s ago it failed: "no route to host""#), "{line}");
    assert!(!line.contains("polled just now"), "{line}");

    sleep(20 * SECOND).await;
    let row = self::row("flaky");
    assert!((2..=5).contains(&row.restarted_lately), "{row:?}");
    assert_eq!((row.restarted, row.started), (row.restarted_lately, row.restarted_lately + 1));
    sleep(2 * SECOND).await;
    graceful::stop();
}

#[graceful::test(start_paused = true)]
async fn restarts_are_forgotten_after_a_minute_and_the_last_failure_is_not() {
    let runs = AtomicU32::new(0);
    let flaky = Worker::new("flaky", move || {
        let is_first = runs.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if is_first {
                return Err("not yet");
            }
            graceful::stopping().await;
            Ok(())
        }
    });
    flaky.on_failure(graceful::OnFailure::Restart).spawn();
    sleep(10 * SECOND).await;
    let now = row("flaky");
    assert_eq!((now.live, now.restarting, now.restarted, now.restarted_lately), (1, 0, 1, 1));
    assert_eq!(now.next_restart, None);
    sleep(60 * SECOND).await;
    let later = row("flaky");
    assert_eq!((later.restarted, later.restarted_lately), (1, 0));
    assert_eq!(later.last_failure.expect("it failed").text, r#"failed: "not yet""#);
}

#[graceful::test(start_paused = true)]
async fn one_that_is_aborted_before_its_restart_is_gone() {
    for run in 1..=3 {
        let worker = flaky().spawn();
        sleep(SECOND).await;
        assert_eq!((row("flaky").live, row("flaky").restarting), (1, 1));
        worker.abort();
        let _ = worker.await;
        let row = row("flaky");
        assert_eq!((row.live, row.restarting, row.next_restart), (0, 0, None));
        assert_eq!((row.started, row.aborted), (run, run), "each is counted once: {row:?}");
    }
}

#[graceful::test(start_paused = true)]
async fn a_run_that_is_due_later_has_not_been_started() {
    #[graceful::worker(every = "10s")]
    async fn sweep() -> Result<(), &'static str> {
        Err("no disk")
    }
    sweep().spawn();
    sleep(5 * SECOND).await;
    let now = row("sweep");
    assert_eq!((now.live, now.started, now.failed, now.restarting), (1, 1, 1, 0));
    assert_eq!(now.last_failure.expect("it failed").text, r#"failed: "no disk""#);
    sleep(10 * SECOND).await;
    assert_eq!((row("sweep").live, row("sweep").started), (1, 2));
}

#[graceful::test(start_paused = true)]
async fn a_failure_that_is_logged_is_the_last_failure() {
    let logs = Worker::new("logs", || async { Err::<(), _>("no disk") }).on_failure(graceful::OnFailure::Log);
    let _ = logs.spawn().await;
    assert_eq!(row("logs").last_failure.expect("it failed").text, r#"failed: "no disk""#);
}

/// Looks until it is so. What it waits for is counted in real time.
async fn until(is_so: impl Fn() -> bool, what: &str) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < 20 * SECOND, "{what}: {}", graceful::status());
        sleep(Duration::from_millis(20)).await;
    }
}

#[graceful::worker]
async fn consume(is_stuck: bool) {
    while !graceful::is_stopping() && !is_stuck {
        sleep(Duration::from_millis(10)).await;
    }
    graceful::stopping().await;
}

#[graceful::test]
async fn one_that_is_stuck_is_seen_among_many_that_run() {
    for is_stuck in [false, true, false, false] {
        consume(is_stuck).spawn();
    }
    let longest = || row("consume").activity.longest_unpolled.unwrap_or_default();
    until(|| longest() >= 3 * SECOND, "it is stuck").await;
    let activity = row("consume").activity;
    assert!(activity.last_polled.is_some_and(|ago| ago <= SECOND), "{activity:?}");
    assert!(activity.longest_unpolled.is_some_and(|ago| ago < 5 * SECOND), "{activity:?}");
    // Where a second has just begun, the others have yet to be polled in it.
    until(|| line("consume").contains("waiting, polled just now, one not for "), "the others are not").await;
}

#[graceful::test]
async fn one_that_makes_no_progress_is_seen_although_it_is_polled() {
    let (within, long) = (Duration::from_millis(300), Duration::from_millis(600));
    assert!(graceful::is_progressing(Duration::ZERO), "none says when it makes progress");
    for is_stuck in [false, true, false] {
        graceful::spawn("consume", async move {
            graceful::progress();
            while !graceful::is_stopping() {
                sleep(Duration::from_millis(10)).await;
                if !is_stuck {
                    graceful::progress();
                }
            }
        });
    }
    graceful::spawn("silent", async { graceful::stopping().await });
    until(|| row("consume").activity.since_progress.is_some_and(|since| since >= long), "no progress").await;
    assert!(!graceful::is_progressing(within));
    assert!(graceful::is_progressing(20 * SECOND));
    assert_eq!(row("silent").activity.since_progress, None);
    let line = line("consume");
    assert!(line.contains(", one without progress for "), "{line}");
    graceful::stop();
    until(|| graceful::is_progressing(within), "it has ended").await;
}

#[graceful::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_that_is_made_while_it_is_looked_at_is_new() {
    for _ in 0..2 {
        graceful::spawn("consume", async {
            while !graceful::is_stopping() {
                graceful::progress();
                tokio::task::yield_now().await;
            }
        });
    }
    let begun = std::time::Instant::now();
    while begun.elapsed() < SECOND {
        assert!(graceful::is_progressing(20 * SECOND));
        let longest = row("consume").activity.longest_unpolled.unwrap_or_default();
        assert!(longest < 20 * SECOND, "{longest:?}");
    }
}

#[graceful::test]
async fn progress_of_main_counts_and_that_of_a_task_does_not() {
    tokio::spawn(async { graceful::progress() }).await.unwrap();
    assert!(graceful::is_progressing(Duration::ZERO));
    graceful::progress();
    until(|| !graceful::is_progressing(Duration::from_millis(50)), "main").await;
    graceful::progress();
    assert!(graceful::is_progressing(5 * SECOND));
}

#[graceful::test(start_paused = true)]
async fn idle_does_not_wait_for_workers_that_only_serve_others() {
    for stage in [Stage::Late, Stage::Last] {
        Worker::new("serves", graceful::stopping).stage(stage).spawn();
    }
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    graceful::spawn("import", async move { told.notified().await });
    let early = Worker::new("early", || sleep(2 * SECOND)).stage(Stage::Early);
    early.spawn();
    let idle = tokio::spawn(graceful::idle());
    sleep(SECOND).await;
    go.notify_one();
    sleep(Duration::from_millis(500)).await;
    assert!(!idle.is_finished(), "the early one is left");
    sleep(SECOND).await;
    assert!(idle.is_finished());
    assert_eq!(graceful::status().workers.iter().map(|worker| worker.live).sum::<u64>(), 2);
}

#[graceful::test(start_paused = true)]
async fn idle_in_a_worker_that_serves_others_waits_for_all_that_do_not() {
    let health = Worker::new("health", graceful::idle).stage(Stage::Last).spawn();
    let import = graceful::spawn("import", sleep(2 * SECOND));
    sleep(SECOND).await;
    assert!(!health.is_finished());
    import.await.unwrap();
    sleep(SECOND).await;
    assert!(health.is_finished());
}
