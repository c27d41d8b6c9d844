#[graceful::worker]
async fn consume() -> u32 {
    3
}

fn main() {
    let _ = consume().spawn();
}
