#[graceful::worker(on_failure = "log", backoff = "100ms..10s")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
