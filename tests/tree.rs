//! A worker's life includes what it has started: stop, abort, wait, time out, restart and fail by subtree.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graceful::{OnFailure, OnTimeout, Stage, WorkerError, WorkerHandle};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);

/// How many are alive, and the most that were at once.
#[derive(Clone, Default)]
struct Alive(Arc<(AtomicUsize, AtomicUsize)>);

impl Alive {
    fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    fn count(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

struct Inside(Alive);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends a while after it is told to stop.
async fn lingers(alive: Alive, after: Duration) {
    let _inside = alive.enter();
    graceful::stopping().await;
    sleep(after).await;
}

/// Never ends by itself.
async fn stuck(alive: Alive) {
    let _inside = alive.enter();
    std::future::pending::<()>().await;
}

#[graceful::worker(on_failure = "restart", backoff = "100ms..100ms")]
async fn fails_with_a_helper(alive: Alive, runs: Arc<AtomicUsize>) -> Result<(), &'static str> {
    graceful::spawn("helper", lingers(alive.clone(), SECOND));
    sleep(TENTH).await;
    if runs.fetch_add(1, Ordering::SeqCst) == 15 {
        return Ok(());
    }
    Err("no luck")
}

#[graceful::test(start_paused = true)]
async fn a_restart_begins_when_what_the_last_run_started_has_ended() {
    let (alive, runs) = (Alive::default(), Arc::new(AtomicUsize::new(0)));
    let handle = fails_with_a_helper(alive.clone(), Arc::clone(&runs)).spawn();
    while runs.load(Ordering::SeqCst) < 16 {
        sleep(TENTH).await;
    }
    assert_eq!(alive.most(), 1, "no two generations at once");
    sleep(TENTH).await;
    assert!(!handle.is_finished(), "the last run returned well: its helper goes on");
    handle.stop();
    handle.await.unwrap();
    assert_eq!(alive.count(), 0);
}

#[graceful::worker(every = "1s")]
async fn ticks(alive: Alive, begun: mpsc::UnboundedSender<Instant>) {
    let _ = begun.send(Instant::now());
    graceful::spawn("sweep", async move {
        let _inside = alive.enter();
        sleep(Duration::from_millis(2500)).await;
    });
}

#[graceful::test(start_paused = true)]
async fn the_next_tick_comes_when_what_the_last_one_started_has_ended() {
    let (alive, (begun, mut ticks_begun)) = (Alive::default(), mpsc::unbounded_channel());
    let handle = ticks(alive.clone(), begun).spawn();
    let first = ticks_begun.recv().await.unwrap();
    let second = ticks_begun.recv().await.unwrap();
    assert_eq!((second - first).as_secs(), 3, "two were missed");
    assert_eq!(alive.most(), 1);
    handle.stop();
    handle.await.unwrap();
    assert_eq!(alive.count(), 0);
}

#[graceful::test(start_paused = true)]
async fn a_component_that_is_replaced_is_gone_before_the_next_one_begins() {
    let alive = Alive::default();
    let sink = |alive: Alive| async move {
        for _ in 0..3 {
            graceful::spawn("connection", lingers(alive.clone(), 3 * TENTH));
        }
        graceful::stopping().await;
    };
    let old = graceful::spawn("sink", sink(alive.clone()));
    sleep(TENTH).await;
    old.stop();
    old.await.unwrap();
    assert_eq!(alive.count(), 0);
    let new = graceful::spawn("sink", sink(alive.clone()));
    sleep(TENTH).await;
    assert_eq!(alive.most(), 3);
    new.stop();
    new.await.unwrap();
}

#[graceful::test(start_paused = true)]
async fn a_handle_stops_what_a_worker_has_started_when_its_body_has_returned() {
    let alive = Alive::default();
    let mut parent = graceful::spawn("parent", {
        let alive = alive.clone();
        async move {
            graceful::spawn("child", async move {
                graceful::spawn("grandchild", lingers(alive, TENTH));
            });
        }
    });
    assert!(timeout(SECOND, &mut parent).await.is_err(), "it has not ended");
    parent.stop();
    parent.await.unwrap();
    assert_eq!(alive.count(), 0);
}

#[graceful::test(start_paused = true)]
async fn an_abort_reaches_the_subtree() {
    let alive = Alive::default();
    let parent = graceful::spawn("parent", {
        let alive = alive.clone();
        async move {
            graceful::spawn("child", {
                let alive = alive.clone();
                async move {
                    graceful::spawn("grandchild", stuck(alive));
                }
            });
            stuck(alive).await;
        }
    });
    sleep(TENTH).await;
    assert_eq!(alive.count(), 2);
    parent.abort();
    assert!(matches!(timeout(SECOND, parent).await.unwrap(), Err(WorkerError::Aborted)));
    assert_eq!(alive.count(), 0);
    graceful::idle().await;
}

#[graceful::test(start_paused = true)]
async fn a_worker_that_has_returned_can_be_aborted_with_what_it_has_started() {
    let alive = Alive::default();
    let parent = graceful::spawn("parent", {
        let alive = alive.clone();
        async move {
            graceful::spawn("child", stuck(alive));
        }
    });
    sleep(TENTH).await;
    parent.abort();
    timeout(SECOND, parent).await.unwrap().unwrap();
    assert_eq!(alive.count(), 0);
}

#[graceful::test(start_paused = true)]
async fn a_worker_that_is_aborted_before_its_first_poll_never_runs() {
    let alive = Alive::default();
    let worker = graceful::spawn("worker", stuck(alive.clone()));
    worker.abort();
    assert!(matches!(worker.await, Err(WorkerError::Aborted)));
    assert_eq!(alive.most(), 0);
}

#[graceful::test(start_paused = true)]
async fn the_bound_of_a_worker_covers_what_it_has_started() {
    let alive = Alive::default();
    let worker = graceful::Worker::new("part", {
        let alive = alive.clone();
        move || {
            let alive = alive.clone();
            async move {
                graceful::spawn("helper", stuck(alive));
                graceful::stopping().await;
            }
        }
    });
    let part = worker.stop_timeout(5 * TENTH).on_failure(OnFailure::Log).spawn();
    sleep(TENTH).await;
    let told = Instant::now();
    part.stop();
    part.await.unwrap();
    assert_eq!(told.elapsed().as_millis() / 100, 5);
    assert_eq!(alive.count(), 0);
}

#[graceful::test(start_paused = true)]
async fn a_body_that_fails_has_what_it_has_started_told_to_stop() {
    for panics in [false, true] {
        let alive = Alive::default();
        let part = graceful::Worker::new("part", {
            let alive = alive.clone();
            move || {
                let alive = alive.clone();
                async move {
                    graceful::spawn("helper", lingers(alive, TENTH));
                    tokio::task::yield_now().await;
                    assert!(!panics, "on purpose");
                    Err::<(), _>("on purpose")
                }
            }
        });
        let ended = timeout(SECOND, part.on_failure(OnFailure::Log).spawn()).await.unwrap();
        assert!(ended.is_err());
        assert_eq!((alive.count(), alive.most()), (0, 1));
    }
}

/// A part with two workers below it: a sibling, and a helper that may fail.
fn part(
    alive: Alive,
    runs: Arc<AtomicUsize>,
    fail: mpsc::UnboundedReceiver<()>,
) -> graceful::Worker<impl graceful::Body<Output = ()>> {
    let fail = Arc::new(tokio::sync::Mutex::new(fail));
    graceful::Worker::new("part", move || {
        let (alive, runs, fail) = (alive.clone(), Arc::clone(&runs), Arc::clone(&fail));
        async move {
            runs.fetch_add(1, Ordering::SeqCst);
            graceful::spawn("sibling", lingers(alive.clone(), TENTH));
            graceful::spawn("helper", async move {
                let _inside = alive.enter();
                match fail.lock().await.recv().await {
                    Some(()) => Err("the helper failed"),
                    None => Ok(()),
                }
            });
            graceful::stopping().await;
        }
    })
}

#[graceful::test(start_paused = true)]
async fn a_helpers_failure_restarts_the_part_that_it_belongs_to() {
    let (alive, runs, (fail, failures)) = (Alive::default(), Arc::new(AtomicUsize::new(0)), mpsc::unbounded_channel());
    let part = part(alive.clone(), Arc::clone(&runs), failures).children_on_failure(OnFailure::Parent);
    let part = part.on_failure(OnFailure::Restart).spawn();
    for run in 1..=3 {
        while runs.load(Ordering::SeqCst) < run {
            sleep(TENTH).await;
        }
        sleep(TENTH).await;
        assert_eq!(alive.count(), 2);
        fail.send(()).unwrap();
    }
    while runs.load(Ordering::SeqCst) < 4 {
        sleep(TENTH).await;
    }
    assert_eq!(alive.most(), 2, "the last pair was gone");
    assert!(graceful::cause().is_none());
    part.stop();
    drop(fail);
    part.await.unwrap();
    assert_eq!(alive.count(), 0);
}

#[graceful::test(start_paused = true)]
async fn a_failure_can_be_kept_inside_the_part_that_it_happened_in() {
    let (alive, runs, (fail, failures)) = (Alive::default(), Arc::new(AtomicUsize::new(0)), mpsc::unbounded_channel());
    let part = part(alive.clone(), runs, failures).children_on_failure(OnFailure::Parent);
    let part = part.on_failure(OnFailure::Log).spawn();
    sleep(TENTH).await;
    fail.send(()).unwrap();
    let Err(WorkerError::ChildFailed(text)) = part.await else {
        panic!("it has failed by its helper");
    };
    assert_eq!(text, "worker `part` failed: worker `helper` failed: \"the helper failed\"");
    assert_eq!(alive.count(), 0);
    assert!(graceful::cause().is_none());
}

#[graceful::worker(on_failure = "parent")]
async fn passes_it_up(after: Duration) -> Result<(), &'static str> {
    sleep(after).await;
    Err("deep down")
}

