#[graceful::worker]
async fn consume(queue: Queue) -> Result<Offset, Error> {
    queue.drain().await
}

fn main() {}

#[graceful::worker(every = "1s")]
async fn sweep(cache: Cache) {}

#[graceful::worker(on_failure = "restart")]
async fn fetch(client: Client) {}
