#[graceful::worker]
async fn consume() -> ! {
    loop {}
}

fn main() {
    let _ = consume().spawn();
}