#[graceful::test(start_paused = true)]
async fn a_failure_goes_up_until_a_policy_deals_with_it() {
    let top = graceful::Worker::new("top", || async {
        let middle = graceful::Worker::new("middle", || async {
            passes_it_up(TENTH).spawn();
            graceful::stopping().await;
        });
        middle.on_failure(OnFailure::Parent).spawn();
        graceful::stopping().await;
    });
    let ended = top.on_failure(OnFailure::Log).spawn().await;
    let Err(WorkerError::ChildFailed(text)) = ended else {
        panic!("{ended:?}");
    };
    assert!(text.contains("`top` failed: worker `middle` failed: worker `passes_it_up` failed"), "{text}");
    assert!(graceful::cause().is_none());
}

#[graceful::test(start_paused = true)]
async fn a_failure_of_what_a_worker_started_that_has_returned_is_its_own() {
    let top = graceful::Worker::new("top", || async {
        passes_it_up(TENTH).spawn();
    });
    top.on_failure(OnFailure::Log).spawn().await.unwrap();
    assert!(graceful::cause().is_none(), "it was logged");
}

#[graceful::test(start_paused = true)]
#[should_panic = "deep down"]
async fn without_a_parent_it_is_the_process_that_fails() {
    passes_it_up(TENTH).spawn();
    graceful::stopping().await;
}

