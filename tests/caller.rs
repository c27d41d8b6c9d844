//! What a caller learns of its own end: `token`, `stopping`, `is_stopping`, `run_until_stopping`.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use graceful::{Stopping, WorkerHandle};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// A waker that does nothing: for polling by hand.
struct Deaf;

impl Wake for Deaf {
    fn wake(self: Arc<Self>) {}
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(&Waker::from(Arc::new(Deaf))))
}

#[graceful::test]
async fn is_stopping_is_true_on_the_line_after_stop() {
    assert!(!graceful::is_stopping());
    graceful::stop();
    assert!(graceful::is_stopping());
    assert!(graceful::token().is_cancelled());
}

#[graceful::test]
async fn a_token_handed_out_before_the_stop_is_cancelled_by_it() {
    let token = graceful::token();
    assert!(!token.is_cancelled());
    graceful::stop();
    token.cancelled().await;
}

#[graceful::test]
async fn is_stopping_follows_the_callers_own_token() {
    graceful::spawn("own", async {
        assert!(!graceful::is_stopping());
        graceful::token().cancel();
        assert!(graceful::is_stopping());
        graceful::stopping().await;
    })
    .await
    .unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test]
async fn cancelling_a_workers_token_stops_it_and_its_children_and_nobody_else() {
    let bystander = graceful::spawn("bystander", graceful_wait());
    let (send, receive) = oneshot::channel();
    let parent = graceful::spawn("parent", async move {
        let child = graceful::spawn("child", graceful_wait());
        let _ = send.send((graceful::token(), child));
        graceful::stopping().await;
    });
    let (token, child) = receive.await.unwrap();
    token.cancel();
    parent.await.unwrap();
    child.await.unwrap();
    assert!(!bystander.is_finished());
    assert!(!graceful::is_stopping());
}

async fn graceful_wait() {
    graceful::stopping().await;
}

#[graceful::test]
async fn stopping_a_handle_stops_the_worker_and_its_children_and_nobody_else() {
    let bystander = graceful::spawn("bystander", graceful_wait());
    let (send, receive) = oneshot::channel();
    let parent = graceful::spawn("parent", async move {
        let grandchild = graceful::spawn("child", async {
            graceful::spawn("grandchild", graceful_wait()).await.unwrap();
        });
        let _ = send.send(grandchild);
        graceful::stopping().await;
    });
    let child = receive.await.unwrap();
    parent.stop();
    parent.await.unwrap();
    child.await.unwrap();
    assert!(!bystander.is_finished());
}

#[graceful::test(start_paused = true)]
async fn stopping_the_handle_of_a_worker_that_has_returned_stops_its_children() {
    let (send, receive) = oneshot::channel();
    let parent = graceful::spawn("parent", async move {
        let _ = send.send(graceful::spawn("child", graceful_wait()));
    });
    let child = receive.await.unwrap();
    // Until nothing runs.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!parent.is_finished(), "what it has started has not ended");
    assert!(!child.is_finished());
    parent.stop();
    let told = tokio::time::timeout(Duration::from_secs(1), child).await;
    told.expect("it is told").unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test(start_paused = true)]
async fn stopping_the_handle_of_a_worker_that_has_returned_stops_the_children_of_children_that_have() {
    let (send, receive) = oneshot::channel();
    let grandparent = graceful::spawn("grandparent", async move {
        graceful::spawn("parent", async move {
            let _ = send.send(graceful::spawn("child", graceful_wait()));
        });
    });
    let child = receive.await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!child.is_finished());
    grandparent.stop();
    let told = tokio::time::timeout(Duration::from_secs(1), child).await;
    told.expect("it is told").unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test]
async fn a_worker_stopped_before_its_first_poll_learns_of_it() {
    let handle = graceful::spawn("early", async {
        assert!(graceful::is_stopping());
        assert_eq!(graceful::run_until_stopping(pending::<()>()).await, None);
    });
    handle.stop();
    handle.await.unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test]
async fn a_child_stopped_before_its_first_poll_learns_of_it() {
    graceful::spawn("parent", async {
        let child = graceful::spawn("child", async {
            assert!(graceful::is_stopping());
            graceful::token().cancelled().await;
        });
        child.stop();
        child.await.unwrap();
        assert!(!graceful::is_stopping());
    })
    .await
    .unwrap();
}

#[graceful::test]
async fn a_child_that_waits_is_stopped_through_its_handle() {
    graceful::spawn("parent", async {
        let child = graceful::spawn("child", graceful_wait());
        let sibling = graceful::spawn("sibling", graceful_wait());
        tokio::task::yield_now().await;
        child.stop();
        child.await.unwrap();
        assert!(!graceful::is_stopping() && !sibling.is_finished());
        sibling.stop();
    })
    .await
    .unwrap();
}

