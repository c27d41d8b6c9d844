#[graceful::worker(on_failure = "restart", backoff = "10s..100ms")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