#[graceful::test(start_paused = true)]
async fn an_overrun_that_is_tolerated_is_no_failure() {
    let alive = Alive::default();
    let worker = graceful::Worker::new("client", {
        let alive = alive.clone();
        move || stuck(alive.clone())
    });
    let slow = worker.stop_timeout(TENTH).on_timeout(OnTimeout::Log).spawn();
    sleep(TENTH).await;
    graceful::stop();
    assert!(matches!(slow.await, Err(WorkerError::Aborted)));
    assert_eq!(alive.count(), 0);
}

#[graceful::test(start_paused = true)]
async fn an_overrun_apart_from_the_stop_is_what_the_policy_says() {
    let worker = graceful::Worker::new("client", || stuck(Alive::default()));
    let slow = worker.stop_timeout(TENTH).on_failure(OnFailure::Log).spawn();
    sleep(TENTH).await;
    slow.stop();
    assert!(matches!(slow.await, Err(WorkerError::Aborted)));
    graceful::stop();
}

#[graceful::test(start_paused = true)]
async fn a_child_of_another_stage_is_nobodys_child() {
    let alive = Alive::default();
    let (send, receive) = oneshot::channel::<WorkerHandle<()>>();
    let parent = graceful::spawn("parent", {
        let alive = alive.clone();
        async move {
            let child = graceful::Worker::new("child", move || lingers(alive.clone(), TENTH));
            let _ = send.send(child.stage(Stage::Late).spawn());
        }
    });
    parent.await.unwrap();
    let child = receive.await.unwrap();
    sleep(TENTH).await;
    assert_eq!(alive.count(), 1);
    child.stop();
    child.await.unwrap();
}

