#[graceful::worker(every = "60s", essential)]
async fn consume() {}

fn main() {
    let _ = consume().spawn();
}
