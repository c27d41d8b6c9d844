#[graceful::worker(max_restarts = 5)]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