#[graceful::test(start_paused = true)]
async fn a_worker_that_waits_for_its_children_is_seen_so() {
    let parent = graceful::spawn("serve", async {
        graceful::spawn("connection", async {
            graceful::spawn("query", lingers(Alive::default(), TENTH));
            graceful::stopping().await;
        });
    });
    sleep(TENTH).await;
    let status = graceful::status();
    let worker = |name: &str| status.workers.iter().find(|worker| worker.name == name).unwrap();
    assert_eq!((worker("serve").live, worker("serve").waiting), (1, 1));
    assert_eq!((worker("connection").live, worker("connection").waiting), (1, 0));
    assert_eq!(worker("query").parents, ["serve", "connection"]);
    assert!(status.to_string().contains("serve > connection > query"), "{status}");
    parent.stop();
    parent.await.unwrap();
}

#[graceful::test(start_paused = true)]
async fn a_worker_that_is_started_here_and_there_has_no_path() {
    let everywhere = || graceful::Worker::new("everywhere", || async {});
    graceful::spawn("parent", async move {
        everywhere().spawn();
    })
    .await
    .unwrap();
    let parents =
        || graceful::status().workers.iter().find(|worker| worker.name == "everywhere").unwrap().parents.clone();
    assert_eq!(parents(), ["parent"]);
    everywhere().spawn().await.unwrap();
    assert!(parents().is_empty());
}

#[graceful::test]
async fn a_child_of_a_blocking_worker_is_part_of_it() {
    let alive = Alive::default();
    let parent = graceful::spawn_blocking("parent", {
        let alive = alive.clone();
        move || {
            graceful::spawn("child", lingers(alive, TENTH));
        }
    });
    while alive.count() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!parent.is_finished());
    parent.stop();
    parent.await.unwrap();
    assert_eq!(alive.count(), 0);
}

#[graceful::test(start_paused = true)]
async fn idle_deep_down_does_not_wait_for_the_workers_above() {
    let (send, receive) = oneshot::channel();
    graceful::spawn("a", async {
        graceful::spawn("b", async {
            graceful::spawn("c", async {
                graceful::spawn("d", sleep(SECOND));
                graceful::spawn("e", async {
                    sleep(2 * TENTH).await;
                    graceful::idle().await;
                    let _ = send.send(());
                });
            });
            // Returns last.
            sleep(2 * SECOND).await;
        });
    });
    let began = Instant::now();
    timeout(10 * SECOND, receive).await.expect("it resolves").unwrap();
    assert_eq!(began.elapsed().as_secs(), 2);
}

/// Returns, and leaves a child behind that never ends.
fn leaves_one_stuck(alive: Alive) -> graceful::Worker<impl graceful::Body<Output = Result<(), String>>> {
    graceful::Worker::new("part", move || {
        let alive = alive.clone();
        async move {
            graceful::spawn("helper", stuck(alive));
            Ok(())
        }
    })
}

#[graceful::test(start_paused = true)]
async fn an_abort_reaches_the_subtree_of_a_run_that_has_returned() {
    let alive = Alive::default();
    let part = leaves_one_stuck(alive.clone()).on_failure(OnFailure::Restart).spawn();
    sleep(TENTH).await;
    part.abort();
    timeout(SECOND, part).await.unwrap().expect("its own result");
    assert_eq!((alive.count(), alive.most()), (0, 1));
    graceful::idle().await;
}

