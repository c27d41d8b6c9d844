#[graceful::worker(on_failure = "restart", max_restarts = 0)]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