#[graceful::test]
async fn a_child_whose_parent_is_stopped_before_its_first_poll_learns_of_it() {
    graceful::spawn("parent", async {
        let child = graceful::spawn("child", async {
            assert!(graceful::is_stopping());
            graceful::stopping().await;
        });
        graceful::token().cancel();
        child.await.unwrap();
    })
    .await
    .unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stopped_in_the_middle_of_a_poll_learns_of_it() {
    let entered = Arc::new(AtomicBool::new(false));
    let handle = graceful::spawn("spin", {
        let entered = Arc::clone(&entered);
        async move {
            entered.store(true, Ordering::Release);
            while !graceful::is_stopping() {
                std::hint::spin_loop();
            }
        }
    });
    while !entered.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    handle.stop();
    handle.await.unwrap();
}

/// A worker that waits, and a `stopping` made by it.
async fn maker() -> (WorkerHandle<()>, Stopping) {
    let (send, receive) = oneshot::channel();
    let handle = graceful::spawn("maker", async move {
        let _ = send.send(graceful::stopping());
        graceful::stopping().await;
    });
    (handle, receive.await.unwrap())
}

#[graceful::test]
async fn stopping_means_its_maker_when_another_task_polls_it() {
    let (maker, makers) = maker().await;
    let elsewhere = tokio::spawn(makers);
    tokio::task::yield_now().await;
    assert!(!elsewhere.is_finished());
    maker.stop();
    elsewhere.await.unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test]
async fn stopping_means_its_maker_when_another_worker_polls_it() {
    let (maker, makers) = maker().await;
    let other = graceful::spawn("other", makers);
    tokio::task::yield_now().await;
    assert!(!other.is_finished());
    maker.stop();
    other.await.unwrap();
    assert!(!graceful::is_stopping());
}

#[graceful::test]
async fn stopping_is_heard_inside_a_set_of_futures() {
    // A set polls a member only when that member's own waker was called.
    let handle = graceful::spawn("set", async {
        let mut set: FuturesUnordered<_> = (0..3).map(|_| graceful::stopping()).collect();
        while set.next().await.is_some() {}
    });
    tokio::task::yield_now().await;
    handle.stop();
    handle.await.unwrap();
}

#[graceful::test]
async fn a_wait_begun_before_the_token_was_asked_for_hears_the_token() {
    let (send, receive) = oneshot::channel();
    let handle = graceful::spawn("both", async move {
        let ask = async {
            tokio::task::yield_now().await;
            let _ = send.send(graceful::token());
            pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = graceful::stopping() => {}
            () = ask => {}
        }
    });
    receive.await.unwrap().cancel();
    handle.await.unwrap();
}

#[graceful::test]
async fn a_token_asked_for_in_the_very_poll_that_began_to_wait_is_heard() {
    let (send, receive) = oneshot::channel();
    let handle = graceful::spawn("both", async move {
        tokio::select! {
            biased;
            () = graceful::stopping() => {}
            () = async {
                let _ = send.send(graceful::token());
                pending::<()>().await;
            } => {}
        }
    });
    receive.await.unwrap().cancel();
    handle.await.unwrap();
}

#[graceful::test]
async fn an_untracked_task_and_a_blocking_closure_find_the_lifecycle() {
    graceful::stop();
    assert!(tokio::spawn(async { graceful::is_stopping() }).await.unwrap());
    assert!(tokio::task::spawn_blocking(graceful::is_stopping).await.unwrap());
}

#[graceful::test]
async fn a_token_of_an_untracked_task_stops_nobody_else() {
    tokio::spawn(async { graceful::token().cancel() }).await.unwrap();
    assert!(!graceful::is_stopping());
    graceful::spawn("worker", async { assert!(!graceful::is_stopping()) }).await.unwrap();
}

#[graceful::test]
async fn a_blocking_worker_is_told_to_stop() {
    let handle = graceful::spawn_blocking("crunch", || {
        while !graceful::is_stopping() {
            std::thread::yield_now();
        }
    });
    handle.stop();
    handle.await.unwrap();
}

#[graceful::test(start_paused = true)]
async fn a_token_asked_for_by_an_untracked_task_hears_of_the_stop() {
    let token = tokio::spawn(async { graceful::token() }).await.unwrap();
    assert!(!token.is_cancelled());
    graceful::stop();
    let told = tokio::time::timeout(Duration::from_secs(1), token.cancelled()).await;
    told.expect("it is told");
}

#[graceful::test(start_paused = true)]
async fn several_workers_can_be_stopped_before_they_have_begun() {
    let told = async || graceful::stopping().await;
    let handles = ["one", "two", "three"].map(|name| graceful::spawn(name, told()));
    handles.iter().for_each(graceful::WorkerHandle::stop);
    for handle in handles {
        let ended = tokio::time::timeout(Duration::from_secs(1), handle).await;
        ended.expect("it is told").unwrap();
    }
}

#[graceful::test]
async fn a_thread_that_enters_the_runtime_finds_its_lifecycle_and_no_other() {
    // One that has come and gone changes nothing.
    let another = std::thread::spawn(|| {
        let builder = graceful::Builder::new().current_thread();
        graceful::__private::test(builder, async {});
    });
    another.join().unwrap();
    let runtime = tokio::runtime::Handle::current();
    let beside = std::thread::spawn(move || {
        let before = graceful::hold("nothing").is_held();
        let _entered = runtime.enter();
        (before, graceful::hold("beside").is_held())
    });
    assert_eq!(beside.join().unwrap(), (false, true));
}

#[test]
fn outside_any_lifecycle_reads_are_inert() {
    assert!(!graceful::is_stopping());
    assert!(!graceful::token().is_cancelled());
    assert!(poll_once(graceful::stopping()).is_pending());
    assert_eq!(poll_once(graceful::run_until_stopping(async { 7 })), Poll::Ready(Some(7)));
    assert_eq!(graceful::state(), graceful::State::Starting);
    assert!(!graceful::is_ready());
    assert!(graceful::cause().is_none());
    assert_eq!(graceful::remaining(), None);
    assert!(poll_once(graceful::until_remaining(std::time::Duration::MAX)).is_pending());
    assert!(poll_once(graceful::wait_for(graceful::State::Starting)).is_pending());
    assert!(poll_once(graceful::idle()).is_ready());
    assert!(!graceful::hold("nothing").is_held());
}

#[graceful::test]
async fn run_until_stopping_does_not_begin_what_it_would_not_finish() {
    graceful::stop();
    let polled = AtomicBool::new(false);
    let result = graceful::run_until_stopping(async { polled.store(true, Ordering::Relaxed) }).await;
    assert_eq!(result, None);
    assert!(!polled.load(Ordering::Relaxed));
}

#[graceful::test(start_paused = true)]
async fn run_until_stopping_loses_no_output_that_is_ready_at_the_stop() {
    let (send, receive) = oneshot::channel();
    let handle = graceful::spawn("receive", async {
        assert_eq!(graceful::run_until_stopping(receive).await, Some(Ok(7)));
    });
    tokio::task::yield_now().await;
    send.send(7).unwrap();
    graceful::stop();
    handle.await.unwrap();
}

#[graceful::test(start_paused = true)]
async fn run_until_stopping_ends_a_wait() {
    let began = Instant::now();
    let handle = graceful::spawn("wait", async {
        assert_eq!(graceful::run_until_stopping(sleep(Duration::from_secs(60))).await, None);
    });
    sleep(Duration::from_secs(1)).await;
    graceful::stop();
    handle.await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[graceful::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_stop_is_missed_by_a_worker_that_is_just_sitting_down() {
    for _ in 0..2_000 {
        let handle = graceful::spawn("sit", graceful_wait());
        let other = tokio::spawn(async move {
            handle.stop();
            handle.await
        });
        other.await.unwrap().unwrap();
    }
    let handles: Vec<_> = (0..10_000).map(|_| graceful::spawn("many", graceful_wait())).collect();
    graceful::stop();
    for handle in handles {
        handle.await.unwrap();
    }
}

#[graceful::test]
async fn stopping_made_by_a_worker_that_is_stopped_means_that_for_ever() {
    let (send, receive) = oneshot::channel();
    let handle = graceful::spawn("stopped", async move {
        let before = graceful::stopping();
        graceful::stopping().await;
        let _ = send.send((before, graceful::stopping()));
    });
    tokio::task::yield_now().await;
    handle.stop();
    handle.await.unwrap();
    let (before, after) = receive.await.unwrap();
    before.await;
    after.await;
    assert!(!graceful::is_stopping());
}

#[graceful::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_anothers_result_leaves_a_worker_who_it_is() {
    graceful::spawn("outer", async {
        let other = graceful::spawn("other", async { Ok::<_, String>("a result with a destructor".to_owned()) });
        while !other.is_finished() {
            tokio::task::yield_now().await;
        }
        drop(other);
        graceful::token().cancel();
        assert!(graceful::is_stopping());
        graceful::stopping().await;
    })
    .await
    .unwrap();
    assert!(!graceful::is_stopping());
}
