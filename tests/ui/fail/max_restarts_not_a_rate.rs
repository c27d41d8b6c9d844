#[graceful::worker(on_failure = "restart", max_restarts = "3 per minute")]
async fn consume() {}

fn main() {
    drop(consume());
}
