#[graceful::worker(blocking)]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
