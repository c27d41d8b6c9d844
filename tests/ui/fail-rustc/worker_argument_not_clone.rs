struct Connection;

#[graceful::worker(on_failure = "restart")]
async fn consume(connection: Connection) -> Result<(), String> {
    drop(connection);
    Ok(())
}

#[graceful::worker(every = "1s")]
async fn sweep(connection: Connection) {
    drop(connection);
}

fn main() {
    consume(Connection).spawn();
    sweep(Connection).spawn();
}

#[graceful::worker(on_failure = "restart")]
async fn show(_text: impl std::fmt::Display + Send + 'static) -> Result<(), String> {
    Ok(())
}

#[graceful::worker(on_failure = "restart")]
async fn drain(mut jobs: tokio::sync::mpsc::Receiver<u8>) -> Result<(), String> {
    jobs.recv().await.map(drop).ok_or_else(String::new)
}
