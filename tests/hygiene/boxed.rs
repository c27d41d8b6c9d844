//! A worker in a box has a type with a name: fields, lists and traits hold it, spawn it and change it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use graceful::{BoxWorker, OnFailure, Worker};

type Answer = Result<u8, String>;

#[graceful::worker]
async fn waits(answer: u8) -> Answer {
    graceful::stopping().await;
    Ok(answer)
}

#[graceful::worker(blocking)]
fn blocks(answer: u8) -> Answer {
    answer.checked_add(0).ok_or_else(String::new)
}

#[graceful::worker(on_failure = "restart", backoff = "1ms..1ms")]
async fn comes_back(runs: Arc<AtomicU32>) -> Answer {
    if runs.fetch_add(1, Ordering::Relaxed) == 0 { Err("once".to_owned()) } else { Ok(3) }
}

/// What has a worker of its own.
trait Part {
    fn worker(&self) -> BoxWorker<Answer>;
}

struct Waits(u8);

impl Part for Waits {
    fn worker(&self) -> BoxWorker<Answer> {
        waits(self.0).named("waits-in-a-box").boxed()
    }
}

struct Blocks;

impl Part for Blocks {
    fn worker(&self) -> BoxWorker<Answer> {
        blocks(2).boxed()
    }
}

/// A worker for later.
struct Held {
    worker: Option<BoxWorker<Answer>>,
}

#[graceful::test]
async fn a_list_of_parts_is_spawned() {
    let parts: Vec<Box<dyn Part>> = vec![Box::new(Waits(1)), Box::new(Blocks)];
    let handles: Vec<_> = parts.iter().map(|part| part.worker().spawn()).collect();
    assert_eq!(handles[0].name(), "waits-in-a-box");
    let mut answers = Vec::new();
    for handle in handles {
        handle.stop();
        answers.push(handle.await.unwrap());
    }
    assert_eq!(answers, [1, 2]);
}

#[graceful::test]
async fn a_held_one_is_changed_spawned_and_restarted() {
    let runs = Arc::default();
    let mut held = Held { worker: Some(comes_back(Arc::clone(&runs)).boxed()) };
    let worker = held.worker.take().unwrap().stop_timeout(Duration::from_secs(1)).on_failure(OnFailure::Restart);
    assert_eq!(worker.spawn().await.unwrap(), 3);
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[graceful::test]
async fn one_that_is_awaited_runs_right_here() {
    let made = Worker::new("made", || async { Ok::<u8, String>(4) }).boxed();
    assert_eq!((made.await, blocks(5).boxed().await), (Ok(4), Ok(5)));
}

#[graceful::test]
#[should_panic(expected = "this worker cannot be restarted")]
async fn one_that_runs_once_cannot_be_restarted() {
    let _ = waits(1).boxed().on_failure(OnFailure::Restart);
}
