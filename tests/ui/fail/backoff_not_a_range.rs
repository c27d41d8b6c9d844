#[graceful::worker(on_failure = "restart", backoff = "10s")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