#[graceful::test(start_paused = true)]
async fn an_abort_from_above_reaches_the_subtree_of_a_run_that_has_returned() {
    let alive = Alive::default();
    let top = graceful::spawn("top", {
        let alive = alive.clone();
        async move {
            leaves_one_stuck(alive.clone()).stop_timeout(SECOND).spawn();
            stuck(alive).await;
        }
    });
    sleep(TENTH).await;
    top.abort();
    assert!(timeout(TENTH, top).await.unwrap().is_err());
    assert_eq!((alive.count(), alive.most()), (0, 2));
}

#[graceful::test(start_paused = true)]
async fn a_worker_that_is_aborted_before_its_restart_does_not_come_again() {
    let (alive, runs) = (Alive::default(), Arc::new(AtomicUsize::new(0)));
    let part = graceful::Worker::new("part", {
        let (alive, runs) = (alive.clone(), Arc::clone(&runs));
        move || {
            runs.fetch_add(1, Ordering::SeqCst);
            let alive = alive.clone();
            async move {
                graceful::spawn("helper", stuck(alive));
                tokio::task::yield_now().await;
                Err::<(), _>("on purpose")
            }
        }
    });
    let part = part.on_failure(OnFailure::Restart).spawn();
    sleep(TENTH).await;
    part.abort();
    assert!(matches!(timeout(SECOND, part).await.unwrap(), Err(WorkerError::Failed("on purpose"))));
    sleep(10 * SECOND).await;
    assert_eq!((alive.count(), runs.load(Ordering::SeqCst)), (0, 1));
    assert!(graceful::cause().is_none());
}

#[graceful::worker(on_failure = "restart", max_restarts = 1)]
async fn has_two_that_fail(runs: Arc<AtomicUsize>) {
    if runs.fetch_add(1, Ordering::SeqCst) == 0 {
        passes_it_up(TENTH).spawn();
        passes_it_up(2 * TENTH).spawn();
    }
    graceful::stopping().await;
}

#[graceful::test(start_paused = true)]
async fn one_restart_follows_all_that_failed_in_a_run() {
    let runs = Arc::new(AtomicUsize::new(0));
    let part = has_two_that_fail(Arc::clone(&runs)).spawn();
    sleep(SECOND).await;
    assert!(graceful::cause().is_none());
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    part.stop();
    part.await.unwrap();
}

#[graceful::test(start_paused = true)]
async fn a_helpers_failure_is_no_failure_of_a_part_that_is_aborted_meanwhile() {
    for has_another in [false, true] {
        let (fail, failure) = oneshot::channel::<()>();
        let failure = Arc::new(tokio::sync::Mutex::new(Some(failure)));
        let part = graceful::Worker::new("part", move || {
            let failure = Arc::clone(&failure);
            async move {
                if has_another {
                    graceful::spawn("another", stuck(Alive::default()));
                }
                let helper = graceful::Worker::new("helper", move || {
                    let failure = Arc::clone(&failure);
                    async move { failure.lock().await.take().unwrap().await }
                });
                helper.on_failure(OnFailure::Parent).spawn();
                graceful::stopping().await;
            }
        });
        let part = part.on_failure(OnFailure::Restart).spawn();
        sleep(TENTH).await;
        // The helper is polled first.
        drop(fail);
        part.abort();
        assert!(matches!(part.await, Err(WorkerError::Aborted)));
        assert!(graceful::cause().is_none());
    }
}

/// A worker that starts one like itself, and so on.
fn chain(alive: Alive, depth: usize) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if depth > 0 {
            graceful::spawn("link", chain(alive.clone(), depth - 1));
        }
        if depth.is_multiple_of(2) {
            stuck(alive).await;
        }
    })
}

