#[graceful::worker(stop = "first")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
