#[graceful::worker]
async fn consume(queue: u8) {
    let next = ;
}

fn main() {
    let _ = consume(3).spawn();
}
