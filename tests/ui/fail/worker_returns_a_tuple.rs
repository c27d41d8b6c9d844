#[graceful::worker]
async fn consume() -> (u8, String) {
    (3, String::new())
}

fn main() {
    let _ = consume().spawn();
}
