//! Workers where functions can be: in bodies, in modules, in themselves.

use std::sync::atomic::{AtomicU32, Ordering};

static DEPTH: AtomicU32 = AtomicU32::new(0);

/// The name in the body is the worker, not its bare body: each level is a worker of its own.
#[graceful::worker]
async fn descend(levels: u32) {
    tokio::task::yield_now().await;
    DEPTH.fetch_add(1, Ordering::Relaxed);
    if levels > 0 {
        drop(descend(levels - 1).spawn());
    }
}

/// Two of them calling each other.
#[graceful::worker]
async fn ping(n: u32) -> Result<u32, String> {
    if n == 0 {
        return Ok(0);
    }
    let next: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move { pong(n - 1).await });
    next.await
}

#[graceful::worker]
async fn pong(n: u32) -> Result<u32, String> {
    if n == 0 {
        return Ok(1);
    }
    Box::pin(ping(n - 1).into_future()).await
}

mod nested {
    #[graceful::worker]
    pub(in crate::places) async fn seen(n: u8) -> Result<u8, String> {
        #[graceful::worker]
        async fn further_in(n: u8) -> Result<u8, String> {
            Ok(n + 1)
        }
        further_in(n).await
    }
}

struct Counter;

impl Counter {
    /// Without `self`, and without `Self`, it is a free function with a longer name.
    #[graceful::worker]
    async fn count(n: u8) -> Result<u8, String> {
        Ok(n + 1)
    }
}

#[graceful::test]
async fn recursion_means_the_worker() {
    descend(3).await;
    graceful::idle().await;
    assert_eq!(DEPTH.load(Ordering::Relaxed), 4);
    assert_eq!(ping(3).await, Ok(1));
}

#[graceful::test]
async fn a_worker_in_a_body_uses_local_types() {
    #[derive(Debug, PartialEq)]
    struct Local(u8);

    #[graceful::worker]
    async fn local(value: Local) -> Result<Local, Local> {
        Ok(Local(value.0 + 1))
    }

    assert_eq!(local(Local(1)).await, Ok(Local(2)));
    assert_eq!(nested::seen(1).await, Ok(2));
    assert_eq!(Counter::count(1).await, Ok(2));
}
