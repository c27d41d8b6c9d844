#[graceful::worker]
async fn consume(queue: Queue) -> Result<Offset, Error> {
    queue.drain().await
}

fn main() {}
