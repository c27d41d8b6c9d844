use std::future::Future;
use std::pin::Pin;

#[graceful::worker]
fn plain() -> impl Future<Output = ()> {
    async {}
}

#[graceful::worker(blocking)]
fn blocking() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
    Box::pin(async { Ok(()) })
}

#[async_recursion::async_recursion]
#[graceful::worker]
async fn recursive() {}

#[graceful::main]
fn main() -> impl Future<Output = ()> {
    drop((plain(), blocking(), recursive()));
    async {}
}
