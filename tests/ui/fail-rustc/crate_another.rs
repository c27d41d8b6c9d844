#[graceful::main(crate = tokio, stop_timeout = "5s")]
async fn main() {
    consume().spawn();
}

#[graceful::worker(crate = tokio, stop = "early")]
async fn consume() -> Result<(), String> {
    Ok(())
}
