#[graceful::worker(crate = tokio, stop = "early")]
async fn consume() -> Result<(), String> {
    Ok(())
}

fn main() {
    consume().spawn();
}
