#[graceful::worker]
async fn consume<'a>(topic: &'a str) -> Result<&'a str, String> {
    Ok(topic)
}

fn main() {
    let topic = String::new();
    let _ = consume(&topic).spawn();
}
