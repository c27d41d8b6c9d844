#[graceful::worker(when_stopping = "reject")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
