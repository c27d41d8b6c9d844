#[graceful::worker(on_failure = "restrat")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