#[graceful::test(start_paused = true)]
async fn an_abort_reaches_the_end_of_a_long_chain_at_once() {
    let alive = Alive::default();
    let top = graceful::spawn("top", chain(alive.clone(), 1000));
    sleep(TENTH).await;
    assert_eq!(alive.count(), 501);
    let began = std::time::Instant::now();
    top.abort();
    assert!(top.await.is_err());
    assert_eq!(alive.count(), 0);
    assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
}

#[graceful::test]
async fn a_blocking_child_is_told_when_a_worker_that_has_returned_is_aborted() {
    let alive = Alive::default();
    let parent = graceful::spawn("parent", {
        let (alive, runtime) = (alive.clone(), tokio::runtime::Handle::current());
        async move {
            graceful::spawn_blocking("child", move || {
                let (_inside, token) = (alive.enter(), graceful::token());
                runtime.block_on(token.cancelled());
            });
        }
    });
    while alive.count() == 0 {
        sleep(TENTH / 10).await;
    }
    sleep(TENTH).await;
    parent.abort();
    timeout(5 * SECOND, parent).await.unwrap().unwrap();
    assert_eq!(alive.count(), 0);
}

/// Waits until so many are alive.
async fn until(alive: &Alive, count: usize) {
    let begun = Instant::now();
    while alive.count() != count {
        assert!(begun.elapsed() < 5 * SECOND, "{} are alive", alive.count());
        sleep(Duration::from_millis(2)).await;
    }
}

#[graceful::test(start_paused = true)]
async fn a_supervised_worker_that_has_returned_can_be_aborted_with_what_it_has_started() {
    let alive = Alive::default();
    let part = graceful::Worker::new("part", {
        let alive = alive.clone();
        move || {
            let alive = alive.clone();
            async move {
                graceful::spawn("child", stuck(alive));
            }
        }
    });
    let part = part.stop_timeout(9 * SECOND).spawn();
    sleep(TENTH).await;
    part.abort();
    let _ = timeout(SECOND, part).await.unwrap();
    assert_eq!(alive.count(), 0);
}

#[graceful::test]
async fn an_abort_of_a_blocking_worker_reaches_what_it_has_started() {
    for returns in [false, true] {
        let (alive, (end, ends)) = (Alive::default(), std::sync::mpsc::channel::<()>());
        let part = graceful::spawn_blocking("part", {
            let alive = alive.clone();
            move || {
                graceful::spawn("child", stuck(alive.clone()));
                if ends.recv().is_err() && !returns {
                    graceful::spawn("later", stuck(alive));
                }
            }
        });
        until(&alive, 1).await;
        let end = Some(end).filter(|_| !returns);
        sleep(TENTH).await;
        part.abort();
        until(&alive, 0).await;
        assert!(returns || !part.is_finished(), "its code goes on");
        drop(end);
        // Its code has ended before what it starts last is polled.
        std::thread::sleep(TENTH);
        let _ = timeout(SECOND, part).await.unwrap();
        assert_eq!(alive.count(), 0);
    }
}

#[graceful::worker(blocking, stop_timeout = "9s")]
fn blocks_with_a_child(alive: Alive, ends: Arc<std::sync::Mutex<std::sync::mpsc::Receiver<()>>>) {
    graceful::spawn("child", stuck(alive));
    let _ = ends.lock().unwrap().recv();
}

#[graceful::test]
async fn an_abort_of_a_supervised_blocking_worker_reaches_what_it_has_started() {
    let (alive, (end, ends)) = (Alive::default(), std::sync::mpsc::channel::<()>());
    let part = blocks_with_a_child(alive.clone(), Arc::new(std::sync::Mutex::new(ends))).spawn();
    until(&alive, 1).await;
    part.abort();
    until(&alive, 0).await;
    assert!(!part.is_finished(), "its closure goes on");
    drop(end);
    let _ = part.await;
}

#[graceful::worker(essential)]
async fn essential() {}

