#[graceful::worker]
async fn consume(queue: u8);

fn main() {
    let _ = consume(3).spawn();
}
