#[graceful::worker(drain = "5s")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
