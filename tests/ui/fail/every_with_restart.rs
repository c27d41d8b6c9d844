#[graceful::worker(every = "60s", on_failure = "restart")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
