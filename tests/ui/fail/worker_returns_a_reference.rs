#[graceful::worker]
async fn consume() -> &'static str {
    "done"
}

fn main() {
    let _ = consume().spawn();
}
