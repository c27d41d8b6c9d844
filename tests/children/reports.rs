//! Ends about which there is something to report: `reports <case>`. Prints `up` when it can be stopped.

use std::env::args;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fmt, thread};

use graceful::{OnFailure, Stage, Worker, WorkerHandle};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::time::sleep;

/// Forever, as far as a test can tell.
const LONG: Duration = Duration::from_secs(60);

#[graceful::main(stop_timeout = "1500ms", worker_threads = 2)]
async fn main() {
    match args().nth(1).expect("a case").as_str() {
        "round" => round(),
        "itself" => waits_for_itself(),
        "later" => {
            let last = Worker::new("flush", graceful::stopping).stage(Stage::Late);
            let last = last.spawn();
            println!("up");
            let _ = last.await;
        }
        "held_up" => {
            let stuck = graceful::spawn("stuck", pending::<()>());
            let flush = Worker::new("flush", pending::<()>).stage(Stage::Late);
            flush.spawn();
            println!("up");
            let _ = stuck.await;
        }
        "ended" => {
            graceful::spawn("warm-up", async {});
            graceful::spawn("consume", graceful::stopping());
            for is_first in [true, false] {
                graceful::spawn("in turn", async move {
                    if !is_first {
                        graceful::stopping().await;
                    }
                });
            }
            let fails = Worker::new("fails", || async { Err::<(), _>("broken") });
            fails.on_failure(OnFailure::Log).spawn();
            // The next time that somebody looks.
            graceful::spawn("migrate", sleep(Duration::from_millis(1500)));
        }
        "failing" => {
            for number in 0..40 {
                graceful::spawn(&format!("worker {number}"), async { Err::<(), _>("no") });
            }
        }
        "unpolled" => unpolled(),
        "culprit" => {
            let culprit = leaves_a_slow_result().await;
            tokio::spawn(async { drop(culprit) });
            under_way().await;
        }
        "culprit_on_a_thread" => {
            let culprit = leaves_a_slow_result().await;
            thread::spawn(|| drop(culprit));
            under_way().await;
        }
        "wordless" => {
            graceful::spawn("wordless", async { Err::<(), _>(Wordless) });
            under_way().await;
        }
        "retries" => graceful::on_stop("leave", || async { Err::<(), _>("no route") }),
        "pool" => pool(),
        "held" => {
            graceful::spawn("renew", pending::<()>());
            std::mem::forget(graceful::hold("lease"));
        }
        "many" => {
            for number in 0..100 {
                graceful::spawn(&format!("a-worker-with-a-long-name-{number}"), pending::<()>());
            }
        }
        other => panic!("no case {other}"),
    }
    println!("up");
    graceful::stopping().await;
}

/// A child whose turn never comes: both threads are blocked.
fn unpolled() {
    graceful::spawn("parent", async {
        graceful::spawn("child", pending::<()>());
        thread::sleep(LONG);
    });
    graceful::spawn("other", async {
        thread::sleep(LONG);
    });
}

struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        IS_UNDER_WAY.store(true, Ordering::Release);
        thread::sleep(LONG);
    }
}

/// The result of a worker, after which many names have come and gone.
async fn leaves_a_slow_result() -> WorkerHandle<Result<Slow, ()>> {
    let culprit = graceful::spawn(&"culprit".to_owned(), async { Ok::<_, ()>(Slow) });
    for number in 0..300 {
        let other = graceful::spawn(&format!("other-{number}"), async {});
        other.await.expect("it ends well");
    }
    culprit
}

static IS_UNDER_WAY: AtomicBool = AtomicBool::new(false);

async fn under_way() {
    while !IS_UNDER_WAY.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
}

/// An error that takes forever to say what it is.
struct Wordless;

impl fmt::Debug for Wordless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        IS_UNDER_WAY.store(true, Ordering::Release);
        thread::sleep(LONG);
        Ok(())
    }
}

/// Each waits for the next one's handle.
fn round() {
    type Slot = Arc<Mutex<Option<WorkerHandle<()>>>>;
    let slots: [Slot; 3] = Default::default();
    let go = Arc::new(Semaphore::new(0));
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        let (next, go) = (Arc::clone(&slots[(number + 1) % 3]), Arc::clone(&go));
        let handle = graceful::spawn(name, async move {
            let _go = go.acquire().await;
            let next = next.lock().await.take().expect("it was put there");
            let _ = next.await;
        });
        *slots[number].try_lock().expect("nobody waits yet") = Some(handle);
    }
    go.add_permits(3);
}

fn waits_for_itself() {
    static OWN: OnceLock<Mutex<Option<WorkerHandle<()>>>> = OnceLock::new();
    let go = Arc::new(Notify::new());
    let handle = graceful::spawn("lonely", {
        let go = Arc::clone(&go);
        async move {
            go.notified().await;
            let own = OWN.get().expect("it was put there").lock().await.take();
            let _ = own.expect("it is there").await;
        }
    });
    OWN.get_or_init(|| Mutex::new(Some(handle)));
    go.notify_one();
}

/// A pool that closes when all its connections are back, one of which a thread that blocks has.
fn pool() {
    let pool = Arc::new(Semaphore::new(1));
    let connection = Arc::clone(&pool).try_acquire_owned().expect("nobody has it yet");
    graceful::after_stop("pool", move || async move {
        let _all = pool.acquire().await;
    });
    graceful::spawn_blocking("query", move || {
        thread::sleep(LONG);
        drop(connection);
    });
}
