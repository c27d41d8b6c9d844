#[graceful::worker]
async fn consume(topic: &str, rest: Option<&mut [u8]>) -> Result<(), String> {
    let _ = (topic, rest);
    Ok(())
}

fn main() {
    let topic = String::new();
    let _ = consume(&topic, None).spawn();
}
