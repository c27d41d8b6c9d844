#[graceful::worker(every = "0s")]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
