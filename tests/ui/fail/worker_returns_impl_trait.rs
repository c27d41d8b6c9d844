#[graceful::worker]
async fn consume() -> impl std::fmt::Debug {
    ()
}

fn main() {
    let _ = consume().spawn();
}
