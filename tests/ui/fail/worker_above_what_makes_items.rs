#[graceful::worker]
#[bon::builder]
async fn consume(queue: u8) {
    drop(queue);
}

#[graceful::worker]
#[cached(size = 3)]
async fn fetch(key: u8) -> Result<u8, String> {
    Ok(key)
}

#[graceful::main]
async fn main() {
    consume(1).spawn();
    fetch(1).spawn();
}
