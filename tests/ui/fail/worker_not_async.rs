#[graceful::worker]
fn consume(queue: u8) -> Result<(), String> {
    std::future::ready(queue).await;
    Ok(())
}

fn main() {
    let _ = consume(3).spawn();
}
