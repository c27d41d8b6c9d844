use std::rc::Rc;

#[graceful::worker]
async fn consume(from: u8) -> Result<(), String> {
    let shared = Rc::new(from);
    tokio::task::yield_now().await;
    drop(shared);
    Ok(())
}

fn main() {
    let _ = consume(3).spawn();
}
