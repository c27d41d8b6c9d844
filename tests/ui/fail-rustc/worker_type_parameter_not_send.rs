#[graceful::worker]
async fn consume<T: 'static>(shared: T) {
    tokio::task::yield_now().await;
    drop(shared);
}

fn main() {
    let _ = consume(3).spawn();
}
