#[graceful::worker(on_failure = "restart", max_restarts = 5, backoff = "30s..60s")]
async fn consume() {}

#[graceful::worker(on_failure = "restart", max_restarts = "20 in 1m")]
async fn fetch() {}

fn main() {
    drop((consume(), fetch()));
}
