#[graceful::worker]
async fn consume(shared: std::rc::Rc<u8>) {
    tokio::task::yield_now().await;
    drop(shared);
}

fn main() {
    let _ = consume(std::rc::Rc::new(3)).spawn();
}
