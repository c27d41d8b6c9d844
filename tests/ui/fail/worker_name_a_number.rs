#[graceful::worker(name = 3)]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