#[graceful::test]
async fn an_essential_child_that_was_told_to_stop_before_it_began_ends_nothing() {
    for aborts in [false, true] {
        let ((tell, told), (end, ends)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
        let parent = graceful::spawn_blocking("parent", move || {
            essential().spawn();
            let _ = tell.send(());
            let _ = ends.recv();
        });
        // This blocks the only thread that could poll it.
        told.recv().unwrap();
        if aborts {
            parent.abort();
        } else {
            parent.stop();
        }
        drop(end);
        let _ = parent.await;
        assert!(graceful::cause().is_none(), "{:?}", graceful::cause());
    }
}

#[graceful::test]
#[should_panic = "a worker says itself that it can be restarted"]
async fn a_part_cannot_ask_for_the_restart_of_all_that_is_below() {
    drop(graceful::Worker::new("part", || async {}).children_on_failure(OnFailure::Restart));
}

/// A chain in which each failure is the failure of the one above.
fn failing_chain(depth: usize) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return Err("at the end".to_owned());
        }
        let link = graceful::Worker::new("link", move || failing_chain(depth - 1));
        link.on_failure(OnFailure::Parent).spawn();
        graceful::stopping().await;
        Ok(())
    })
}

#[graceful::test(start_paused = true)]
async fn a_failure_goes_up_a_long_chain() {
    let top = graceful::Worker::new("top", || failing_chain(500));
    let ended = top.on_failure(OnFailure::Log).spawn().await;
    assert!(matches!(ended, Err(WorkerError::ChildFailed(text)) if text.starts_with("worker `top` failed: ")));
    assert!(graceful::cause().is_none());
}

#[graceful::test(start_paused = true)]
async fn a_restart_waits_no_longer_than_the_workers_own_bound() {
    let (alive, runs) = (Alive::default(), Arc::new(AtomicUsize::new(0)));
    let part = graceful::Worker::new("part", {
        let (alive, runs) = (alive.clone(), Arc::clone(&runs));
        move || {
            let (alive, run) = (alive.clone(), runs.fetch_add(1, Ordering::SeqCst));
            async move {
                if run == 0 {
                    graceful::spawn("helper", stuck(alive));
                    tokio::task::yield_now().await;
                    return Err("on purpose");
                }
                assert_eq!(alive.count(), 0);
                graceful::stopping().await;
                Ok(())
            }
        }
    });
    let part = part.stop_timeout(5 * TENTH).on_failure(OnFailure::Restart).spawn();
    sleep(4 * TENTH).await;
    assert_eq!((alive.count(), runs.load(Ordering::SeqCst)), (1, 1));
    // The pause before a restart is 100 ms at the most.
    sleep(3 * TENTH).await;
    assert_eq!((alive.count(), runs.load(Ordering::SeqCst)), (0, 2));
    part.stop();
    part.await.unwrap();
}

type Handle = WorkerHandle<Result<(), &'static str>>;

/// Aborts the worker of this handle when it is dropped.
struct Aborts(Arc<Mutex<Option<Handle>>>);

impl Drop for Aborts {
    fn drop(&mut self) {
        if let Some(worker) = &*self.0.lock().unwrap() {
            worker.abort();
        }
    }
}

#[graceful::test(start_paused = true)]
async fn a_worker_that_is_aborted_just_after_its_own_bound_does_not_come_again() {
    let (part, runs) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
    let worker = graceful::Worker::new("part", {
        let (part, runs) = (Arc::clone(&part), Arc::clone(&runs));
        move || {
            runs.fetch_add(1, Ordering::SeqCst);
            let aborts = Aborts(Arc::clone(&part));
            async move {
                graceful::spawn("helper", async move {
                    let _aborts = aborts;
                    std::future::pending::<()>().await;
                });
                tokio::task::yield_now().await;
                Err::<(), _>("on purpose")
            }
        }
    });
    let worker = worker.stop_timeout(TENTH).on_timeout(OnTimeout::Log).on_failure(OnFailure::Restart);
    *part.lock().unwrap() = Some(worker.spawn());
    sleep(10 * SECOND).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let part = part.lock().unwrap().take().unwrap();
    assert!(matches!(timeout(SECOND, part).await.unwrap(), Err(WorkerError::Failed("on purpose"))));
    assert!(graceful::cause().is_none());
}
